//! The host's sockets had no memory left.

use crate::evidence;
use crate::facts::{Facts, Failure, times};
use crate::finding::Finding;
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

const TCP: Text = Text::kernel("out of memory -- consider tuning tcp_mem");
const ALL: &[Text] = &[TCP];

/// How a call fails by it.
const FELT: &[Failure] = &[
    Failure::ReadTimeout,
    Failure::WriteFailed,
    Failure::Reset,
    Failure::Closed,
    Failure::ConnectTimeout,
];

/// A timeout is told when it ends: so long after.
const AROUND_S: i64 = 60;

pub(super) const RULE: Rule = Rule {
    code: Code(955),
    title: "the kernel had no memory left for sockets",
    explanation: "All sockets of a host together may hold so much unread and unsent data (net.ipv4.tcp_mem). Above it the kernel drops \
packets and resets connections. Mostly one program leaves megabytes unread in many sockets.",
    messages: &["Connection reset by peer", "Timeout reading from"],
    needs: &[Need::Kernel],
    brings: &[],
    texts: ALL,
    sources: &["linux: net/ipv4/tcp.c tcp_check_oom"],
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
            .claims(format!("The kernel told {}{when} that sockets had used up its memory for them: packets are dropped, connections reset.", times(lines.len())))
            .fix("find who does not read: ss -tmp | sort by Recv-Q; it has a bug or too much to do", "", "")
            .fix("sysctl -w net.ipv4.tcp_mem='<four times the old three numbers>'", "that many pages of memory", "sysctl -w net.ipv4.tcp_mem='<old>'")
            .checked_by("mem of the TCP line in /proc/net/sockstat stays below the second number of tcp_mem"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Confidence, Verdict};
    use crate::testing::{application, kernel, verdicts};

    const LINE: &str =
        "2026-11-23T02:58:11+0000 host kernel: TCP: out of memory -- consider tuning tcp_mem\n";

    #[test]
    fn calls_that_failed_beside_it_make_it_the_cause() {
        let mut facts = kernel(LINE);
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Risk, Confidence::Possible)]
        );
        facts.add(application(
            "2026-11-23T02:58:14Z redis.exceptions.TimeoutError: Timeout reading from cache:6379\n",
        ));
        let found = check(&facts);
        assert!(
            found[0].claim.contains("used up its memory"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
    }

    #[test]
    fn failures_of_another_hour_and_other_lines_are_not_its_doing() {
        let mut facts = kernel(LINE);
        facts.add(application(&"2026-11-23T02:58:14Z redis.exceptions.TimeoutError: Timeout reading from cache:6379\n".replace("T02:", "T09:")));
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
