//! The server was told to stop while it was still loading.

use crate::evidence::{Heard, counted};
use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::startup::{INSISTED, LOADING};

pub(super) const RULE: Rule = Rule {
    code: Code(423),
    title: "Redis was told to stop while it was loading, or told twice, and ended at once",
    explanation: "A server that reads its data ends at once on SIGTERM, and one that is told a second time (`You insist`) ends without \
its last save. Mostly something that supervises it has no patience: a liveness or startup probe shorter than the load, \
TimeoutStartSec of systemd, a deployment's timeout. It will load again, and be stopped again.",
    messages: &[
        "LOADING Redis is loading the dataset in memory",
        "Connection refused",
        "Connection closed by server",
    ],
    needs: &[Need::ServerLog],
    brings: &[Code(101), Code(406), Code(410)],
    texts: &[LOADING, INSISTED],
    sources: &["redis: server.c sigShutdownHandler"],
    check,
};

fn check(facts: &Facts) -> Vec<Finding> {
    let Some(heard) = Heard::of(facts, RULE.texts) else {
        return Vec::new();
    };
    let mut finding = heard.finding(&RULE, Verdict::Cause, Confidence::Proved);
    for pid in heard.processes() {
        finding = finding.struck(format!("process {pid}"));
    }
    let insisted = heard.lines.iter().any(|fact| fact.what.text == INSISTED);
    let lost = if insisted {
        " What was not saved by then is lost."
    } else {
        ""
    };
    vec![
        finding
            .claims(format!("A signal ended the server at once, {}.{lost} Proved: its log says so.", counted(heard.lines.len(), "time", "times")))
            .fix("give the load its time: a startupProbe with failureThreshold times periodSeconds above it (the log's `DB loaded from disk: N seconds`), TimeoutStartSec=infinity in the unit", "a server that hangs while it loads is found later", "the old values")
            .fix("a stop, too: TimeoutStopSec or terminationGracePeriodSeconds of minutes, and one signal", "", "")
            .checked_by("the next start ends with Ready to accept connections"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, verdicts};

    #[test]
    fn a_stop_in_the_middle_of_a_load_is_proof() {
        let found = check(&log(
            "9:signal-handler (1795402691) Received shutdown signal during loading, exiting now.\n",
        ));
        assert_eq!(found[0].whom(), "process 9");
        assert!(!found[0].claim.contains("lost"));
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
    }

    #[test]
    fn who_insists_loses_what_was_not_saved_and_an_orderly_stop_is_another_rules() {
        let found = check(&log(
            "9:signal-handler (1795402691) You insist... exiting now.\n",
        ));
        assert!(found[0].claim.contains("lost"), "{}", found[0].claim);
        let orderly = "9:signal-handler (1795402691) Received SIGTERM scheduling shutdown...\n";
        assert_eq!(verdicts(check(&log(orderly))), []);
    }
}
