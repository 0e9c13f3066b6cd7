//! The server cannot accept: it has no file descriptors left.

use crate::evidence::counted;
use crate::facts::{Facts, Line};
use crate::finding::{Confidence, Finding, Verdict};
use crate::hosts;
use crate::rule::{Code, Need, Rule};

pub(super) const RULE: Rule = Rule {
    code: Code(106),
    title: "Redis could not accept connections",
    explanation: "accept() failed, mostly since the process has as many files open as it may. New clients hang or are reset; \
those that are connected go on.",
    messages: &["Timeout connecting to server", "Connection reset by peer"],
    needs: &[Need::ServerLog, Need::Host],
    brings: &[],
    sources: &["redis: anet.c, socket.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    let failed: Vec<_> = facts
        .lines(|line| match line {
            Line::AcceptFailed(why) => Some(why),
            _ => None,
        })
        .collect();
    if let Some((first, why)) = failed.first() {
        let mut finding = Finding::new(
            RULE.code,
            format!("{} ({why})", RULE.title),
            Verdict::Cause,
            Confidence::Proved,
        )
        .claims(format!(
            "accept() failed {}: {why}. Proved: the log says so.",
            counted(failed.len(), "time", "times")
        ))
        .supported(first.place.clone(), why.as_str());
        for (fact, _) in &failed {
            finding = finding.at(fact.at);
        }
        found.push(advised(finding));
    }
    let reduced = facts.lines(|line| match line {
        Line::MaxclientsReduced(to) => Some(*to),
        _ => None,
    });
    if let Some((fact, to)) = reduced.last() {
        let finding = Finding::new(
            RULE.code,
            "the limit of open files made maxclients smaller",
            Verdict::Risk,
            Confidence::Possible,
        )
        .at(fact.at)
        .claims(format!("maxclients is {to}, less than was asked for."))
        .supported(
            fact.place.clone(),
            format!("maxclients has been reduced to {to}"),
        );
        found.push(advised(finding));
    }
    if failed.is_empty() {
        found.extend(full_now(facts));
    }
    found
}

/// Nothing was told yet, and the process has hardly a file left to open.
fn full_now(facts: &Facts) -> Option<Finding> {
    let (host, (open, room)) = hosts::of_servers(facts)
        .find_map(|host| Some((host, hosts::full(host, "open_files", "max_open_files")?)))?;
    let title = "the server has hardly a file left to open";
    let says = format!("{open} of {room} files are open");
    Some(advised(
        Finding::new(RULE.code, title, Verdict::Risk, Confidence::Likely)
            .at(host.at)
            .supported(host.place(), says.as_str())
            .claims(format!(
                "{says}: each connection is one, and the next ones are not accepted."
            )),
    ))
}

fn advised(finding: Finding) -> Finding {
    finding
        .fix("LimitNOFILE=65536 in the unit (systemctl edit redis-server), or docker --ulimit nofile=65536; restart", "", "")
        .checked_by("the line does not come again, and /proc/PID/limits shows room")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, verdicts};

    #[test]
    fn a_failed_accept_is_proof() {
        let line = "9:M 23 Nov 2026 02:58:11.042 # Accepting client connection: accept: Too many open files\n";
        assert_eq!(
            verdicts(check(&log(line))),
            [(Verdict::Cause, Confidence::Proved)]
        );
    }

    #[test]
    fn a_smaller_maxclients_is_a_risk_until_it_is_met() {
        let line = "9:M 23 Nov 2026 02:58:11.042 # Current maximum open files is 1024. maxclients has been reduced to 992 to compensate for low ulimit.\n";
        let found = check(&log(line));
        assert!(found[0].claim.contains("992"));
        assert_eq!(verdicts(found), [(Verdict::Risk, Confidence::Possible)]);
    }

    #[test]
    fn a_process_that_has_hardly_a_file_left_is_a_risk_before_the_log_tells() {
        let host = |open: u64| {
            crate::hosts::testing::host(&format!("open_files: {open}\nmax_open_files: 1024"))
        };
        assert_eq!(
            verdicts(check(&host(1_020))),
            [(Verdict::Risk, Confidence::Likely)]
        );
        assert_eq!(verdicts(check(&host(700))), []);
    }
}
