//! Sentinel does nothing, since its own clock or host is not to be trusted.

use crate::evidence;
use crate::facts::{Facts, times};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

const TILT: Text = Text::server("#tilt mode entered");

pub(super) const RULE: Rule = Rule {
    code: Code(823),
    title: "Sentinel was in TILT mode and failed nobody over",
    explanation: "Sentinel's timer should run ten times a second. Where more than two seconds lie between two runs, or time \
went backwards, it trusts nothing for thirty seconds: it watches on, and acts on nothing. Its host stalls or its clock is set; a \
slow name service (resolve-hostnames) and a slow disk under its configuration file stall it as well.",
    messages: &[],
    needs: &[Need::ServerLog, Need::Server],
    brings: &[],
    texts: &[TILT],
    sources: &[
        "redis: sentinel.c sentinelCheckTiltCondition",
        "redis#10547",
        "redis#13185",
    ],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for (source, lines) in evidence::by_source(facts, &[TILT]) {
        let finding = evidence::finding(&RULE, Verdict::Contributing, Confidence::Proved, &lines)
            .struck(&*source);
        let when = evidence::when(finding.window);
        found.push(advised(finding.claims(format!(
            "{source} entered TILT {}{when}: for thirty seconds each time it would have failed nobody over.",
            times(lines.len())
        ))));
    }
    for look in &facts.looks {
        if look.number("sentinel_tilt") == Some(1) {
            let since = look.number("sentinel_tilt_since_seconds");
            let since = since.map_or_else(String::new, |seconds| format!(" since {seconds} s"));
            let finding = Finding::new(
                RULE.code,
                RULE.title,
                Verdict::Contributing,
                Confidence::Proved,
            )
            .at(look.at)
            .struck(&*look.source)
            .claims(format!(
                "{} is in TILT now{since}: it fails nobody over.",
                look.source
            ))
            .supported(look.place("INFO"), format!("sentinel_tilt:1{since}"));
            found.push(advised(finding));
        }
    }
    found
}

fn advised(finding: Finding) -> Finding {
    finding
        .fix("give Sentinel a processor that is not throttled, addresses instead of names (or a fast name service), and a local disk for its configuration", "", "")
        .fix("nothing should send it SENTINEL SET every few seconds: each rewrites its configuration", "", "")
        .checked_by("no such line for a week; sentinel_tilt:0 in INFO sentinel")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, pasted, verdicts};

    /// Sentinel 7.0.15 after three seconds of SIGSTOP.
    const LINE: &str = "2012:X 28 Nov 2026 23:41:34.264 # +tilt #tilt mode entered\n2012:X 28 Nov 2026 23:42:04.285 # -tilt #tilt mode exited\n";

    #[test]
    fn the_line_and_the_field_are_told() {
        let found = check(&log(LINE));
        assert!(
            found[0].claim.contains("TILT once at 2026-11-28T23:41:34"),
            "{}",
            found[0].claim
        );
        assert_eq!(
            verdicts(found),
            [(Verdict::Contributing, Confidence::Proved)]
        );
        let info = "redis_mode:sentinel\nsentinel_masters:1\nsentinel_tilt:1\nsentinel_tilt_since_seconds:12\n";
        assert_eq!(check(&pasted(info)).len(), 1);
        assert_eq!(
            verdicts(check(&pasted(&info.replace("tilt:1", "tilt:0")))),
            []
        );
    }

    #[test]
    fn leaving_it_alone_is_not_entering_it() {
        let (_, exit) = LINE.split_once('\n').expect("two lines");
        assert_eq!(verdicts(check(&log(exit))), []);
    }
}
