//! The queue of new connections was full.

use crate::facts::{Facts, KernelLine};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

pub(super) const RULE: Rule = Rule {
    code: Code(107),
    title: "the queue of new connections was full",
    explanation: "More clients connected at once than the server accepted, and its kernel's queue (the lesser of `tcp-backlog` \
and net.core.somaxconn) was full: connects take 1, 3 or 7 s, or time out, while established connections go on. Mostly \
something else made the server slow to accept, or everybody reconnected at once.",
    messages: &["Timeout connecting to server", "connect ETIMEDOUT"],
    needs: &[Need::Kernel],
    brings: &[],
    sources: &[
        "linux: net/ipv4/tcp_input.c",
        "redis: server.c checkTcpBacklogSettings",
    ],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let redis = |port: u16| {
        let port = port.to_string();
        facts
            .looks
            .iter()
            .any(|look| look.info.get("tcp_port") == Some(&port))
    };
    let full: Vec<_> = facts
        .kernel_log
        .iter()
        .filter(|fact| matches!(fact.what, KernelLine::SynFlood { port } if port == 6379 || redis(port)))
        .collect();
    let Some(first) = full.first() else {
        return Vec::new();
    };
    let mut finding = Finding::new(
        RULE.code,
        RULE.title,
        Verdict::Contributing,
        Confidence::Likely,
    )
    .claims("The kernel met more new connections than its queue for this port holds.")
    .supported(first.place.clone(), "possible SYN flooding");
    for fact in &full {
        finding = finding.at(fact.at);
    }
    vec![
        finding
            .fix(
                "sysctl -w net.core.somaxconn=4096, and tcp-backlog 4096 in redis.conf (restart); clients that reconnect with jitter",
                "a little memory",
                "sysctl -w net.core.somaxconn=<old>",
            )
            .checked_by("nstat -az TcpExtListenOverflows stays as it is while everybody reconnects"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{kernel, pasted, verdicts};

    fn line(port: u16) -> String {
        format!(
            "2026-11-23T02:58:11+0000 host kernel: TCP: request_sock_TCP: Possible SYN flooding on port {port}. Sending cookies.\n"
        )
    }

    #[test]
    fn a_port_of_redis_is_told_and_another_is_not() {
        assert_eq!(
            verdicts(check(&kernel(&line(6379)))),
            [(Verdict::Contributing, Confidence::Likely)]
        );
        assert_eq!(verdicts(check(&kernel(&line(443)))), []);
    }

    #[test]
    fn info_tells_which_port_is_redis() {
        let mut facts = kernel(&line(7001));
        facts.add(pasted("# Server\nuptime_in_seconds:9\ntcp_port:7001\n"));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Contributing, Confidence::Likely)]
        );
    }
}
