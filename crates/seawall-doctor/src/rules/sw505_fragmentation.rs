//! The server takes much more of the host than it uses.

use crate::facts::{Facts, Look, bytes};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

/// A ratio alone lies about a small server.
const USED_FLOOR: u64 = 100_000_000;
const RATIO: f64 = 1.5;

pub(super) const RULE: Rule = Rule {
    code: Code(505),
    title: "the server takes much more memory of the host than it uses",
    explanation: "`used_memory_rss` far above `used_memory`: the allocator holds pages of which small parts are in use (fragmentation, after \
many values changed their size), or what a peak left behind. `maxmemory` does not see it, the kernel's OOM killer does. On a small \
server the ratio means nothing.",
    messages: &[],
    needs: &[Need::Server],
    sources: &["redis: object.c getMemoryDoctorReport", "redis#4743"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    facts.looks.iter().filter_map(of).collect()
}

fn of(look: &Look) -> Option<Finding> {
    let used = look
        .number("used_memory")
        .filter(|used| *used > USED_FLOOR)?;
    let resident = look.number("used_memory_rss")?;
    let waste = resident.saturating_sub(used);
    let of = look.number("maxmemory").filter(|limit| *limit > 0);
    let ratio = resident as f64 / used as f64;
    if ratio <= RATIO || waste.saturating_mul(10) <= of.unwrap_or(used) {
        return None;
    }
    let says = format!(
        "{} of the host's memory for {} in use, {ratio:.1} times as much",
        bytes(resident),
        bytes(used)
    );
    let peak = look.number("used_memory_peak").unwrap_or(0);
    let finding = Finding::new(RULE.code, RULE.title, Verdict::Risk, Confidence::Likely)
        .supported(look.place("INFO"), says.as_str());
    let finding = if peak as f64 > used as f64 * RATIO {
        let left = format!(
            "its peak was {}: the rest of that was not given back",
            bytes(peak)
        );
        finding
            .supported(look.place("INFO"), left.as_str())
            .claims(format!("{says}; {left}."))
    } else {
        finding.claims(format!(
            "{says}: the allocator holds pages that are used in part."
        ))
    };
    let on = look.is_on("activedefrag") == Some(true);
    let finding = finding.fix(
        "redis-cli MEMORY PURGE",
        "the server answers nothing while it gives pages back: some ms for each GB",
        "",
    );
    let finding = if on {
        finding
    } else {
        finding.fix(
            "redis-cli CONFIG SET activedefrag yes",
            "it takes up to a quarter of the server's time (active-defrag-cycle-max) as long as it runs",
            "redis-cli CONFIG SET activedefrag no",
        )
    };
    Some(
        finding
            .fix("restart a replica and fail over to it", "a failover", "")
            .checked_by("mem_fragmentation_bytes of INFO falls by half"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{pasted, verdicts};

    fn info(used: u64, resident: u64, peak: u64) -> Facts {
        pasted(&format!(
            "# Memory\nused_memory:{used}\nused_memory_rss:{resident}\nused_memory_peak:{peak}\nmaxmemory:0\n"
        ))
    }

    #[test]
    fn pages_that_are_used_in_part_and_a_peaks_leavings_are_told_apart() {
        let found = check(&info(2_000_000_000, 4_200_000_000, 2_100_000_000));
        assert!(found[0].claim.contains("4.2 GB"), "{}", found[0].claim);
        assert!(
            found[0].claim.contains("used in part"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Risk, Confidence::Likely)]);
        let found = check(&info(2_000_000_000, 4_200_000_000, 4_000_000_000));
        assert!(
            found[0].claim.contains("its peak was 4.0 GB"),
            "{}",
            found[0].claim
        );
    }

    #[test]
    fn a_small_server_and_an_ordinary_one_are_in_order() {
        assert_eq!(verdicts(check(&info(900_000, 9_000_000, 900_000))), []);
        assert_eq!(
            verdicts(check(&info(2_000_000_000, 2_400_000_000, 2_000_000_000))),
            []
        );
        assert_eq!(
            verdicts(check(&pasted("# Memory\nused_memory:2000000000\n"))),
            []
        );
    }
}
