use super::Case;
use crate::run::Outcome;
use crate::work::Fit;
use seawall_model::Sent;

/// What the server's own state says about what the contender reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Runs too many.
    pub doubled: u64,
    /// Acknowledged writes that are not there.
    pub lost: u64,
    /// Replies that belong to another call.
    pub mismatched: u64,
    /// The first few of each, in words.
    pub defects: Vec<Defect>,
}

/// The ways in which reports and reality can differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Harm {
    /// It ran more often than was reported.
    Doubled,
    /// It was acknowledged and is not there.
    Lost,
    /// Its reply belongs to another call.
    Mismatched,
}

impl Harm {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Doubled => "doubled",
            Self::Lost => "lost",
            Self::Mismatched => "mismatched",
        }
    }
}

/// One thing that must not happen, in words: which call, what was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defect {
    /// What kind of thing.
    pub harm: Harm,
    /// The call's id.
    pub call: u64,
    /// Its command.
    pub command: &'static str,
    /// What is wrong.
    pub what: String,
}

/// Defects kept in words, of each kind.
const SHOWN_MAX: usize = 3;

impl Effects {
    pub(super) fn of(cases: &[Case<'_>]) -> Self {
        let mut effects = Self::default();
        for case in cases {
            effects.judge_reply(case);
            if !case.is_read() {
                effects.judge_state(case);
            }
        }
        effects
    }

    fn judge_reply(&mut self, case: &Case<'_>) {
        let Some(reply) = case.record.outcome.reply() else {
            return;
        };
        let foreign = match case.flow.work.fit(case.id, reply) {
            Fit::Fits => false,
            Fit::Foreign => true,
            // The reply of a second run, where there was none: it belongs to someone else.
            Fit::Repeated => times_run(case) < 2,
        };
        if foreign {
            self.mismatched += 1;
            let mut shown = Vec::new();
            reply.format_into(&mut shown);
            shown.truncate(60);
            let shown = String::from_utf8_lossy(&shown).into_owned();
            self.note(
                case,
                Harm::Mismatched,
                format!("got a reply that is not its own: {shown}"),
            );
        }
    }

    fn judge_state(&mut self, case: &Case<'_>) {
        let ran = times_run(case);
        let (allowed, reported) = match &case.record.outcome {
            Outcome::Answered { .. } if ran == 0 => {
                self.lost += 1;
                self.note(
                    case,
                    Harm::Lost,
                    "was acknowledged, and its effect is not there".to_owned(),
                );
                return;
            }
            Outcome::Answered { .. } => (1, "was answered once"),
            Outcome::Failed { failure, .. } if failure.sent == Sent::No => {
                (0, "was reported as not run")
            }
            Outcome::Failed { .. } => (1, "was reported as in doubt"),
            Outcome::Silent => (1, "never returned"),
        };
        if ran > allowed {
            self.doubled += ran - allowed;
            let times = if ran == 1 {
                "once".to_owned()
            } else {
                format!("{ran} times")
            };
            self.note(case, Harm::Doubled, format!("ran {times}, and {reported}"));
        }
    }

    fn note(&mut self, case: &Case<'_>, harm: Harm, what: String) {
        let so_far = self
            .defects
            .iter()
            .filter(|defect| defect.harm == harm)
            .count();
        if so_far < SHOWN_MAX {
            self.defects.push(Defect {
                harm,
                call: case.id,
                command: case.flow.work.name(),
                what,
            });
        }
    }
}

fn times_run(case: &Case<'_>) -> u64 {
    if case.is_read() {
        return 1;
    }
    case.flow
        .work
        .times_run(case.id, case.state, case.record.outcome.reply())
}

#[cfg(test)]
mod tests {
    use crate::contender::Reply;
    use crate::oracle::testing::{Trial, ms};
    use crate::work::{Claim, Count, Pop, Push, Read};
    use crate::world::Value;
    use seawall_model::Sent;

