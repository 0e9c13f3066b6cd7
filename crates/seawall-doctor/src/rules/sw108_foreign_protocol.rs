//! Something that speaks another protocol connects.

use std::collections::BTreeSet;

use crate::facts::{Facts, Line};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

pub(super) const RULE: Rule = Rule {
    code: Code(108),
    title: "something that does not speak Redis connects to the port",
    explanation: "HTTP on the port of Redis is mostly a load balancer's or Kubernetes' health check, else a scanner: the server \
closes it and warns of an attack. Plain text on a port of TLS is mostly a probe, an exporter or Sentinel without TLS. Neither \
breaks the application's connections; where it is the application itself, its URL has the wrong scheme.",
    messages: &["wrong version number", "Connection reset by peer"],
    needs: &[Need::ServerLog],
    brings: &[],
    sources: &["redis: networking.c, tls.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    let http: Vec<_> = facts
        .lines(|line| matches!(line, Line::SpokeHttp).then_some(()))
        .collect();
    if let Some((first, ())) = http.first() {
        let mut finding = Finding::new(RULE.code, format!("{} (HTTP)", RULE.title), Verdict::Risk, Confidence::Possible)
            .claims(format!("{} connections spoke HTTP and were closed.", http.len()))
            .supported(first.place.clone(), "possible security attack: POST or Host: commands")
            .fix("a tcpSocket or exec probe (redis-cli PING) instead of httpGet; if nobody probes: a firewall in front", "", "");
        for (fact, ()) in &http {
            finding = finding.at(fact.at);
        }
        found.push(finding);
    }
    let plain: Vec<_> = facts
        .lines(|line| match line {
            Line::TlsMismatch(addr) => Some(addr),
            _ => None,
        })
        .collect();
    if let Some((first, _)) = plain.first() {
        let hosts: BTreeSet<_> = plain
            .iter()
            .map(|(_, addr)| {
                addr.rsplit_once(':')
                    .map_or(addr.as_str(), |(host, _)| host)
            })
            .collect();
        let mut finding = Finding::new(
            RULE.code,
            format!("{} (no TLS)", RULE.title),
            Verdict::Cause,
            Confidence::Proved,
        )
        .claims(format!(
            "{} connections failed their TLS handshake. Proved: the log names who.",
            plain.len()
        ))
        .supported(first.place.clone(), "error accepting a client connection")
        .fix(
            "rediss:// in the URL of whoever that is; redis-cli --tls for a probe",
            "",
            "",
        )
        .checked_by("the line does not come again");
        for host in hosts {
            finding = finding.struck(host);
        }
        for (fact, _) in &plain {
            finding = finding.at(fact.at);
        }
        found.push(finding);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, verdicts};

    #[test]
    fn http_is_a_risk_and_no_cause() {
        let line = "9:M 23 Nov 2026 02:58:11.042 # Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to Redis.\n";
        assert_eq!(
            verdicts(check(&log(line))),
            [(Verdict::Risk, Confidence::Possible)]
        );
    }

    #[test]
    fn plain_text_on_a_port_of_tls_names_who() {
        let line = "9:M 23 Nov 2026 02:58:11.042 # Error accepting a client connection: error:0A00010B:SSL routines::wrong version number (addr=10.0.0.7:51234 laddr=10.0.0.2:6379)\n";
        let found = check(&log(line));
        assert_eq!(found[0].whom(), "10.0.0.7");
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
    }
}
