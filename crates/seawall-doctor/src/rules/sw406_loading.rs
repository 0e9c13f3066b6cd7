//! The server is still reading its data.

use crate::evidence::counted;
use crate::facts::{Facts, Failure, Line, span};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

pub(super) const RULE: Rule = Rule {
    code: Code(406),
    title: "Redis was loading its data",
    explanation: "After a restart, and after a full resync of a replica, the server answers LOADING until it has read its \
data. What made it restart is the cause. Sentinel takes a loading server for alive: there is no failover meanwhile.",
    messages: &[
        "LOADING Redis is loading the dataset in memory",
        "Redis is loading the dataset in memory",
    ],
    needs: &[Need::ServerLog, Need::Server, Need::ClientLog],
    brings: &[],
    sources: &["redis: server.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let told: Vec<_> = facts.failures(Failure::Loading).collect();
    let now = facts
        .looks
        .iter()
        .find(|look| look.number("loading") == Some(1));
    if told.is_empty() && now.is_none() {
        return Vec::new();
    }
    let mut finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, Confidence::Likely)
        .claims("It answers LOADING until its data are read; what made it restart is the cause.")
        .at_each(told.iter().map(|fact| fact.at));
    if let Some(first) = told.first() {
        finding = finding.supported(
            first.place.clone(),
            format!(
                "{} answered LOADING",
                counted(told.len(), "call was", "calls were")
            ),
        );
    }
    if let Some(look) = now {
        let rest = look
            .number("loading_eta_seconds")
            .map_or_else(String::new, |eta| format!(", {} to go", span(eta)));
        finding.confidence = Confidence::Proved;
        finding = finding
            .at(look.at)
            .supported(look.place("INFO"), format!("loading:1{rest}"));
    }
    let loaded = facts.lines(|line| match line {
        Line::Loaded(millis) => Some(*millis),
        _ => None,
    });
    if let Some((fact, millis)) = loaded.last() {
        finding = finding.supported(
            fact.place.clone(),
            format!("it took {:.1} s to read", millis as f64 / 1_000.0),
        );
        finding.confidence = finding.confidence.min(Confidence::Strong);
    }
    vec![
        finding
            .fix(
                "wait; have clients retry LOADING with a pause for that long",
                "",
                "",
            )
            .fix("a replica that takes over answers meanwhile", "", "")
            .checked_by("loading:0 in INFO"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, log, pasted, verdicts};

    const TOLD: &str = "2026-11-23T02:58:11Z redis.exceptions.BusyLoadingError: Redis is loading the dataset in memory\n";

    #[test]
    fn a_server_that_says_so_now_is_proof() {
        let found = check(&pasted(
            "# Persistence\nloading:1\nloading_eta_seconds:30\n",
        ));
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
    }

    #[test]
    fn clients_and_the_log_together_are_strong() {
        let mut facts = application(TOLD);
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Likely)]
        );
        facts.add(log(
            "9:M 23 Nov 2026 02:58:12.042 * DB loaded from disk: 3.250 seconds\n",
        ));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Strong)]
        );
    }

    #[test]
    fn a_load_that_nobody_met_is_none() {
        assert_eq!(
            verdicts(check(&log(
                "9:M 23 Nov 2026 02:58:12.042 * DB loaded from disk: 3.250 seconds\n"
            ))),
            []
        );
    }
}
