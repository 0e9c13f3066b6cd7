use super::count::fit_counter;
use super::read::{Read, one_read};
use super::{Fit, Kind, Work, counter_start, times_raised, words};
use crate::contender::{Reply, Request, Words};
use crate::world::Value;

/// A pipeline of a GET, an INCR and another GET: replies that must come in their order.
#[derive(Default)]
pub struct Batch {
    /// The keys that its GETs choose from.
    pub reads: Read,
}

/// Apart from any other call's number, so that the second GET reads another key than the first.
const SECOND: u64 = 1 << 32;

fn counter(call: u64) -> String {
    format!("batch:{call}")
}

impl Work for Batch {
    fn name(&self) -> &'static str {
        "pipeline"
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
        Request::Pipeline(vec![
            one_read(call, self.reads.keys).0,
            words(["INCR", &counter(call)]),
            one_read(call + SECOND, self.reads.keys).0,
        ])
    }
    fn fit(&self, call: u64, reply: &Reply) -> Fit {
        let Reply::Array(replies) = reply else {
            return Fit::Foreign;
        };
        let [first, count, second] = replies.as_slice() else {
            return Fit::Foreign;
        };
        let expected = [call, call + SECOND].map(|call| one_read(call, self.reads.keys).1);
        if [first, second] == [&expected[0], &expected[1]] {
            fit_counter(call, count)
        } else {
            Fit::Foreign
        }
    }
    fn inspect(&self, call: u64) -> Vec<Words> {
        vec![words(["GET", &counter(call)])]
    }
    fn times_run(&self, call: u64, state: &[Value], _reply: Option<&Reply>) -> u64 {
        times_raised(call, state.first())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_out_of_their_order_are_foreign() {
        let work = Batch::default();
        let value = |call| one_read(call, work.reads.keys).1;
        let mut replies = vec![
            value(3),
            Reply::Int(counter_start(3) + 1),
            value(3 + SECOND),
        ];
        assert_ne!(replies[0], replies[2]);
        assert_eq!(work.fit(3, &Reply::Array(replies.clone())), Fit::Fits);
        replies.swap(0, 2);
        assert_eq!(work.fit(3, &Reply::Array(replies)), Fit::Foreign);
    }
}
