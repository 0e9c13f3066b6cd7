//! From facts to a verdict: runs every rule, finds out what brought what about, and ranks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::baseline::{Baseline, Comparison};
use crate::facts::{Cost, Facts, Look, Unseen};
use crate::finding::{Confidence, Evidence, Finding, Verdict};
use crate::managed::Service;
use crate::refusal;
use crate::rule::{Need, Rule};
use crate::stamp::Stamp;
use crate::symptoms;
use crate::timeline::Timeline;
use crate::uptime::{Uptime, uptime};

/// How long after a cause what it brings about may still come, in seconds: a restart's LOADING of a large dataset, a
/// subscriber that notices late.
pub(crate) const WAKE_S: i64 = 600;

/// What the doctor says.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnosis {
    /// Whether the server stayed up.
    pub uptime: Uptime,
    /// What was found, what matters most first; without what was ruled out.
    pub findings: Vec<Finding>,
    /// That calls failed and no cause was found, in words.
    pub unexplained: Option<String>,
    /// What was ruled out.
    pub ruled_out: Vec<Finding>,
    /// What could not be looked at, and what that leaves open.
    pub unseen: Vec<Unseen>,
    /// What was inferred to read the sources.
    pub assumed: Vec<String>,
    /// How many failures the applications' logs tell of, and of how many servers.
    pub failures: u64,
    /// Which kinds of source told anything: a server that let nobody in is not among them.
    pub had: BTreeSet<Need>,
    /// What happened when.
    pub timeline: Timeline,
    /// How it stands to a former one, where whoever had it made has one.
    pub since: Option<Comparison>,
    /// When it was made, where whoever had it made says so.
    pub made: Option<Stamp>,
    /// What the looks at servers cost those servers.
    pub costs: Vec<(Arc<str>, Cost)>,
}

impl Diagnosis {
    /// The finding that is shown first, if anything went wrong. Where calls failed of nobody knows what, that is no mere
    /// consequence.
    pub fn first(&self) -> Option<&Finding> {
        let first = self.findings.first()?;
        let tells = match first.verdict {
            Verdict::Risk => false,
            Verdict::Consequence => self.unexplained.is_none(),
            _ => true,
        };
        tells.then_some(first)
    }

    /// Holds it against a former one.
    pub fn compare(&mut self, former: &Baseline) {
        self.since = Some(former.compared(&Baseline::of(self)));
    }
}

/// Looks at all facts with all rules.
pub fn diagnose(mut facts: Facts) -> Diagnosis {
    facts.sort();
    crate::clocks::align(&mut facts);
    facts.sort();
    let rules = crate::rules();
    let mut all: Vec<Finding> = rules.iter().flat_map(|rule| (rule.check)(&facts)).collect();
    all.sort_by(rank);
    let (mut ruled_out, mut findings): (Vec<_>, Vec<_>) = all
        .into_iter()
        .partition(|finding| finding.verdict == Verdict::RuledOut);
    // What happened was not ruled out by another server's counters.
    ruled_out.retain(|out| findings.iter().all(|finding| finding.code != out.code));
    // Nor does a Sentinel's own INFO rule out anything of the servers that it watches.
    ruled_out.retain(|out| !is_of_sentinel(out, &facts));
    // Nor what may have happened to the process before it: this one's counters begin with it.
    ruled_out.retain(|out| !began_later(out, &facts));
    symptoms::weigh(&mut findings, &facts);
    chain(&mut findings, rules);
    symptoms::attribute(&mut findings, &facts);
    findings.sort_by(rank);
    let unexplained = symptoms::unexplained(&findings, &facts);
    let mut had = facts.had.clone();
    if facts.looks.iter().all(|look| look.info.is_empty()) {
        had.remove(&Need::Server);
    }
    let mut unseen = facts.unseen.clone();
    unseen.sort_by_key(refusal::place);
    unseen.extend(missing(&facts));
    Diagnosis {
        uptime: uptime(&facts),
        findings,
        unexplained,
        ruled_out,
        unseen,
        assumed: facts.assumed.iter().cloned().collect(),
        failures: facts.failures,
        had,
        timeline: Timeline::of(&facts),
        since: None,
        made: None,
        costs: facts.costs(),
    }
}

fn is_of_sentinel(out: &Finding, facts: &Facts) -> bool {
    let sentinels = facts.looks.iter().filter(|look| look.is_sentinel());
    let sources: BTreeSet<_> = sentinels.map(|look| &look.source).collect();
    let of_one = |evidence: &Evidence| sources.contains(&evidence.place.source);
    !out.supports.is_empty() && out.supports.iter().all(of_one)
}

