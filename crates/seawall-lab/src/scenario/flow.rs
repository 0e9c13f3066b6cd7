use crate::work::{Batch, Claim, Count, Exec, Pop, Push, Read, ReadMany, Store, Work};
use seawall_model::Cause;
use std::time::Duration;

/// Calls of one kind at a fixed rate: they come when they are due, whatever became of earlier ones.
pub struct Flow {
    /// What they do.
    pub work: Box<dyn Work>,
    /// How many are due each second, evenly spaced.
    pub per_second: u32,
    /// When they flow; empty means for as long as the load lasts.
    pub bursts: Vec<Burst>,
    /// How long each may take.
    pub deadline: Duration,
    /// What becomes of them if all goes as it should.
    pub expect: Expect,
    /// Which of them their callers give up; none by default.
    pub given_up: Option<GivenUp>,
}

/// Calls whose callers do not wait for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GivenUp {
    /// One call in so many.
    pub every: u32,
    /// How long after a call at the latest; when within that time is drawn by lot.
    pub within: Duration,
}

/// A span of the load, from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burst {
    /// Its first moment.
    pub from: Duration,
    /// Its end.
    pub to: Duration,
}

/// What ought to become of a flow's calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// They are answered whenever that is possible.
    Answers,
    /// No client can have them answered; a good one says why, and soon.
    Failures {
        /// What it must say.
        cause: Cause,
        /// How soon after the call, at the latest.
        within: Duration,
    },
}

impl Flow {
    /// A flow for the whole of the load, with a deadline of one second.
    pub fn new(per_second: u32, work: impl Work + 'static) -> Self {
        Self {
            work: Box::new(work),
            per_second,
            bursts: Vec::new(),
            deadline: Duration::from_secs(1),
            expect: Expect::Answers,
            given_up: None,
        }
    }

    /// Has one call in `every` given up within `within` of its start. Only contenders that can cancel take part.
    #[must_use]
    pub fn giving_up(mut self, every: u32, within: Duration) -> Self {
        self.given_up = Some(GivenUp { every, within });
        self
    }

    /// Lets it flow only from `from_ms` to `to_ms`; may be given several times.
    #[must_use]
    pub fn burst_ms(mut self, from_ms: u64, to_ms: u64) -> Self {
        self.bursts.push(Burst {
            from: Duration::from_millis(from_ms),
            to: Duration::from_millis(to_ms),
        });
        self
    }

    /// Says that its calls cannot be answered.
    #[must_use]
    pub fn failing(mut self, cause: Cause, within: Duration) -> Self {
        self.expect = Expect::Failures { cause, within };
        self
    }
}

/// The usual load: 2,000 calls a second of every kind, three reads to two writes.
pub fn mixed() -> Vec<Flow> {
    vec![
        Flow::new(1010, Read::default()),
        Flow::new(150, ReadMany::default()),
        Flow::new(300, Store),
        Flow::new(200, Count),
        Flow::new(100, Push),
        Flow::new(80, Exec::default()),
        Flow::new(40, Batch::default()),
        Flow::new(80, Claim),
        Flow::new(40, Pop),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_load_is_two_thousand_calls_a_second() {
        assert_eq!(
            mixed().iter().map(|flow| flow.per_second).sum::<u32>(),
            2000
        );
    }
}
