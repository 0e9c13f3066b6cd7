use super::{Fit, Kind, Work, counter_start, times_raised, words};
use crate::contender::{Reply, Request, Words};
use crate::world::Value;

/// `INCR` of a counter of the call's own, which starts at a number of its own.
pub struct Count;

fn key(call: u64) -> String {
    format!("count:{call}")
}

/// Judges what INCR returned for a counter that started at [`counter_start`].
pub(super) fn fit_counter(call: u64, reply: &Reply) -> Fit {
    match reply {
        Reply::Int(value) => match value - counter_start(call) {
            1 => Fit::Fits,
            2..1000 => Fit::Repeated,
            _ => Fit::Foreign,
        },
        _ => Fit::Foreign,
    }
}

impl Work for Count {
    fn name(&self) -> &'static str {
        "INCR"
    }
    fn kind(&self) -> Kind {
        Kind::Write
    }
    fn prepare(&self, calls: &[u64]) -> Vec<Words> {
        calls
            .iter()
            .map(|&call| words(["SET", &key(call), &counter_start(call).to_string()]))
            .collect()
    }
    fn request(&self, call: u64) -> Request {
        Request::Command(words(["INCR", &key(call)]))
    }
    fn fit(&self, call: u64, reply: &Reply) -> Fit {
        fit_counter(call, reply)
    }
    fn inspect(&self, call: u64) -> Vec<Words> {
        vec![words(["GET", &key(call)])]
    }
    fn times_run(&self, call: u64, state: &[Value], _reply: Option<&Reply>) -> u64 {
        times_raised(call, state.first())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_tells_how_often_the_call_ran() {
        let state = |value: i64| [Value::Bulk(value.to_string().into_bytes())];
        assert_eq!(Count.times_run(2, &state(3000), None), 0);
        assert_eq!(Count.times_run(2, &state(3002), None), 2);
    }

    #[test]
    fn a_reply_tells_a_repeat_from_another_calls_counter() {
        assert_eq!(Count.fit(2, &Reply::Int(3001)), Fit::Fits);
        assert_eq!(Count.fit(2, &Reply::Int(3002)), Fit::Repeated);
        assert_eq!(Count.fit(2, &Reply::Int(4001)), Fit::Foreign);
        assert_eq!(Count.fit(2, &Reply::Simple(b"OK".to_vec())), Fit::Foreign);
    }
}
