//! One run of the simulation: a schedule goes in, what became of it comes out.

mod calls;
mod check;
mod pool;
mod schedule;
mod server;
mod shrink;
mod tender;
mod trips;
mod world;

pub(crate) use check::{Broken, End, Rule};
pub(crate) use schedule::{CallAt, Fault, FaultAt, Schedule};
pub(crate) use shrink::shortest;
pub(crate) use world::{Outcome, run};

/// A policy broken on purpose, to prove that the simulation would notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// The policies as they are.
    None,
    /// Every command is taken for a read, and sent again.
    ResendsWrites,
    /// Retries are paid from an account of twice the size.
    DoubleBudget,
    /// Retries are not paid for at all.
    RetriesForFree,
    /// What a lost connection took along is carried over without answers to pay for it.
    CarriesForFree,
    /// Nothing ever looks whether the server is back.
    NeverProbes,
    /// A lost connection is taken for a failed probe.
    JumpsToConclusions,
    /// The last to come is served first.
    LastComeFirstServed,
    /// The waiting room has no limit.
    EndlessWaitingRoom,
    /// Nobody looks at the clock while a reply is owed.
    ForgetsDeadlines,
    /// Whether a later write left is asked when the attempt failed, and not again when the retry leaves.
    LooksForLaterWritesOnce,
    /// Dials are not counted.
    DialsAtWill,
    /// Probes follow each other without a pause.
    ProbesWithoutPause,
}

impl Flaw {
    /// Every flaw, with the rule that must catch it and the number of entries its shortest schedule may have.
    pub(crate) const ALL: &[(Self, Rule, usize)] = &[
        (Self::ResendsWrites, Rule::NothingRunsTwice, 3),
        (Self::DoubleBudget, Rule::RetriesWithinBudget, 12),
        (Self::RetriesForFree, Rule::RetriesArePaidFor, 4),
        (Self::CarriesForFree, Rule::CarriedWithinAnswers, 60),
        (Self::NeverProbes, Rule::ComesBack, 3),
        (Self::JumpsToConclusions, Rule::KillsAreNoOutage, 4),
        (Self::LastComeFirstServed, Rule::FirstComeFirstServed, 3),
        (Self::EndlessWaitingRoom, Rule::WaitersAreBounded, 60),
        (Self::ForgetsDeadlines, Rule::EndsByDeadline, 4),
        (Self::LooksForLaterWritesOnce, Rule::NothingRunsTwice, 5),
        (Self::DialsAtWill, Rule::DialsAreBounded, 8),
        (Self::ProbesWithoutPause, Rule::ProbesArePaced, 3),
    ];
}
