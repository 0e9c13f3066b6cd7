//! The host had too many sockets that nobody owns.

use crate::evidence;
use crate::facts::{Facts, Failure, times};
use crate::finding::Finding;
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

const ORPHANS: Text = Text::kernel("too many orphaned sockets");
const ALL: &[Text] = &[ORPHANS];

/// How a call fails by it.
const FELT: &[Failure] = &[
    Failure::Reset,
    Failure::Closed,
    Failure::WriteFailed,
    Failure::ReadTimeout,
];

/// A timeout is told when it ends: so long after.
const AROUND_S: i64 = 30;

pub(super) const RULE: Rule = Rule {
    code: Code(956),
    title: "the kernel dropped connections that were still being closed",
    explanation: "A socket that a program has closed while data were still to be sent belongs to the kernel. Above \
net.ipv4.tcp_max_orphans it resets them at once: what was on its way, an answer of Redis's for example, is lost. \
Mostly connections are opened and closed at a great rate.",
    messages: &["Connection reset by peer"],
    needs: &[Need::Kernel],
    brings: &[],
    texts: ALL,
    sources: &["linux: net/ipv4/tcp.c tcp_too_many_orphans"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let Some((lines, finding)) = evidence::felt(facts, &RULE, ALL, FELT, AROUND_S) else {
        return Vec::new();
    };
    let when = evidence::when(finding.window);
    vec![
        finding
            .claims(format!("The kernel told {}{when} that there were too many orphaned sockets, and reset connections that were being closed.", times(lines.len())))
            .fix("find who opens and closes so many (total_connections_received of INFO; ss -s): a pool ends it", "", "")
            .fix("sysctl -w net.ipv4.tcp_max_orphans=<four times as many>", "up to 64 kB of memory each", "sysctl -w net.ipv4.tcp_max_orphans=<old>")
            .checked_by("orphan of the TCP line in /proc/net/sockstat stays below tcp_max_orphans"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Confidence, Verdict};
    use crate::testing::{application, kernel, verdicts};

    const LINE: &str = "2026-11-23T02:58:11+0000 host kernel: TCP: too many orphaned sockets\n";

    #[test]
    fn calls_that_failed_beside_it_make_it_the_cause() {
        let mut facts = kernel(LINE);
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Risk, Confidence::Possible)]
        );
        facts.add(application("2026-11-23T02:58:14Z ConnectionError: Error while reading from cache:6379 : (104, 'Connection reset by peer')\n"));
        let found = check(&facts);
        assert!(
            found[0].claim.contains("too many orphaned sockets"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
    }

    #[test]
    fn failures_of_another_hour_and_other_lines_are_not_its_doing() {
        let mut facts = kernel(LINE);
        facts.add(application(&"2026-11-23T02:58:14Z ConnectionError: Error while reading from cache:6379 : (104, 'Connection reset by peer')\n".replace("T02:", "T09:")));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Risk, Confidence::Possible)]
        );
        assert_eq!(
            verdicts(check(&kernel(
                "2026-11-23T02:58:11+0000 host kernel: TCP: request_sock_TCP: Possible SYN flooding on port 443. Sending cookies.\n"
            ))),
            []
        );
    }
}
