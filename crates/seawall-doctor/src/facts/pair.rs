//! Looks at one and the same process, laid together: the latest is told, an earlier one is its baseline.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Before, Look, Reach};

/// An earlier INFO is a baseline for this long; of older ones only the latest is taken, if there is no other.
const BASELINE_MAX: Duration = Duration::from_secs(24 * 3_600);

/// Lays together what is of one process. In which order the looks came changes nothing.
pub(super) fn pair(looks: &mut Vec<Look>) {
    let mut by_process: BTreeMap<String, Vec<Look>> = BTreeMap::new();
    let mut others = Vec::new();
    for look in looks.drain(..) {
        match look.info.get("run_id").filter(|id| !id.is_empty()) {
            Some(id) => by_process.entry(id.clone()).or_default().push(look),
            None => others.push(look),
        }
    }
    let mut told: Vec<_> = by_process.into_values().filter_map(one).collect();
    // CLIENT LIST and the like, pasted for themselves, are of the only server there is.
    others.sort();
    let apart = |look: &Look| look.reach != Reach::Pasted || !look.info.is_empty();
    if let [only] = &mut told[..] {
        for look in others.extract_if(.., |look| !apart(look)) {
            adopt(only, look);
        }
    }
    looks.extend(told);
    looks.extend(others);
}

fn one(mut of_process: Vec<Look>) -> Option<Look> {
    of_process.sort_by(|one, other| {
        let key = |look: &Look| (micros(look), look.reach == Reach::Answered);
        key(one).cmp(&key(other)).then_with(|| one.cmp(other))
    });
    let mut latest = of_process.pop()?;
    let mut before: Option<Before> = None;
    while let Some(earlier) = of_process.pop() {
        let span = between(&earlier, &latest);
        if !span.is_zero() && (before.is_none() || span <= BASELINE_MAX) {
            before = Some(Before {
                source: earlier.source.clone(),
                info: earlier.info.clone(),
                clients: earlier.clients.clone(),
                span,
            });
        }
        adopt(&mut latest, earlier);
    }
    // The two INFO of a look itself are a baseline, too, but a shorter one.
    latest.before = before.or(latest.before);
    Some(latest)
}

/// Takes what the later look has not.
fn adopt(look: &mut Look, other: Look) {
    fn fill<T: Default + PartialEq>(mine: &mut T, theirs: T) {
        if *mine == T::default() {
            *mine = theirs;
        }
    }
    look.answered.extend(other.answered);
    fill(&mut look.before, other.before);
    fill(&mut look.config, other.config);
    if look.clients.is_empty() {
        look.clients = other.clients;
        look.listed = other.listed;
    }
    fill(&mut look.slow, other.slow);
    fill(&mut look.latency, other.latency);
    fill(&mut look.memory, other.memory);
    fill(&mut look.denied, other.denied);
    fill(&mut look.role, other.role);
    fill(&mut look.cluster, other.cluster);
    fill(&mut look.nodes, other.nodes);
    fill(&mut look.watched, other.watched);
    fill(&mut look.queues, other.queues);
    fill(&mut look.lost, other.lost);
    look.cost.add(other.cost);
}

/// The server's own clock where it tells it, else how long it is up.
fn micros(look: &Look) -> u64 {
    look.number("server_time_usec")
        .or_else(|| look.number("uptime_in_seconds")?.checked_mul(1_000_000))
        .unwrap_or(0)
}

fn between(earlier: &Look, later: &Look) -> Duration {
    let clock = |look: &Look| look.number("server_time_usec").map(Duration::from_micros);
    let up = |look: &Look| look.number("uptime_in_seconds").map(Duration::from_secs);
    let spans = [clock(earlier).zip(clock(later)), up(earlier).zip(up(later))];
    let known = spans.into_iter().flatten().next();
    known.map_or(Duration::ZERO, |(earlier, later)| {
        later.saturating_sub(earlier)
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::pasted;

    fn info(run_id: &str, up: u64, rejected: u64) -> String {
        format!(
            "# Server\nredis_version:7.0.15\nrun_id:{run_id}\nuptime_in_seconds:{up}\n# Stats\nrejected_connections:{rejected}\n"
        )
    }

    #[test]
    fn two_files_of_one_process_are_a_pair_whatever_their_order() {
        let files = [info("a", 1_000, 88), info("a", 1_240, 400)];
        for order in [[0, 1], [1, 0]] {
            let mut facts = pasted(&files[order[0]]);
            facts.add(pasted(&files[order[1]]));
            facts.sort();
            assert_eq!(facts.looks.len(), 1);
            let rose = facts.looks[0].rose_by("rejected_connections");
            assert_eq!(rose.as_deref(), Some("rose by 312 in 4 min"));
        }
    }

    #[test]
    fn one_file_with_both_is_a_pair_as_well_and_other_processes_are_none() {
        let both = pasted(&format!("{}{}", info("a", 10, 1), info("a", 40, 4)));
        assert_eq!(both.looks[0].rose("rejected_connections"), Some(3));
        let restarted = pasted(&format!("{}{}", info("a", 10, 1), info("b", 4, 4)));
        assert_eq!(restarted.looks.len(), 2);
        assert!(restarted.looks.iter().all(|look| look.before.is_none()));
    }

    #[test]
    fn the_earliest_of_a_day_is_the_baseline_and_what_was_pasted_apart_belongs_to_the_only_server()
    {
        let three = [
            info("a", 900_000, 9),
            info("a", 899_000, 5),
            info("a", 10, 1),
        ];
        let mut facts = pasted(&three.concat());
        facts.add(pasted("id=7 addr=10.0.0.7:51234 name=web omem=0 cmd=get\n"));
        facts.sort();
        assert_eq!(facts.looks.len(), 1);
        assert_eq!(facts.looks[0].rose("rejected_connections"), Some(4));
        assert_eq!(facts.looks[0].clients.len(), 1);
    }
}
