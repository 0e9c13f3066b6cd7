//! What the doctor said, held against the truth.

use std::time::Duration;

use seawall_doctor::finding::{Confidence, Verdict};
use seawall_doctor::{Code, Diagnosis, report};

use crate::case::{Case, Trouble};

/// So many findings an operator reads.
const READ: usize = 3;

/// A finding, in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its code.
    pub code: Code,
    /// What part it has.
    pub verdict: Verdict,
    /// How sure it is.
    pub confidence: Confidence,
}

/// Where the truth stands among what was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It is what is told first.
    First,
    /// It is among the first three.
    AmongThree,
    /// It is told later.
    Later,
    /// It is told as a risk, and not as what happened.
    Risk,
    /// It is not told.
    Nowhere,
}

impl Place {
    /// In a table.
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::AmongThree => "among three",
            Self::Later => "later",
            Self::Risk => "risk only",
            Self::Nowhere => "not told",
        }
    }
}

/// What the doctor said of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What it told, in its order; without what it ruled out.
    pub told: Vec<Told>,
    /// Where the truth stands.
    pub place: Place,
    /// What it called proved causes that are none.
    pub wrongly_proved: Vec<Code>,
    /// What it ruled out although it is the truth.
    pub wrongly_ruled_out: bool,
    /// Its first screen.
    pub screen: String,
}

impl Seen {
    /// Holds a diagnosis against the truth of a case.
    pub(crate) fn of(case: &Case, diagnosis: &Diagnosis) -> Self {
        let told = told(diagnosis);
        let is_cause = |one: &&Told| one.verdict != Verdict::Risk;
        let among = told
            .iter()
            .filter(is_cause)
            .position(|one| case.truth.contains(&one.code));
        let place = match among {
            Some(0) => Place::First,
            Some(place) if place < READ => Place::AmongThree,
            Some(_) => Place::Later,
            None if told.iter().any(|one| case.truth.contains(&one.code)) => Place::Risk,
            None => Place::Nowhere,
        };
        let wrongly_proved = told
            .iter()
            .filter(|one| one.confidence == Confidence::Proved && one.verdict == Verdict::Cause)
            .filter(|one| !case.is_true(one.code))
            .map(|one| one.code)
            .collect();
        let wrongly_ruled_out = diagnosis
            .ruled_out
            .iter()
            .any(|out| case.truth[0] == out.code);
        Self {
            told,
            place,
            wrongly_proved,
            wrongly_ruled_out,
            screen: report::text(diagnosis, false),
        }
    }

    /// What is told first of what happened.
    pub fn first(&self) -> Option<&Told> {
        self.told
            .first()
            .filter(|first| first.verdict != Verdict::Risk)
    }
}

/// What was found, in short.
pub(crate) fn told(diagnosis: &Diagnosis) -> Vec<Told> {
    let short = diagnosis.findings.iter().map(|finding| Told {
        code: finding.code,
        verdict: finding.verdict,
        confidence: finding.confidence,
    });
    short.collect()
}

/// A case that was run.
#[derive(Debug)]
pub struct Ran {
    /// Which.
    pub case: &'static Case,
    /// What came of it.
    pub result: Result<Seen, Trouble>,
    /// How long it took.
    pub took: Duration,
}

impl Ran {
    /// Whether it could not be run here.
    pub fn is_left_out(&self) -> bool {
        matches!(self.result, Err(Trouble::LeftOut(_)))
    }

    /// Whether the doctor told the truth first, and proved nothing that is none.
    pub fn is_right(&self) -> bool {
        self.result.as_ref().is_ok_and(|seen| {
            seen.place == Place::First && seen.wrongly_proved.is_empty() && !seen.wrongly_ruled_out
        })
    }
}
