//! The lines that a rule listens for, and what findings are made of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::facts::{ClientLine, Fact, Facts, Failure};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::Rule;
use crate::stamp::Stamp;
use crate::text::{Said, Text};

/// The lines in which any of these texts stands, in the order of their times: each once, whatever else of them stands in it.
pub(crate) fn lines<'a>(facts: &'a Facts, texts: &[Text]) -> Vec<&'a Fact<Said>> {
    let mut lines: Vec<_> = facts
        .said
        .iter()
        .filter(|fact| texts.contains(&fact.what.text))
        .collect();
    // Of several the one of which most is kept.
    lines.sort_by_key(|fact| {
        (
            fact.at,
            &fact.place,
            std::cmp::Reverse(fact.what.kept()),
            &fact.what,
        )
    });
    lines.dedup_by_key(|fact| &fact.place);
    lines
}

/// The same, source by source: what recurs recurs in one log.
pub(crate) fn by_source<'a>(
    facts: &'a Facts,
    texts: &[Text],
) -> BTreeMap<Arc<str>, Vec<&'a Fact<Said>>> {
    let mut sources: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for fact in lines(facts, texts) {
        let source = Arc::clone(&fact.place.source);
        sources.entry(source).or_default().push(fact);
    }
    sources
}

/// The lines in which one of a rule's texts stands, by time.
pub(crate) struct Heard<'a> {
    pub(crate) lines: Vec<&'a Fact<Said>>,
}

impl<'a> Heard<'a> {
    /// `None` where none of them was said.
    pub(crate) fn of(facts: &'a Facts, texts: &[Text]) -> Option<Self> {
        Self::from(lines(facts, texts))
    }

    fn from(lines: Vec<&'a Fact<Said>>) -> Option<Self> {
        (!lines.is_empty()).then_some(Self { lines })
    }

    /// Those of them that `keep` picks.
    pub(crate) fn only(self, keep: impl Fn(&Said) -> bool) -> Option<Self> {
        let lines = self.lines.into_iter().filter(|fact| keep(&fact.what));
        Self::from(lines.collect())
    }

    pub(crate) fn first(&self) -> &'a Fact<Said> {
        self.lines[0]
    }

    pub(crate) fn last(&self) -> &'a Fact<Said> {
        self.lines[self.lines.len() - 1]
    }

    /// A finding that each of them supports, by its own words.
    pub(crate) fn finding(&self, rule: &Rule, verdict: Verdict, confidence: Confidence) -> Finding {
        finding(rule, verdict, confidence, &self.lines)
    }

    /// The processes that said it, where the lines tell.
    pub(crate) fn processes(&self) -> BTreeSet<u32> {
        self.lines.iter().filter_map(|fact| fact.what.pid).collect()
    }
}

/// What the server's log told, which is proof; where it told nothing, what clients did.
pub(crate) fn surest<'a>(
    server: Option<Heard<'a>>,
    client: Option<Heard<'a>>,
) -> Option<(Heard<'a>, Confidence)> {
    let proved = server.map(|server| (server, Confidence::Proved));
    proved.or_else(|| Some((client?, Confidence::Likely)))
}

/// A finding that these lines speak for, at their times. Claim and advice are the rule's.
pub(crate) fn finding(
    rule: &Rule,
    verdict: Verdict,
    confidence: Confidence,
    lines: &[&Fact<Said>],
) -> Finding {
    with(
        Finding::new(rule.code, rule.title, verdict, confidence),
        lines,
    )
}

/// Adds what these lines say, and of whom.
pub(crate) fn with(finding: Finding, lines: &[&Fact<Said>]) -> Finding {
    lines.iter().fold(finding, |finding, fact| {
        let says = said(&fact.what);
        let finding = finding.at(fact.at);
        match &fact.what.peer {
            Some(peer) => finding
                .struck(peer.label())
                .supported(fact.place.clone(), format!("{says}: {}", peer.label())),
            None => finding.supported(fact.place.clone(), says),
        }
    })
}

/// A line as it was said, as far as it is kept.
fn said(line: &Said) -> String {
    let words = line.text.words;
    let mut says = format!("{words}{}{}", gap(words), line.rest);
    says.truncate(says.trim_end_matches([' ', ':', ',', '(', '\'']).len());
    says.trim_start().to_owned()
}

fn gap(words: &str) -> &'static str {
    if words.ends_with([' ', '\'', '(', ':']) {
        ""
    } else {
        " "
    }
}

/// The calls that failed in one of these ways, no more than so many seconds from `window`. Where no time is known, none.
pub(crate) fn beside<'a>(
    facts: &'a Facts,
    window: Option<(Stamp, Stamp)>,
    kinds: &[Failure],
    seconds: i64,
) -> Vec<&'a Fact<ClientLine>> {
    let Some((from, to)) = window else {
        return Vec::new();
    };
    let (from, to) = (from.plus_seconds(-seconds), to.plus_seconds(seconds));
    facts
        .client_log
        .iter()
        .filter(|fact| kinds.contains(&fact.what.failure))
        .filter(|fact| fact.at.is_some_and(|at| from <= at && at <= to))
        .collect()
}

/// The lines in which a kernel tells of what it did, and a finding about them: the cause where calls failed beside it, in one
/// of these ways; else a risk, since nobody told that it was felt. `None` where it told of nothing.
pub(crate) fn felt<'a>(
    facts: &'a Facts,
    rule: &Rule,
    texts: &[Text],
    kinds: &[Failure],
    seconds: i64,
) -> Option<(Vec<&'a Fact<Said>>, Finding)> {
    let lines = lines(facts, texts);
    if lines.is_empty() {
        return None;
    }
    let finding = finding(rule, Verdict::Risk, Confidence::Possible, &lines);
    let struck = beside(facts, finding.window, kinds, seconds);
    let finding = with_failures(finding, &struck, Confidence::Strong);
    Some((lines, finding))
}

/// Makes a cause of it, as sure as that, where there are such calls.
pub(crate) fn with_failures(
    mut finding: Finding,
    struck: &[&Fact<ClientLine>],
    confidence: Confidence,
) -> Finding {
    if let Some(first) = struck.first() {
        let says = format!(
            "{} failed beside it, the first here",
            counted(struck.len(), "call", "calls")
        );
        finding = finding.supported(first.place.clone(), says);
        finding.verdict = Verdict::Cause;
        finding.confidence = confidence;
    }
    finding
}

/// How many of these stand within so many seconds of one another, at most; where no time is known, all of them.
pub(crate) fn most_within(lines: &[&Fact<Said>], seconds: i64) -> usize {
    let times: Vec<_> = lines.iter().filter_map(|fact| fact.at).collect();
    if times.len() < lines.len() {
        return lines.len();
    }
    let count = |from: &Stamp| {
        let to = from.plus_seconds(seconds);
        times
            .iter()
            .filter(|at| *from <= **at && **at <= to)
            .count()
    };
    times.iter().map(count).max().unwrap_or(0)
}

/// From the first to the last of a window, for a claim: ` from 02:58:11.042Z to 03:01:00.000Z`.
pub(crate) fn when(window: Option<(Stamp, Stamp)>) -> String {
    match window {
        None => String::new(),
        Some((from, to)) if from == to => format!(" at {from}"),
        Some((from, to)) => format!(" from {from} to {to}"),
    }
}

/// `call was` or `37 calls were`.
pub(crate) fn counted(count: usize, one: &str, many: &str) -> String {
    if count == 1 {
        format!("1 {one}")
    } else {
        format!("{count} {many}")
    }
}
