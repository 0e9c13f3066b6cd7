use crate::contender::{Event, Failure, Gap, Message, Reply};
use seawall_model::Moment;
use std::time::Duration;

/// What became of every call of a run, as the lab itself saw it.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// When the load began.
    pub began: Moment,
    /// One record a call, by id.
    pub calls: Vec<Record>,
    /// What the client noticed, and when the lab heard of it.
    pub events: Vec<(Moment, Event)>,
    /// What each subscription's consumer was given, in order.
    pub heard: Vec<Vec<Heard>>,
    /// The client's own counts.
    pub stats: Vec<(String, u64)>,
    /// What the contender said that is not part of the protocol; the first few.
    pub breaches: Vec<String>,
    /// How many such lines there were in all.
    pub breach_count: u64,
    /// How the contender ended, if it ended before it was told to.
    pub died: Option<String>,
    /// By how much the lab itself was late with a call, at worst: what a crowded machine adds to every latency.
    pub lab_late: Duration,
}

/// One call's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When it was due: its start, for every judgement.
    pub due: Moment,
    /// When its caller gives it up, if it does.
    pub given_up: Option<Moment>,
    /// How it ended, and when the lab heard of it.
    pub outcome: Outcome,
}

/// One thing that reached a subscription's consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A message.
    Message(Message),
    /// The word that messages are lost.
    Gap(Gap),
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The contender said nothing until the run's end.
    Silent,
    /// It was answered.
    Answered {
        /// When.
        at: Moment,
        /// With what.
        reply: Reply,
    },
    /// It failed.
    Failed {
        /// When.
        at: Moment,
        /// How.
        failure: Failure,
    },
}

impl Outcome {
    /// When the lab heard of it.
    pub const fn at(&self) -> Option<Moment> {
        match self {
            Self::Silent => None,
            Self::Answered { at, .. } | Self::Failed { at, .. } => Some(*at),
        }
    }

    /// What it returned, if it was answered.
    pub const fn reply(&self) -> Option<&Reply> {
        match self {
            Self::Answered { reply, .. } => Some(reply),
            _ => None,
        }
    }
}

/// Breaches shown; the rest is counted.
const BREACHES_SHOWN_MAX: usize = 5;

impl History {
    /// Notes something that is not part of the protocol.
    pub fn breach(&mut self, what: String) {
        self.breach_count += 1;
        if self.breaches.len() < BREACHES_SHOWN_MAX {
            self.breaches.push(what);
        }
    }

    /// Notes how a call ended. A second answer to a call, or one to no call, is a breach.
    pub(crate) fn ended(&mut self, id: u64, outcome: Outcome) {
        let record = usize::try_from(id)
            .ok()
            .and_then(|id| self.calls.get_mut(id));
        match record {
            Some(record) if record.outcome == Outcome::Silent => record.outcome = outcome,
            Some(_) => self.breach(format!("call {id} was answered twice")),
            None => self.breach(format!("an answer to call {id}, which was never made")),
        }
    }
}

impl History {
    /// Notes what reached a subscription's consumer. Of one that was not asked for it is a breach.
    pub(crate) fn heard(&mut self, id: u64, heard: Heard) {
        let subscription = usize::try_from(id)
            .ok()
            .and_then(|id| self.heard.get_mut(id));
        match subscription {
            Some(subscription) => subscription.push(heard),
            None => self.breach(format!("word of subscription {id}, which was never made")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_answer_is_a_breach_and_does_not_replace_the_first() {
        let mut history = History::default();
        history.calls.push(Record {
            due: Moment::ORIGIN,
            given_up: None,
            outcome: Outcome::Silent,
        });
        let answer = |value| Outcome::Answered {
            at: Moment::ORIGIN,
            reply: Reply::Int(value),
        };
        history.ended(0, answer(1));
        history.ended(0, answer(2));
        history.ended(1, answer(3));
        assert_eq!(history.calls[0].outcome, answer(1));
        assert_eq!(history.breach_count, 2);
    }
}
