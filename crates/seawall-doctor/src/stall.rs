//! What keeps a server from all its clients for a while, and the calls that timed out meanwhile.

use crate::facts::{ClientLine, Fact, Facts, Failure, Line, Look, Place};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Rule};
use crate::stamp::Stamp;
use crate::text::{Keeps, Text};

/// What is shorter is felt by nobody, in milliseconds.
pub(crate) const FELT_MS: u64 = 100;

/// What a stall brings about: pools run dry, replicas and Sentinels give the server up, a cluster fails over.
pub(crate) const BRINGS: &[Code] = &[
    Code(1),
    Code(804),
    Code(813),
    Code(821),
    Code(822),
    Code(837),
];

/// A Sentinel has no valid answer any more.
pub(crate) const DOWN: Text = Text::server("+sdown master ").keeping(Keeps::Rest);

/// So many seconds around a stall a timeout is its doing: timeouts are told when they end, and clocks differ.
const BEFORE_S: i64 = 1;
const AFTER_S: i64 = 15;

/// A while in which the server did nothing for its clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stall {
    /// When it ended.
    pub at: Stamp,
    /// How long it took.
    pub millis: u64,
    /// Where that stands.
    pub place: Place,
    /// What stands there.
    pub says: String,
}

impl Stall {
    fn began(&self) -> Stamp {
        let millis = i64::try_from(self.millis).unwrap_or(0);
        Stamp(self.at.0.saturating_sub(millis))
    }

    fn holds(&self, at: Stamp) -> bool {
        let from = self.began().plus_seconds(-BEFORE_S);
        (from..=self.at.plus_seconds(AFTER_S)).contains(&at)
    }
}

/// Somebody waited in vain.
struct Felt {
    at: Stamp,
    place: Place,
    says: &'static str,
}

fn felt(facts: &Facts) -> Vec<Felt> {
    let timeouts = facts.failures(Failure::ReadTimeout).filter_map(|fact| {
        Some(Felt {
            at: fact.at?,
            place: fact.place.clone(),
            says: "a call timed out meanwhile",
        })
    });
    let lost = facts.lines(|line| match line {
        Line::ReplicationLost(_) => Some("a replication link was lost meanwhile"),
        _ => None,
    });
    let lost = lost.filter_map(|(fact, says)| {
        Some(Felt {
            at: fact.at?,
            place: fact.place.clone(),
            says,
        })
    });
    let down = facts.said(&DOWN).filter_map(|fact| {
        Some(Felt {
            at: fact.at?,
            place: fact.place.clone(),
            says: "a Sentinel had no answer of it meanwhile",
        })
    });
    timeouts.chain(lost).chain(down).collect()
}

/// Whether a call timed out around one of these.
pub(crate) fn struck(facts: &Facts, stalls: &[Stall]) -> bool {
    let felt = felt(facts);
    let mut all = stalls.iter();
    all.any(|stall| felt.iter().any(|felt| stall.holds(felt.at)))
}

/// A cause if somebody waited in vain around one of them: another log than that of the stall makes it two sources. Else a
/// risk. `None` where there are none.
pub(crate) fn finding(facts: &Facts, rule: &Rule, stalls: &[Stall]) -> Option<Finding> {
    let longest = stalls.iter().max_by_key(|stall| stall.millis)?;
    let felt = felt(facts);
    let pairs: Vec<_> = stalls
        .iter()
        .filter_map(|stall| {
            let mut struck = felt.iter().filter(|felt| stall.holds(felt.at));
            let first = struck.next()?;
            let other = |felt: &&Felt| felt.place.source != stall.place.source;
            Some((
                stall,
                struck
                    .find(other)
                    .filter(|_| !other(&first))
                    .unwrap_or(first),
            ))
        })
        .collect();
    if pairs.is_empty() {
        let finding = Finding::new(rule.code, rule.title, Verdict::Risk, Confidence::Possible)
            .at(Some(longest.began()))
            .at(Some(longest.at))
            .supported(longest.place.clone(), longest.says.as_str());
        return Some(finding);
    }
    let two = |(stall, felt): &(&Stall, &Felt)| stall.place.source != felt.place.source;
    let confidence = if pairs.iter().any(two) {
        Confidence::Strong
    } else {
        Confidence::Likely
    };
    let mut finding = Finding::new(rule.code, rule.title, Verdict::Cause, confidence);
    for (stall, felt) in pairs {
        finding = finding
            .at(Some(stall.began()))
            .at(Some(stall.at))
            .supported(stall.place.clone(), stall.says.as_str())
            .supported(felt.place.clone(), felt.says);
    }
    Some(finding)
}

/// What the latency monitor saw of these events that was long enough to be felt. It is off by default.
pub(crate) fn monitored(facts: &Facts, events: &[&str]) -> Vec<Stall> {
    let looks = facts.looks.iter();
    looks.flat_map(|look| of_monitor(look, events)).collect()
}

fn of_monitor(look: &Look, events: &[&str]) -> Vec<Stall> {
    let known = look
        .latency
        .iter()
        .filter(|event| events.contains(&event.event.as_str()) && event.last_ms >= FELT_MS);
    known
        .map(|event| Stall {
            at: event.at,
            millis: event.last_ms,
            place: look.place("LATENCY"),
            says: format!(
                "{} {} ms at {}, {} ms at the most",
                event.event, event.last_ms, event.at, event.max_ms
            ),
        })
        .collect()
}

/// How long the longest took, as an operator says it.
pub(crate) fn longest(stalls: &[Stall]) -> String {
    let millis = stalls.iter().map(|stall| stall.millis).max().unwrap_or(0);
    if millis < 10_000 {
        format!("{millis} ms")
    } else {
        crate::facts::span(millis / 1_000)
    }
}

/// A call that timed out between the earlier INFO and the look.
pub(crate) fn during<'a>(facts: &'a Facts, look: &Look) -> Option<&'a Fact<ClientLine>> {
    let at = look.at?;
    let span = look.before.as_ref()?.span.as_secs();
    let from = at.plus_seconds(-BEFORE_S - i64::try_from(span).unwrap_or(0));
    let to = at.plus_seconds(AFTER_S);
    facts
        .failures(Failure::ReadTimeout)
        .find(|fact| fact.at.is_some_and(|at| (from..=to).contains(&at)))
}
