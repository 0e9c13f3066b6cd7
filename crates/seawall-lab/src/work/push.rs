use super::{Fit, Kind, Work, length, words};
use crate::contender::{Reply, Request, Words};
use crate::world::Value;

/// `LPUSH` of one element to a list of the call's own, which holds a few elements before, so that replies differ.
pub struct Push;

fn key(call: u64) -> String {
    format!("push:{call}")
}

fn elements_before(call: u64) -> u64 {
    call % 8
}

impl Work for Push {
    fn name(&self) -> &'static str {
        "LPUSH"
    }
    fn kind(&self) -> Kind {
        Kind::Write
    }
    fn prepare(&self, calls: &[u64]) -> Vec<Words> {
        let filled = calls.iter().filter(|&&call| elements_before(call) > 0);
        filled
            .map(|&call| {
                let mut command = words(["RPUSH", &key(call)]);
                command.extend((0..elements_before(call)).map(|_| b"before".to_vec()));
                command
            })
            .collect()
    }
    fn request(&self, call: u64) -> Request {
        Request::Command(words(["LPUSH", &key(call), &format!("job {call}")]))
    }
    fn fit(&self, call: u64, reply: &Reply) -> Fit {
        match reply {
            Reply::Int(length) => {
                match length - i64::try_from(elements_before(call)).unwrap_or(0) {
                    1 => Fit::Fits,
                    2..100 => Fit::Repeated,
                    _ => Fit::Foreign,
                }
            }
            _ => Fit::Foreign,
        }
    }
    fn inspect(&self, call: u64) -> Vec<Words> {
        vec![words(["LLEN", &key(call)])]
    }
    fn times_run(&self, call: u64, state: &[Value], _reply: Option<&Reply>) -> u64 {
        length(state.first()).saturating_sub(elements_before(call))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_holds_the_element_twice_tells_of_two_runs() {
        assert_eq!(Push.times_run(3, &[Value::Integer(3)], None), 0);
        assert_eq!(Push.times_run(3, &[Value::Integer(5)], None), 2);
        assert_eq!(Push.times_run(0, &[Value::Integer(0)], None), 0);
    }

    #[test]
    fn the_length_in_the_reply_tells_of_a_repeat() {
        assert_eq!(Push.fit(3, &Reply::Int(4)), Fit::Fits);
        assert_eq!(Push.fit(3, &Reply::Int(5)), Fit::Repeated);
        assert_eq!(Push.fit(3, &Reply::Int(3)), Fit::Foreign);
    }
}
