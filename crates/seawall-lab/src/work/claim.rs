use super::{Fit, Kind, Work, words};
use crate::contender::{Reply, Request, Words};
use crate::world::Value;

/// `SET key token NX`: how locks and once-only keys are claimed. Nobody else ever claims the call's key.
pub struct Claim;

fn key(call: u64) -> String {
    format!("claim:{call}")
}

fn token(call: u64) -> String {
    format!("token of call {call}")
}

impl Work for Claim {
    fn name(&self) -> &'static str {
        "SET NX"
    }
    fn kind(&self) -> Kind {
        Kind::Write
    }
    fn prepare(&self, _calls: &[u64]) -> Vec<Words> {
        Vec::new()
    }
    fn request(&self, call: u64) -> Request {
        Request::Command(words(["SET", &key(call), &token(call), "NX"]))
    }
    fn fit(&self, _call: u64, reply: &Reply) -> Fit {
        match reply {
            Reply::Simple(word) if word == b"OK" => Fit::Fits,
            Reply::Nil => Fit::Repeated,
            _ => Fit::Foreign,
        }
    }
    fn inspect(&self, call: u64) -> Vec<Words> {
        vec![words(["GET", &key(call)])]
    }
    /// A second run leaves no trace on the server: what betrays it is that the caller was told that someone else holds
    /// the key, which holds the caller's own token.
    fn times_run(&self, call: u64, state: &[Value], reply: Option<&Reply>) -> u64 {
        let own = state.first().and_then(Value::as_bytes) == Some(token(call).as_bytes());
        match (own, reply) {
            (true, Some(Reply::Nil)) => 2,
            (own, _) => u64::from(own),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn being_refused_by_ones_own_token_is_a_second_run() {
        let own = [Value::Bulk(b"token of call 8".to_vec())];
        assert_eq!(Claim.times_run(8, &own, Some(&Reply::Nil)), 2);
        assert_eq!(
            Claim.times_run(8, &own, Some(&Reply::Simple(b"OK".to_vec()))),
            1
        );
        assert_eq!(Claim.times_run(8, &[Value::Null], Some(&Reply::Nil)), 0);
        assert_eq!(Claim.times_run(8, &own, None), 1);
    }
}
