//! A save needs memory that is not there.

use crate::facts::{Facts, Look, bytes};
use crate::finding::{Confidence, Finding, Verdict};
use crate::memory;
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Text};

/// `Fork CoW for RDB: current 61 MB, peak 880 MB, average 400 MB`, since 6.2; before it the child said how much in another line.
const COPIED: &[Text] = &[
    Text::server("Fork CoW for ").keeping(Keeps::Rest),
    Text::server("RDB: ").keeping(Keeps::Rest),
    Text::server("AOF rewrite: ").keeping(Keeps::Rest),
];

/// More hundredths of what there is than this, and the next save may be the one that is killed.
const PERCENT: u64 = 90;

pub(super) const RULE: Rule = Rule {
    code: Code(508),
    title: "a save may need more memory than there is",
    explanation: "While a child saves, each page that is written meanwhile is copied: a save takes what `rdb_last_cow_size` says on top of the \
data, with many writes as much as the data again. If both together are more than the host or the container has, the kernel kills the \
child or the server.",
    messages: &[],
    needs: &[Need::Server, Need::ServerLog, Need::Host],
    texts: COPIED,
    sources: &["redis: childinfo.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let looks = facts.looks.iter();
    looks.filter_map(|look| of(facts, look)).collect()
}

fn of(facts: &Facts, look: &Look) -> Option<Finding> {
    let (ceiling, whose) = memory::ceiling(facts, look)?;
    let used = look
        .number("used_memory_rss")
        .or(look.number("used_memory"))?;
    let told = ["rdb_last_cow_size", "aof_last_cow_size"]
        .into_iter()
        .filter_map(|field| Some((look.number(field)?, look.place("INFO"))));
    // Whose log it is among several servers' is not known.
    let logged = COPIED
        .iter()
        .flat_map(|text| facts.said(text))
        .filter(|_| facts.looks.len() == 1)
        .filter_map(|fact| Some((megabytes(&fact.what.rest)?, fact.place.clone())));
    let (copied, place) = told.chain(logged).max_by_key(|(copied, _)| *copied)?;
    let both = used.saturating_add(copied);
    if copied == 0 || both.saturating_mul(100) < ceiling.saturating_mul(PERCENT) {
        return None;
    }
    let says = format!(
        "{} in use, and a save copied {} on top; {whose} has {}",
        bytes(used),
        bytes(copied),
        bytes(ceiling)
    );
    Some(
        Finding::new(RULE.code, RULE.title, Verdict::Risk, Confidence::Possible)
            .supported(place, format!("a save copied {}", bytes(copied)))
            .supported(look.place("INFO"), says.as_str())
            .claims(format!("{says}: the kernel may kill the child or the server at a save."))
            .fix(
                format!("redis-cli CONFIG SET maxmemory {}", ceiling.saturating_sub(copied) / 100 * 80),
                "data above it is evicted or refused, by maxmemory-policy",
                format!(
                    "redis-cli CONFIG SET maxmemory {}",
                    memory::limit(look).map_or("<old>".to_owned(), |limit| limit.to_string())
                ),
            )
            .fix("save on a replica, which has no writers of its own", "", "")
            .checked_by("used_memory_rss and rdb_last_cow_size of INFO together stay below 90 % of what there is"),
    )
}

/// The peak of `RDB: current 61 MB, peak 880 MB, average 400 MB`, or `61 MB of memory used by copy-on-write`.
fn megabytes(rest: &str) -> Option<u64> {
    let words = match rest.split_once("peak ") {
        Some((_, peak)) => peak,
        None if rest.contains("copy-on-write") => rest,
        None => return None,
    };
    let number: u64 = words.split(' ').next()?.parse().ok()?;
    number.checked_mul(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, pasted, together, verdicts};

    fn info(copied: u64) -> Facts {
        pasted(&format!(
            "# Memory\nused_memory:6000000000\nused_memory_rss:6000000000\ntotal_system_memory:8000000000\nmaxmemory:0\n\
             # Persistence\nrdb_last_cow_size:{copied}\n"
        ))
    }

    #[test]
    fn data_and_copies_beyond_what_there_is_are_a_risk() {
        let found = check(&info(1_500_000_000));
        assert!(
            found[0].claim.contains("copied 1.5 GB on top"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Risk, Confidence::Possible)]);
    }

    #[test]
    fn the_log_tells_the_peak_of_earlier_saves() {
        let line = "4712:C 23 Nov 2026 02:58:06.647 * Fork CoW for RDB: current 61 MB, peak 1800 MB, average 400 MB\n";
        let found = check(&together([info(1_000), log(line)]));
        assert!(found[0].claim.contains("1.9 GB"), "{}", found[0].claim);
        let old =
            "4712:C 23 Nov 2026 02:58:06.647 * RDB: 1800 MB of memory used by copy-on-write\n";
        assert_eq!(check(&together([info(1_000), log(old)])).len(), 1);
    }

    #[test]
    fn small_copies_are_in_order_and_without_a_host_nothing_is_said() {
        assert_eq!(verdicts(check(&info(100_000_000))), []);
        let unknown = "# Memory\nused_memory_rss:6000000000\nrdb_last_cow_size:9000000000\n";
        assert_eq!(verdicts(check(&pasted(unknown))), []);
    }
}
