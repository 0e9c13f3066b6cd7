//! Scripts pile up in the server.

use crate::facts::{Facts, bytes};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

/// MEMORY DOCTOR's own threshold.
const MANY: u64 = 1_000;

pub(super) const RULE: Rule = Rule {
    code: Code(510),
    title: "scripts pile up in the server",
    explanation: "EVAL keeps each script that it has run, by the hash of its text: a text with values in it is another script at each call, \
and none is dropped before 7.4. Arguments belong into KEYS and ARGV. From 7.4 on the oldest go (`evicted_scripts`), and EVALSHA of \
them is answered NOSCRIPT.",
    messages: &["NOSCRIPT No matching script"],
    needs: &[Need::Server],
    sources: &["redis: object.c getMemoryDoctorReport", "redis: eval.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for look in &facts.looks {
        let cached = look.number("number_of_cached_scripts").unwrap_or(0);
        let evicted = look.rose("evicted_scripts").unwrap_or(0);
        let says = if cached > MANY {
            let held = look
                .number("used_memory_scripts")
                .or_else(|| look.number("used_memory_lua"));
            let held = held.map_or_else(String::new, |held| format!(", {} of memory", bytes(held)));
            format!("{cached} scripts are kept{held}")
        } else if evicted > MANY / 10 {
            let rose = look.rose_by("evicted_scripts").unwrap_or_default();
            format!("evicted_scripts {rose}")
        } else {
            continue;
        };
        found.push(
            Finding::new(RULE.code, RULE.title, Verdict::Risk, Confidence::Likely)
                .supported(look.place("INFO"), says.as_str())
                .claims(format!(
                    "{says}: some client puts values into its scripts' texts, and each is another script."
                ))
                .fix("EVALSHA with KEYS and ARGV, one text for all values", "", "")
                .fix(
                    "stop-gap: redis-cli SCRIPT FLUSH ASYNC",
                    "EVALSHA is answered NOSCRIPT until its client loads the script again: most do by themselves",
                    "",
                )
                .checked_by("number_of_cached_scripts of INFO stays as it is"),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{pasted, twice, verdicts};

    #[test]
    fn thousands_of_scripts_are_told_with_what_they_hold() {
        let found = check(&pasted(
            "# Memory\nnumber_of_cached_scripts:41000\nused_memory_scripts:88000000\n",
        ));
        assert!(
            found[0]
                .claim
                .starts_with("41000 scripts are kept, 88.0 MB"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Risk, Confidence::Likely)]);
    }

    #[test]
    fn scripts_that_are_dropped_all_the_time_are_told() {
        let found = check(&twice("evicted_scripts:500", 60, "evicted_scripts:900"));
        assert!(found[0].claim.contains("rose by 400"), "{}", found[0].claim);
    }

    #[test]
    fn a_few_dozen_are_in_order() {
        assert_eq!(
            verdicts(check(&pasted("# Memory\nnumber_of_cached_scripts:40\n"))),
            []
        );
        assert_eq!(
            verdicts(check(&pasted("# Stats\nevicted_scripts:900\n"))),
            []
        );
    }
}
