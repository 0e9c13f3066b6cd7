//! The server is a 32-bit program.

use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

const WARNED: Text = Text::server("32 bit instance detected but no memory limit set");

pub(super) const RULE: Rule = Rule {
    code: Code(511),
    title: "the server is a 32-bit program, and holds 3 GB at the most",
    explanation: "A 32-bit build cannot address more than 4 GB. Without a limit it sets `maxmemory` to 3 GB with `noeviction` at its start: \
beyond that writes are answered OOM, whatever the host has.",
    messages: &["OOM command not allowed when used memory > 'maxmemory'"],
    needs: &[Need::ServerLog, Need::Server],
    texts: &[WARNED],
    sources: &["redis: server.c initServer"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut finding = Finding::new(RULE.code, RULE.title, Verdict::Risk, Confidence::Possible);
    if let Some(fact) = facts.said(&WARNED).last() {
        let says = "it has set maxmemory to 3 GB itself";
        finding = finding.supported(fact.place.clone(), says);
    }
    let looks = facts.looks.iter();
    for look in looks.filter(|look| look.number("arch_bits") == Some(32)) {
        finding = finding.supported(look.place("INFO"), "arch_bits:32");
    }
    if finding.supports.is_empty() {
        return Vec::new();
    }
    vec![
        finding
            .claims("The server is a 32-bit program: beyond 3 GB writes are refused, whatever the host has.")
            .fix("a 64-bit build: a replica of it takes the data over, then fail over to it", "a failover", "")
            .checked_by("arch_bits:64 in INFO"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, pasted, verdicts};

    #[test]
    fn its_own_warning_or_info_tells() {
        let line = "9:M 23 Nov 2026 02:58:01.042 # Warning: 32 bit instance detected but no memory limit set. Setting 3 GB maxmemory limit with \
'noeviction' policy now.\n";
        assert_eq!(
            verdicts(check(&log(line))),
            [(Verdict::Risk, Confidence::Possible)]
        );
        let found = check(&pasted("redis_version:7.0.15\narch_bits:32\n"));
        assert!(found[0].claim.contains("3 GB"), "{}", found[0].claim);
    }

    #[test]
    fn a_64_bit_program_is_in_order() {
        assert_eq!(
            verdicts(check(&pasted("redis_version:7.0.15\narch_bits:64\n"))),
            []
        );
    }
}
