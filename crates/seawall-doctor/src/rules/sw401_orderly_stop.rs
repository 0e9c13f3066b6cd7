//! The server was told to end.

use crate::container::News;
use crate::facts::{Facts, Line};
use crate::finding::{Confidence, Finding, Verdict};
use crate::lives;
use crate::rule::{Code, Need, Rule};

pub(super) const RULE: Rule = Rule {
    code: Code(401),
    title: "Redis was told to stop",
    explanation: "A signal (systemd, Kubernetes, `docker stop`, a package upgrade) or SHUTDOWN ended the server in order. \
Clients see an end of stream on every connection, then refused connections, then perhaps LOADING. The kernel's OOM killer \
sends no such signal: its victim says no farewell.",
    messages: &[
        "Connection closed by server",
        "Connection refused",
        "Socket closed unexpectedly",
    ],
    needs: &[Need::ServerLog],
    brings: &[Code(101), Code(406), Code(410), Code(821)],
    texts: &lives::PORTS,
    sources: &["redis: server.c sigShutdownHandler"],
    check,
    ..Rule::PLAIN
};

/// What runs a container waits so long for its end, in seconds, and says that it asks before.
const ASKED_BEFORE_S: f64 = 120.0;

fn check(facts: &Facts) -> Vec<Finding> {
    let farewells = facts.lines(|line| matches!(line, Line::Farewell).then_some(()));
    let mut found = Vec::new();
    for (farewell, ()) in farewells {
        let of_it = |fact: &&crate::facts::Fact<crate::facts::ServerLine>| {
            fact.what.pid == farewell.what.pid && fact.at <= farewell.at
        };
        let signal = facts
            .lines(|line| match line {
                Line::Signalled(signal) => Some(signal.as_str()),
                _ => None,
            })
            .filter(|(fact, _)| of_it(fact))
            .last();
        let pid = farewell
            .what
            .pid
            .map_or_else(String::new, |pid| format!("process {pid}"));
        let (title, told) = match signal {
            Some((_, signal)) => (
                format!("{} ({signal})", RULE.title),
                format!("a signal ({signal})"),
            ),
            None => (
                format!("{} (SHUTDOWN)", RULE.title),
                "SHUTDOWN, from a client".to_owned(),
            ),
        };
        let mut finding = Finding::new(RULE.code, title, Verdict::Cause, Confidence::Proved)
            .at(farewell.at)
            .claims(format!(
                "The server ({pid}) ended in order after {told}. Proved: it said its farewell."
            ))
            .supported(farewell.place.clone(), "ready to exit, bye bye");
        // The signal's own line has whole seconds.
        let began = facts
            .lines(|line| matches!(line, Line::ShuttingDown).then_some(()))
            .map(|(fact, ())| fact)
            .filter(of_it)
            .last()
            .or(signal.map(|(fact, _)| fact));
        finding = finding.at(began.and_then(|fact| fact.at));
        if let Some((fact, signal)) = signal {
            finding = finding.supported(fact.place.clone(), format!("received {signal}"));
        }
        let asked = facts.containers.iter().find(|fact| {
            let told = matches!(fact.what.news, News::Stopping { .. } | News::Evicted(_));
            let times = fact.at.zip(farewell.at);
            let before = times.map(|(asked, ended)| asked.seconds_to(ended));
            let near = before.is_some_and(|before| (-5.0..=ASKED_BEFORE_S).contains(&before));
            told && fact.what.container.serves && near
        });
        if let Some(asked) = asked {
            let container = &asked.what.container;
            let why = match &asked.what.news {
                News::Stopping { probe: Some(probe) } => format!("its {probe} probe failed"),
                News::Evicted(lack) => format!("its node had too little: {lack}"),
                _ => "it was told to".to_owned(),
            };
            finding = finding.struck(container.label()).supported(
                asked.place.clone(),
                format!("{} stopped it: {why}", container.runner),
            );
        }
        found.push(
            finding
                .fix("find who sent it: journalctl -u redis-server --since -1h; kubectl describe pod; docker events", "", "")
                .checked_by("uptime_in_seconds of INFO grows past the time between two of these"),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{document, log, verdicts};

    const STOP: &str = "9:signal-handler (1795402691) Received SIGTERM scheduling shutdown...\n\
9:M 23 Nov 2026 02:58:11.142 # User requested shutdown...\n\
9:M 23 Nov 2026 02:58:11.150 # Redis is now ready to exit, bye bye...\n";

    #[test]
    fn a_farewell_after_a_signal_names_the_signal() {
        let found = check(&log(STOP));
        assert!(found[0].title.contains("SIGTERM"), "{}", found[0].title);
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
    }

    #[test]
    fn it_began_when_the_shutdown_did() {
        let window = check(&log(STOP))[0].window.expect("times");
        assert_eq!(window.0.to_string(), "2026-11-23T02:58:11.142Z");
    }

    #[test]
    fn without_a_signal_it_was_shutdown() {
        let (_, without) = STOP.split_once('\n').expect("three lines");
        assert!(check(&log(without))[0].title.contains("SHUTDOWN"));
    }

    #[test]
    fn a_log_that_just_ends_is_no_orderly_stop() {
        let end = STOP
            .find("9:M 23 Nov 2026 02:58:11.150")
            .expect("the farewell");
        assert_eq!(verdicts(check(&log(&STOP[..end]))), []);
    }

    #[test]
    fn kubernetes_event_names_who_sent_the_signal() {
        let mut facts = log(STOP);
        facts.add(document(
            r#"{"kind": "Event", "involvedObject": {"kind": "Pod", "namespace": "shop", "name": "redis-0", "fieldPath": "spec.containers{redis}"},
"reason": "Killing", "message": "Container redis failed liveness probe, will be restarted", "lastTimestamp": "2026-11-23T02:58:10Z"}"#,
        ));
        let found = check(&facts);
        let says: Vec<_> = found[0].supports.iter().map(|one| &one.says).collect();
        assert!(
            says.iter()
                .any(|says| says.contains("liveness probe failed")),
            "{says:?}"
        );
    }
}