/// Whether the process that speaks against it began only after most calls had failed.
fn began_later(out: &Finding, facts: &Facts) -> bool {
    let failed: Vec<_> = facts.client_log.iter().filter_map(|fact| fact.at).collect();
    let missed_most = |look: &Look| {
        look.began().is_some_and(|began| {
            let before = failed.iter().filter(|at| **at < began).count();
            before * 2 > failed.len()
        })
    };
    let missed = |evidence: &Evidence| {
        let looks = facts.looks.iter().filter(|look| !look.info.is_empty());
        let mut own = looks
            .filter(|look| look.source == evidence.place.source)
            .peekable();
        own.peek().is_some() && own.all(missed_most)
    };
    !out.supports.is_empty() && out.supports.iter().all(missed)
}

/// By verdict, share in what failed, certainty, failed calls, time and code: never by the order in which something was read.
fn rank(left: &Finding, right: &Finding) -> std::cmp::Ordering {
    let key = |finding: &Finding| {
        (
            finding.verdict,
            finding.minor,
            finding.confidence,
            std::cmp::Reverse(finding.explains),
            finding.window,
            finding.code,
        )
    };
    key(left)
        .cmp(&key(right))
        .then_with(|| left.subjects.cmp(&right.subjects))
}

/// A cause in whose wake another one stands, and which brings such a thing about, makes a consequence of it.
fn chain(findings: &mut [Finding], rules: &[&Rule]) {
    let brings: BTreeMap<_, _> = rules.iter().map(|rule| (rule.code, rule.brings)).collect();
    let upstream: Vec<_> = findings
        .iter()
        .filter(|finding| finding.verdict == Verdict::Cause)
        .map(|finding| (finding.code, finding.window, finding.confidence))
        .collect();
    for finding in findings {
        if finding.verdict != Verdict::Cause {
            continue;
        }
        let behind = upstream.iter().filter(|(code, window, confidence)| {
            *code != finding.code
                && brings[code].contains(&finding.code)
                && *confidence <= Confidence::Likely
                && in_wake(*window, finding.window)
        });
        // Of several that are equally sure the one that stands nearest before it.
        let behind = behind.min_by_key(|(code, window, confidence)| {
            (*confidence, std::cmp::Reverse(*window), *code)
        });
        if let Some((code, ..)) = behind {
            finding.verdict = Verdict::Consequence;
            finding.behind = Some(*code);
        }
    }
}

/// Whether the later window lies in the wake of the earlier one. Where a time is unknown, nothing overlaps.
fn in_wake(earlier: Option<(Stamp, Stamp)>, later: Option<(Stamp, Stamp)>) -> bool {
    match (earlier, later) {
        (Some((from, to)), Some((start, end))) => {
            // A client's clock may be some seconds behind the server's.
            end >= from.plus_seconds(-5) && start <= to.plus_seconds(WAKE_S)
        }
        _ => false,
    }
}

/// Which sources were not there, though rules wanted them.
fn missing(facts: &Facts) -> Vec<Unseen> {
    let service = Service::of_all(facts);
    [Need::Server, Need::ServerLog, Need::ClientLog, Need::Kernel]
        .into_iter()
        .filter(|need| !facts.had.contains(need))
        .map(|need| {
            let (what, how) = need.words();
            let open = format!("{} cannot be proved or ruled out", open(need));
            match service.and_then(|service| service.source(need)) {
                Some((why, how)) => Unseen {
                    what: what.to_owned(),
                    why: format!("{why}: {open}"),
                    how: how.to_owned(),
                },
                None => Unseen {
                    what: what.to_owned(),
                    why: format!("not given: {open}"),
                    how: how.to_owned(),
                },
            }
        })
        .collect()
}

/// The rules that a source of that kind alone can prove: the first few by their codes, since there are many.
fn open(need: Need) -> String {
    const NAMED: usize = 2;
    let rules = crate::rules().iter();
    let all: Vec<_> = rules
        .filter(|rule| rule.needs.first() == Some(&need))
        .map(|rule| rule.code.to_string())
        .collect();
    match all.len().checked_sub(NAMED) {
        None | Some(0 | 1) => all.join(", "),
        Some(more) => format!("{} and {more} more", all[..NAMED].join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Reach;
    use crate::testing::application;

    #[test]
    fn a_process_that_began_after_the_calls_had_failed_rules_nothing_out() {
        let ruled_out = |up: u64| {
            let mut facts = application(
                "2026-11-23T02:58:11Z Error 104 while writing to socket. Connection reset by peer.\n",
            );
            let at = Stamp::of((2026, 11, 23), (3, 0, 0), 0);
            let mut look = Look::new("10.0.0.7:6379", at, Reach::Answered);
            for (field, value) in [
                ("rejected_connections", 0),
                ("connected_clients", 3),
                ("uptime_in_seconds", up),
            ] {
                look.info.insert(field.to_owned(), value.to_string());
            }
            facts.looks.push(look);
            let out = diagnose(facts).ruled_out;
            out.iter().any(|out| out.title == "maxclients")
        };
        assert!(ruled_out(9_000));
        assert!(!ruled_out(60));
    }
}
