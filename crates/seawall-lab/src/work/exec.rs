use super::count::fit_counter;
use super::read::{Read, one_read};
use super::{Fit, Kind, Work, counter_start, length, times_raised, words};
use crate::contender::{Reply, Request, Words};
use crate::world::Value;

/// `MULTI/EXEC` of an INCR, an RPUSH and a GET.
#[derive(Default)]
pub struct Exec {
    /// The keys that its GET chooses from.
    pub reads: Read,
}

fn counter(call: u64) -> String {
    format!("exec:count:{call}")
}

fn list(call: u64) -> String {
    format!("exec:list:{call}")
}

impl Work for Exec {
    fn name(&self) -> &'static str {
        "MULTI/EXEC"
    }
    fn kind(&self) -> Kind {
        Kind::Write
    }
    fn prepare(&self, calls: &[u64]) -> Vec<Words> {
        let mut commands = self.reads.prepare(calls);
        let counters = calls
            .iter()
            .map(|&call| words(["SET", &counter(call), &counter_start(call).to_string()]));
        commands.extend(counters);
        commands
    }
    fn request(&self, call: u64) -> Request {
        Request::Transaction(vec![
            words(["INCR", &counter(call)]),
            words(["RPUSH", &list(call), &format!("job {call}")]),
            one_read(call, self.reads.keys).0,
        ])
    }
    fn fit(&self, call: u64, reply: &Reply) -> Fit {
        let Reply::Array(replies) = reply else {
            return Fit::Foreign;
        };
        let [count, length, value] = replies.as_slice() else {
            return Fit::Foreign;
        };
        let value_fits = *value == one_read(call, self.reads.keys).1;
        match (fit_counter(call, count), length) {
            _ if !value_fits => Fit::Foreign,
            (Fit::Fits, Reply::Int(1)) => Fit::Fits,
            (Fit::Repeated, Reply::Int(2..)) => Fit::Repeated,
            _ => Fit::Foreign,
        }
    }
    fn inspect(&self, call: u64) -> Vec<Words> {
        vec![words(["GET", &counter(call)]), words(["LLEN", &list(call)])]
    }
    /// Half a transaction counts as a whole one: both commands ran for someone.
    fn times_run(&self, call: u64, state: &[Value], _reply: Option<&Reply>) -> u64 {
        times_raised(call, state.first()).max(length(state.get(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(call: u64, count: i64, length: i64) -> Reply {
        let value = one_read(call, Read::default().keys).1;
        Reply::Array(vec![
            Reply::Int(counter_start(call) + count),
            Reply::Int(length),
            value,
        ])
    }

    #[test]
    fn a_transaction_that_ran_twice_shows_in_reply_and_state() {
        let work = Exec::default();
        assert_eq!(work.fit(6, &reply(6, 1, 1)), Fit::Fits);
        assert_eq!(work.fit(6, &reply(6, 2, 2)), Fit::Repeated);
        let state = [
            Value::Bulk((counter_start(6) + 2).to_string().into_bytes()),
            Value::Integer(2),
        ];
        assert_eq!(work.times_run(6, &state, None), 2);
    }

    #[test]
    fn another_transactions_array_is_foreign() {
        let work = Exec::default();
        assert_eq!(work.fit(6, &reply(7, 1, 1)), Fit::Foreign);
        assert_eq!(work.fit(6, &Reply::Array(vec![])), Fit::Foreign);
        assert_eq!(work.fit(6, &Reply::Nil), Fit::Foreign);
    }
}
