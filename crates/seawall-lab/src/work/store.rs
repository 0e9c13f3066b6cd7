use super::{Fit, Kind, Work, words};
use crate::contender::{Reply, Request, Words};
use crate::world::Value;

/// Plain `SET` of a key of the call's own.
pub struct Store;

fn key(call: u64) -> String {
    format!("set:{call}")
}

fn value(call: u64) -> String {
    format!("written by call {call}")
}

impl Work for Store {
    fn name(&self) -> &'static str {
        "SET"
    }
    fn kind(&self) -> Kind {
        Kind::Write
    }
    fn prepare(&self, _calls: &[u64]) -> Vec<Words> {
        Vec::new()
    }
    fn request(&self, call: u64) -> Request {
        Request::Command(words(["SET", &key(call), &value(call)]))
    }
    fn fit(&self, _call: u64, reply: &Reply) -> Fit {
        if *reply == Reply::Simple(b"OK".to_vec()) {
            Fit::Fits
        } else {
            Fit::Foreign
        }
    }
    fn inspect(&self, call: u64) -> Vec<Words> {
        vec![words(["GET", &key(call)])]
    }
    /// A plain SET may run twice and leave no trace, nor any harm.
    fn times_run(&self, call: u64, state: &[Value], _reply: Option<&Reply>) -> u64 {
        let stored = state.first().and_then(Value::as_bytes);
        u64::from(stored == Some(value(call).as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_ran_if_its_own_value_stands() {
        let stored = |text: &str| [Value::Bulk(text.as_bytes().to_vec())];
        assert_eq!(Store.times_run(4, &stored("written by call 4"), None), 1);
        assert_eq!(Store.times_run(4, &stored("written by call 5"), None), 0);
        assert_eq!(Store.times_run(4, &[Value::Null], None), 0);
    }
}
