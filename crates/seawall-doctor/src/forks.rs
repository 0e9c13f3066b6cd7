//! The children that a server forks to save, as its log tells of them.

use std::sync::Arc;

use crate::facts::{Fact, Facts, Failure, Place};
use crate::stamp::Stamp;
use crate::text::{Keeps, Said, Text};

/// It is about to fork for a save, or for a rewrite.
const ABOUT: &[Text] = &[
    Text::server(" seconds. Saving..."),
    Text::server("Starting automatic rewriting of AOF on "),
];

/// It has forked: the line comes once the fork is through.
const FORKED: &[Text] = &[
    Text::server("Background saving started by pid ").keeping(Keeps::Word),
    Text::server("Background append only file rewriting started by pid ").keeping(Keeps::Word),
];

/// A save went well.
const SAVED: Text = Text::server("Background saving terminated with success");

/// For the rule that listens for them.
pub(crate) const TEXTS: &[Text] = &[ABOUT[0], ABOUT[1], FORKED[0], FORKED[1], SAVED];

/// A fork took no longer than this, however large the process.
const LONGEST_MS: u64 = 600_000;

/// A child that was forked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fork {
    /// When it began to run, where that is known.
    pub at: Option<Stamp>,
    /// The child.
    pub child: Option<u64>,
    /// How long the fork itself took, where the log tells when it was about to.
    pub millis: Option<u64>,
    /// Where it stands.
    pub place: Place,
}

/// All of them, in the order of time.
pub(crate) fn forks(facts: &Facts) -> Vec<Fork> {
    let of = |texts: &'static [Text]| texts.iter().flat_map(|text| facts.said(text));
    let about: Vec<_> = of(ABOUT).collect();
    let mut forks: Vec<_> = of(FORKED).map(|fact| fork(fact, &about)).collect();
    forks.sort_by(|one, other| (one.at, &one.place).cmp(&(other.at, &other.place)));
    forks
}

/// Whether a save that failed then harmed nobody, as far as is told, and others have gone well since.
pub(crate) fn is_over(facts: &Facts, failed: Option<Stamp>) -> bool {
    let refused = facts.failures(Failure::SaveFailed).next().is_some();
    let looks = || facts.looks.iter();
    let well = looks().any(|look| look.word("rdb_last_bgsave_status") == Some("ok"));
    let badly = looks().any(|look| look.word("rdb_last_bgsave_status") == Some("err"));
    let since = facts.said(&SAVED).any(|fact| fact.at > failed);
    !refused && !badly && (well || since)
}

fn fork(fact: &Fact<Said>, about: &[&Fact<Said>]) -> Fork {
    let source = |fact: &Fact<Said>| Arc::clone(&fact.place.source);
    let before = about.iter().filter(|before| {
        before.place < fact.place
            && source(before) == source(fact)
            && before.what.pid == fact.what.pid
    });
    let span = before
        .max_by_key(|before| &before.place)
        .and_then(|before| u64::try_from(fact.at?.0.checked_sub(before.at?.0)?).ok());
    Fork {
        at: fact.at,
        child: fact.what.number(),
        millis: span.filter(|millis| *millis < LONGEST_MS),
        place: fact.place.clone(),
    }
}
