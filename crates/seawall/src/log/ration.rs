//! How often one thing is told: a fault that strikes a thousand calls a second is worth one line a second.

use std::time::Duration;

use seawall_model::{Cause, Moment};

/// The shortest time between two lines about the same. One a second is what a person can follow, and what a log of a
/// bad hour can hold.
const EVERY: Duration = Duration::from_secs(1);

/// Rations lines by what they are about: their name and their cause. Bounded by the number of these.
#[derive(Debug, Default)]
pub(super) struct Ration(Vec<Portion>);

#[derive(Debug)]
struct Portion {
    line: &'static str,
    cause: Cause,
    told: Moment,
    suppressed: u64,
}

/// Whether a line may be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Serving {
    /// Tell it, and how many like it were not told since the last one.
    Tell {
        /// `None`: none.
        suppressed: Option<u64>,
    },
    /// It is counted, and told with the next.
    Withhold,
}

impl Ration {
    /// A line comes up.
    pub(super) fn ask(&mut self, now: Moment, line: &'static str, cause: Cause) -> Serving {
        let same = |portion: &&mut Portion| portion.line == line && portion.cause == cause;
        let Some(portion) = self.0.iter_mut().find(same) else {
            self.0.push(Portion {
                line,
                cause,
                told: now,
                suppressed: 0,
            });
            return Serving::Tell { suppressed: None };
        };
        if now.since(portion.told) < EVERY {
            portion.suppressed += 1;
            return Serving::Withhold;
        }
        portion.told = now;
        let suppressed = std::mem::take(&mut portion.suppressed);
        Serving::Tell {
            suppressed: (suppressed > 0).then_some(suppressed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::ORIGIN + Duration::from_millis(millis)
    }

    #[test]
    fn a_storm_is_one_line_a_second_and_what_was_withheld_is_counted() {
        let mut ration = Ration::default();
        let mut told = Vec::new();
        // A thousand a second, for three seconds and a bit.
        for millis in 0..3_100 {
            if let Serving::Tell { suppressed } =
                ration.ask(at(millis), "retry", Cause::ConnectionReset)
            {
                told.push((millis, suppressed));
            }
        }
        assert_eq!(
            told,
            [
                (0, None),
                (1_000, Some(999)),
                (2_000, Some(999)),
                (3_000, Some(999))
            ]
        );
    }

    #[test]
    fn lines_and_causes_do_not_share_a_ration() {
        let mut ration = Ration::default();
        let tell = Serving::Tell { suppressed: None };
        assert_eq!(ration.ask(at(0), "retry", Cause::ConnectionReset), tell);
        assert_eq!(ration.ask(at(1), "retry", Cause::IdleReset), tell);
        assert_eq!(ration.ask(at(2), "lost", Cause::ConnectionReset), tell);
        assert_eq!(
            ration.ask(at(3), "retry", Cause::ConnectionReset),
            Serving::Withhold
        );
        assert_eq!(ration.ask(at(5_000), "retry", Cause::IdleReset), tell);
    }
}