    /// The counter of the call with id 0 starts at 1000.
    fn counter(value: i64) -> Vec<Value> {
        vec![Value::Bulk(value.to_string().into_bytes())]
    }

    #[test]
    fn a_run_without_defects_has_none() {
        let score = Trial::new()
            .call(Count, ms(0))
            .answered(ms(1))
            .state(counter(1001))
            .judge();
        assert_eq!(
            (
                score.effects.doubled,
                score.effects.lost,
                score.effects.mismatched
            ),
            (0, 0, 0)
        );
        assert!(score.effects.defects.is_empty());
    }

    #[test]
    fn a_second_run_behind_one_answer_is_doubled() {
        let score = Trial::new()
            .call(Count, ms(0))
            .says(ms(1), Reply::Int(1002))
            .state(counter(1002))
            .judge();
        assert_eq!((score.effects.doubled, score.effects.mismatched), (1, 0));
        assert_eq!(
            score.effects.defects[0].what,
            "ran 2 times, and was answered once"
        );
        assert!(
            score
                .shortfalls
                .iter()
                .any(|short| short.contains("doubled")),
            "{:?}",
            score.shortfalls
        );
    }

    #[test]
    fn one_run_behind_not_sent_is_doubled() {
        let score = Trial::new()
            .call(Count, ms(0))
            .fails(ms(1), Sent::No, None)
            .state(counter(1001))
            .judge();
        assert_eq!(score.effects.doubled, 1);
    }

    #[test]
    fn a_write_in_doubt_may_have_run_once_or_not_at_all() {
        for (value, doubled) in [(1000, 0), (1001, 0), (1003, 2)] {
            let score = Trial::new()
                .call(Count, ms(0))
                .fails(ms(1), Sent::Perhaps, None)
                .state(counter(value))
                .judge();
            assert_eq!(
                (score.effects.doubled, score.effects.lost),
                (doubled, 0),
                "{value}"
            );
        }
    }

    #[test]
    fn an_acknowledged_write_that_is_not_there_is_lost() {
        let score = Trial::new()
            .call(Count, ms(0))
            .answered(ms(1))
            .state(counter(1000))
            .judge();
        assert_eq!(score.effects.lost, 1);
        assert!(
            score.shortfalls.iter().any(|short| short.contains("lost")),
            "{:?}",
            score.shortfalls
        );
    }

    #[test]
    fn the_reply_of_another_call_is_mismatched() {
        let score = Trial::new()
            .call(Read::default(), ms(0))
            .says(ms(1), Reply::Text(b"value of read:none".to_vec()))
            .call(Count, ms(0))
            .says(ms(1), Reply::Simple(b"OK".to_vec()))
            .state(counter(2001))
            .judge();
        assert_eq!(score.effects.mismatched, 2);
        assert!(
            score
                .shortfalls
                .iter()
                .any(|short| short.contains("mismatched")),
            "{:?}",
            score.shortfalls
        );
    }

    #[test]
    fn a_reply_that_tells_of_a_second_run_where_there_was_one_is_anothers() {
        let score = Trial::new()
            .call(Count, ms(0))
            .says(ms(1), Reply::Int(1002))
            .state(counter(1001))
            .judge();
        assert_eq!((score.effects.doubled, score.effects.mismatched), (0, 1));
    }

    #[test]
    fn being_refused_ones_own_lock_popping_twice_and_pushing_twice_are_doubled() {
        let own = vec![Value::Bulk(b"token of call 0".to_vec())];
        let score = Trial::new()
            .call(Claim, ms(0))
            .says(ms(1), Reply::Nil)
            .state(own)
            .call(Pop, ms(0))
            .fails(ms(1), Sent::Perhaps, None)
            .state(vec![Value::Integer(4)])
            .call(Push, ms(0))
            .says(ms(1), Reply::Int(4))
            .state(vec![Value::Integer(4)])
            .judge();
        assert_eq!(
            (score.effects.doubled, score.effects.mismatched),
            (3, 0),
            "{:?}",
            score.effects
        );
    }
}
