use super::{Broken, Flaw, Rule, Schedule, run};

/// The shortest schedule that still breaks the same rule: entries are taken out, many at once at first, then one by
/// one, for as long as it stays broken.
pub(crate) fn shortest(schedule: &Schedule, flaw: Flaw, rule: Rule) -> (Schedule, Broken) {
    let breaks = |schedule: &Schedule| {
        run(schedule, flaw)
            .broken
            .filter(|broken| broken.rule == rule)
    };
    let mut best = schedule.clone();
    let mut broken =
        breaks(&best).expect("only a schedule that breaks the rule can be made shorter");
    let mut chunk = best.entries.len().div_ceil(2);
    while chunk > 0 {
        let mut from = 0;
        let before = best.entries.len();
        while from < best.entries.len() {
            let mut candidate = best.clone();
            let to = (from + chunk).min(best.entries.len());
            candidate.entries.drain(from..to);
            match breaks(&candidate) {
                Some(still) => (best, broken) = (candidate, still),
                None => from = to,
            }
        }
        let done_with_size = best.entries.len() == before;
        if done_with_size {
            chunk = if chunk == 1 { 0 } else { chunk.div_ceil(2) };
        }
    }
    (best, broken)
}
