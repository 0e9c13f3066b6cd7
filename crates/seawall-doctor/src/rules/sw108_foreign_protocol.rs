//! Something that speaks another protocol connects.

use crate::evidence::{Heard, counted};
use crate::facts::{Facts, Failure, Line, Reach, TlsTrouble};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::Said;
use crate::tls::{self, ACCEPTING};

pub(super) const RULE: Rule = Rule {
    code: Code(108),
    title: "something that does not speak Redis connects to the port",
    explanation: "HTTP on the port of Redis is mostly a load balancer's or Kubernetes' health check, else a scanner: the server \
closes it and warns of an attack. Plain text on a port of TLS is mostly a probe, an exporter or Sentinel without TLS. Neither \
breaks the application's connections; where it is the application itself, its URL has the wrong scheme.",
    messages: &["wrong version number", "Connection reset by peer"],
    needs: &[Need::ServerLog],
    texts: &[ACCEPTING],
    sources: &[
        "redis: networking.c, tls.c",
        "produced on redis-server 7.0.15",
    ],
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
            .claims(format!("{} closed for speaking HTTP.", counted(http.len(), "connection was", "connections were")))
            .supported(first.place.clone(), "possible security attack: POST or Host: commands")
            .fix("a tcpSocket or exec probe (redis-cli PING) instead of httpGet; if nobody probes: a firewall in front", "", "");
        for (fact, ()) in &http {
            finding = finding.at(fact.at);
        }
        found.push(finding);
    }
    found.extend(plain(facts));
    found
}

/// Plain text on a port of TLS: other faults of a handshake have rules of their own.
fn plain(facts: &Facts) -> Option<Finding> {
    let not_tls = |said: &Said| NOT_TLS.iter().any(|words| said.rest.contains(words));
    let heard = Heard::of(facts, &[ACCEPTING]).and_then(|heard| heard.only(not_tls));
    let met = facts
        .looks
        .iter()
        .find(|look| look.reach == Reach::Tls(TlsTrouble::TlsPort));
    if heard.is_none() && met.is_none() {
        return None;
    }
    let hosts = heard.as_ref().map(tls::hosts).unwrap_or_default();
    let broken = facts
        .client_log
        .iter()
        .any(|fact| matches!(fact.what.failure, Failure::Reset | Failure::Closed));
    // Versions before 7.2 do not say who it was.
    let confidence = match (met, hosts.is_empty(), broken) {
        (Some(_), ..) | (None, false, _) => Confidence::Proved,
        (None, true, true) => Confidence::Strong,
        (None, true, false) => Confidence::Likely,
    };
    let title = format!("{} (no TLS)", RULE.title);
    let mut finding = match &heard {
        Some(heard) => heard.finding(&RULE, Verdict::Cause, confidence),
        None => Finding::new(RULE.code, RULE.title, Verdict::Cause, confidence),
    };
    finding.title = title;
    let times = heard.as_ref().map_or(0, |heard| heard.lines.len());
    let connections = counted(times, "connection", "connections");
    let mut claim = match (times, hosts.is_empty()) {
        (0, _) => String::new(),
        (_, true) => format!(
            "{connections} spoke no TLS on a port of TLS; this version of the server does not log whose."
        ),
        (_, false) => {
            let who: Vec<_> = hosts.iter().map(String::as_str).collect();
            format!(
                "{connections} spoke no TLS on a port of TLS, from {}. Proved: the log names who.",
                who.join(", ")
            )
        }
    };
    for host in hosts {
        finding = finding.struck(host);
    }
    if let Some(look) = met {
        claim
            .push_str(" The doctor met it itself: the port speaks TLS, and was spoken to without.");
        finding = finding
            .at(look.at)
            .struck(&*look.source)
            .supported(look.place("connect"), "the port speaks TLS");
    }
    Some(
        finding
            .claims(claim.trim_start())
            .fix(
                "rediss:// in the URL of whoever that is; redis-cli --tls for a probe",
                "",
                "",
            )
            .checked_by("the line does not come again"),
    )
}

/// What OpenSSL says of bytes that are no TLS at all.
const NOT_TLS: [&str; 5] = [
    "wrong version number",
    "http request",
    "unknown protocol",
    "packet length too long",
    "bad record type",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, log, verdicts};

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

    #[test]
    fn a_version_that_does_not_log_whose_is_less_sure() {
        let line = "14025:M 28 Nov 2026 23:43:40.079 # Error accepting a client connection: error:0A00010B:SSL routines::wrong version number (conn: fd=8)\n";
        assert_eq!(
            verdicts(check(&log(line))),
            [(Verdict::Cause, Confidence::Likely)]
        );
        let mut facts = log(line);
        facts.add(application(
            "2026-11-28T23:43:40Z redis.exceptions.ConnectionError: Connection reset by peer\n",
        ));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Strong)]
        );
    }

    #[test]
    fn another_fault_of_a_handshake_is_another_rules() {
        let line = "14025:M 28 Nov 2026 23:43:40.071 # Error accepting a client connection: error:0A000418:SSL routines::tlsv1 alert unknown ca\n";
        assert_eq!(verdicts(check(&log(line))), []);
    }
}
