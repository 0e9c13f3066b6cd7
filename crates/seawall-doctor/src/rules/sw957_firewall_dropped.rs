//! A firewall on the host logged packets to Redis that it dropped.

use crate::evidence;
use crate::facts::{Facts, Failure};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

/// A packet to Redis, as the LOG target of iptables and nftables writes it.
const PORT: Text = Text::kernel(" DPT=6379 ");
const TLS_PORT: Text = Text::kernel(" DPT=6380 ");
const BUS_PORT: Text = Text::kernel(" DPT=16379 ");
const PORTS: &[Text] = &[PORT, TLS_PORT, BUS_PORT];

/// What was logged was dropped: a rule that only logs has no such prefix.
const UFW: Text = Text::kernel("[UFW BLOCK]");
const FIREWALLD: Text = Text::kernel("FINAL_REJECT");
const DROPPED: &[Text] = &[UFW, FIREWALLD];

pub(super) const RULE: Rule = Rule {
    code: Code(957),
    title: "a firewall on the host dropped packets to Redis",
    explanation: "ufw, firewalld or a rule of one's own refused packets to Redis's port and wrote them to the kernel's log. \
A client that is not let in waits until its connect times out (DROP) or is refused at once (REJECT); where a rule lets only new \
connections through by a table that was emptied, established ones die silently.",
    messages: &[
        "Timeout connecting to server",
        "connect ETIMEDOUT",
        "Connection refused",
    ],
    needs: &[Need::Kernel],
    brings: &[Code(102)],
    texts: &[PORT, TLS_PORT, BUS_PORT, UFW, FIREWALLD],
    sources: &["linux: nf_log_syslog.c", "ufw"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let dropped: Vec<_> = evidence::lines(facts, DROPPED)
        .iter()
        .map(|fact| &fact.place)
        .collect();
    let lines: Vec<_> = evidence::lines(facts, PORTS)
        .into_iter()
        .filter(|fact| dropped.contains(&&fact.place))
        .collect();
    if lines.is_empty() {
        return Vec::new();
    }
    let finding = evidence::finding(&RULE, Verdict::Contributing, Confidence::Likely, &lines);
    let kinds = [
        Failure::ConnectTimeout,
        Failure::Refused,
        Failure::ReadTimeout,
    ];
    let struck = evidence::beside(facts, finding.window, &kinds, 60);
    let finding = evidence::with_failures(finding, &struck, Confidence::Strong);
    let when = evidence::when(finding.window);
    vec![
        finding
            .claims(format!("The host's firewall refused {} packets to Redis's port{when}: its own log names the port.", lines.len()))
            .fix("read SRC= of these lines: is it an application's host? Then: ufw allow from <its address> to any port 6379 proto tcp (or a rich rule of firewalld)", "that host may connect", "ufw delete allow from <its address> to any port 6379 proto tcp")
            .checked_by("nc -vz HOST 6379 from the application's host; no such line comes again"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, kernel, verdicts};

    const LINE: &str = "2026-11-23T02:58:11+0000 host kernel: [UFW BLOCK] IN=eth0 OUT= MAC=0a:ff SRC=10.0.0.7 DST=10.0.0.2 LEN=60 TOS=0x00 PREC=0x00 TTL=63 ID=4711 DF PROTO=TCP SPT=51234 DPT=6379 WINDOW=64240 RES=0x00 SYN URGP=0\n";

    #[test]
    fn connects_that_time_out_beside_it_make_it_the_cause() {
        assert_eq!(
            verdicts(check(&kernel(LINE))),
            [(Verdict::Contributing, Confidence::Likely)]
        );
        let mut facts = kernel(LINE);
        facts.add(application(
            "2026-11-23T02:58:21Z redis.exceptions.TimeoutError: Timeout connecting to server\n",
        ));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Strong)]
        );
    }

    #[test]
    fn another_port_and_a_rule_that_only_logs_are_silent() {
        assert_eq!(verdicts(check(&kernel(&LINE.replace("6379", "22")))), []);
        assert_eq!(
            verdicts(check(&kernel(&LINE.replace("[UFW BLOCK]", "[UFW AUDIT]")))),
            []
        );
    }
}
