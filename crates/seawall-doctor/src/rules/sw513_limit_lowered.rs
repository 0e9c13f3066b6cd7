//! Somebody set maxmemory below what is used.

use crate::facts::{Facts, Failure, bytes};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Text};

const LOWERED: Text =
    Text::server("the new maxmemory value set via CONFIG SET (").keeping(Keeps::Rest);

/// A write so long after it is refused for it, if nothing else is known.
const AFTER_S: f64 = 600.0;

pub(super) const RULE: Rule = Rule {
    code: Code(513),
    title: "maxmemory was set below what is used",
    explanation: "CONFIG SET maxmemory to less than the server holds takes effect at once: keys are evicted, all in one go, or writes are \
refused. The log warns with both numbers. A forgotten unit (`CONFIG SET maxmemory 4`, `4m` for `4g`) does it.",
    messages: &["OOM command not allowed when used memory > 'maxmemory'"],
    needs: &[Need::ServerLog],
    brings: &[Code(501)],
    texts: &[LOWERED],
    sources: &["redis: config.c updateMaxmemory"],
    check,
};

fn check(facts: &Facts) -> Vec<Finding> {
    let lowered: Vec<_> = facts.said(&LOWERED).collect();
    let Some(last) = lowered.last() else {
        return Vec::new();
    };
    let refused = facts.failures(Failure::OutOfMemory).find(|failure| {
        lowered.iter().any(|fact| match (fact.at, failure.at) {
            (Some(line), Some(told)) => (-5.0..AFTER_S).contains(&line.seconds_to(told)),
            _ => false,
        })
    });
    // The line names what was done and what follows; that it struck somebody, his own log tells.
    let (verdict, confidence) = match refused {
        Some(_) => (Verdict::Cause, Confidence::Proved),
        None => (Verdict::Risk, Confidence::Likely),
    };
    let (limit, used) = numbers(&last.what.rest);
    let says = format!("maxmemory was set to {limit} while {used} were used");
    let mut finding = Finding::new(RULE.code, RULE.title, verdict, confidence)
        .at(last.at)
        .supported(last.place.clone(), says.as_str());
    if let Some(failure) = refused {
        finding = finding
            .at(failure.at)
            .supported(failure.place.clone(), "writes were answered OOM after it");
    }
    vec![
        finding
            .claims(format!(
                "{says}: keys are evicted or writes refused from then on."
            ))
            .fix(
                "redis-cli CONFIG SET maxmemory <what it was: redis.conf has it>",
                "the host must have it, with room for a save's copy-on-write",
                "",
            )
            .checked_by(
                "maxmemory of INFO is what redis.conf says, and errorstat_OOM stays as it is",
            ),
    ]
}

/// `1048576) is smaller than the current memory usage (29080536). This ..`
fn numbers(rest: &str) -> (String, String) {
    let mut numbers = rest
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .map(bytes);
    let mut next = || numbers.next().unwrap_or_else(|| "?".to_owned());
    (next(), next())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, log, together, verdicts};

    /// Of redis-server 7.0.15.
    const LINE: &str = "9:M 23 Nov 2026 02:58:01.410 # WARNING: the new maxmemory value set via CONFIG SET (1048576) is smaller than the current \
memory usage (29080536). This will result in key eviction and/or the inability to accept new write commands depending on the \
maxmemory-policy.\n";

    fn refused(clock: &str) -> Facts {
        application(&format!(
            "2026-11-23T{clock}Z redis.exceptions.OutOfMemoryError: command not allowed when used memory > 'maxmemory'.\n"
        ))
    }

    #[test]
    fn writes_that_are_refused_after_it_make_it_the_cause() {
        let found = check(&together([log(LINE), refused("02:58:11")]));
        assert!(
            found[0].claim.contains("set to 1.0 MB while 29.1 MB"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
    }

    #[test]
    fn writes_that_were_refused_before_it_are_not_its_doing() {
        assert_eq!(
            verdicts(check(&together([log(LINE), refused("02:40:00")]))),
            [(Verdict::Risk, Confidence::Likely)]
        );
        assert_eq!(verdicts(check(&refused("02:58:11"))), []);
    }
}
