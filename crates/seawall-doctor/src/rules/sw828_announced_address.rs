//! What the Sentinels announce cannot be reached.

use crate::evidence;
use crate::facts::{Facts, Failure, times};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Text};

const SWITCH: Text = Text::server("+switch-master ").keeping(Keeps::Rest);
const UNRESOLVED: Text = Text::server("Failed to resolve hostname '").keeping(Keeps::Word);
const INVALID: Text = Text::server("+sentinel-invalid-addr ").keeping(Keeps::Rest);

pub(super) const RULE: Rule = Rule {
    code: Code(828),
    title: "the announced address of a server cannot be reached",
    explanation: "Behind Docker, Kubernetes or NAT a server announces the address that it sees of itself, 172.17.0.2 for \
example. Sentinel hands that to clients, and they connect to nothing. With `replica-announce-ip` and `sentinel announce-ip`, or \
`resolve-hostnames` and names, it announces what others can reach.",
    messages: &["Timeout connecting to server", "connect ETIMEDOUT"],
    needs: &[Need::ServerLog, Need::ClientLog],
    brings: &[Code(102), Code(827)],
    texts: &[SWITCH, UNRESOLVED, INVALID],
    sources: &["redis: sentinel.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    let kinds = [
        Failure::ConnectTimeout,
        Failure::Refused,
        Failure::Unreachable,
    ];
    for fact in evidence::lines(facts, &[SWITCH]) {
        let words: Vec<_> = fact.what.rest.split(' ').collect();
        let [_, _, _, host, port, ..] = words[..] else {
            continue;
        };
        let announced = format!("{host}:{port}");
        let struck: Vec<_> = facts
            .client_log
            .iter()
            .filter(|call| {
                kinds.contains(&call.what.failure)
                    && call.what.server.as_deref() == Some(&announced)
            })
            .filter(|call| {
                call.at
                    .zip(fact.at)
                    .is_none_or(|(call, switch)| call >= switch.plus_seconds(-5))
            })
            .collect();
        if struck.is_empty() {
            continue;
        }
        let finding = evidence::finding(&RULE, Verdict::Cause, Confidence::Likely, &[fact])
            .struck(announced.clone());
        let mut finding = evidence::with_failures(finding, &struck, Confidence::Strong);
        for call in &struck {
            finding = finding.at(call.at);
        }
        found.push(advised(finding.claims(format!(
            "Sentinel announced {announced}, and {} connects to it failed after that.",
            struck.len()
        ))));
    }
    for (source, lines) in evidence::by_source(facts, &[UNRESOLVED, INVALID]) {
        let finding = evidence::finding(&RULE, Verdict::Contributing, Confidence::Likely, &lines)
            .struck(&*source);
        found.push(advised(finding.claims(format!(
            "{source} could not make anything of an announced name or address, told {}.",
            times(lines.len())
        ))));
    }
    found
}

fn advised(finding: Finding) -> Finding {
    finding
        .fix("from the application's host: nc -vz HOST PORT with what SENTINEL GET-MASTER-ADDR-BY-NAME says", "", "")
        .fix("redis-cli CONFIG SET replica-announce-ip <address that clients reach>, replica-announce-port on each server; sentinel announce-ip in sentinel.conf", "a wrong value cuts everybody off", "redis-cli CONFIG SET replica-announce-ip ''")
        .fix("with names: sentinel resolve-hostnames yes, sentinel announce-hostnames yes in sentinel.conf", "a slow name service stalls Sentinel", "the same with no")
        .checked_by("a connect to what SENTINEL GET-MASTER-ADDR-BY-NAME says, from the application's host, after a failover drill")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, log, verdicts};

    const SWITCHED: &str =
        "2012:X 23 Nov 2026 02:58:09.959 # +switch-master mymaster 10.0.0.1 6379 172.17.0.3 6379\n";

    #[test]
    fn connects_to_the_announced_address_that_fail_are_strong() {
        let mut facts = log(SWITCHED);
        assert_eq!(verdicts(check(&facts)), []);
        facts.add(application(
            "2026-11-23T02:58:20Z Error 111 connecting to 172.17.0.3:6379. Connection refused.\n",
        ));
        let found = check(&facts);
        assert_eq!(found[0].whom(), "172.17.0.3:6379");
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
    }

    #[test]
    fn a_connect_to_the_old_one_or_before_the_switch_is_the_failovers() {
        let mut facts = log(SWITCHED);
        facts.add(application("2026-11-23T02:58:20Z Error 111 connecting to 10.0.0.1:6379. Connection refused.\n2026-11-23T02:50:20Z Error 111 connecting to 172.17.0.3:6379. Connection refused.\n"));
        assert_eq!(verdicts(check(&facts)), []);
    }

    #[test]
    fn a_name_without_an_address_is_told() {
        let line = "2012:X 23 Nov 2026 02:58:09.959 # Failed to resolve hostname 'redis-1'\n";
        assert_eq!(
            verdicts(check(&log(line))),
            [(Verdict::Contributing, Confidence::Likely)]
        );
    }
}
