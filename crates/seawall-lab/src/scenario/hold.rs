use std::time::Duration;

/// What must hold in a scenario beside what always must: answered within [`slack_points`] of what was possible,
/// nothing doubled, lost, mismatched or hung, failures as [`Expect`] says, and the right cause named.
///
/// [`slack_points`]: super::Scenario::slack_points
/// [`Expect`]: super::Expect
#[derive(Clone, Debug, PartialEq)]
pub enum Hold {
    /// The client declares no outage: the server was well throughout.
    NoOutage,
    /// No call fails, not even with the report that it may have run: nothing was broken.
    NoFailures,
    /// The client tells of this at least once, as an event of this kind. One given by `--against` owes it only if a call of
    /// it failed.
    Notes(&'static str),
    /// At least this share of the reads that were possible is answered.
    ReadsAnswered {
        /// In percent.
        percent: f64,
    },
    /// Once the probe sees the server again, the next good answer comes within this time.
    FirstGood(Duration),
    /// The server itself counts no more runs of a command (INFO commandstats) than the lab made calls for it.
    NotRepeated {
        /// The command's name as INFO spells it: `lrange`.
        command: &'static str,
    },
    /// Since its start the server itself counts no more connections of the contender's (INFO stats, less the lab's own) than
    /// the contender runs calls at a time, and so many more.
    OneConnectionPerWorkerAnd(u64),
    /// At least so many of the calls that the lab has cancelled end as cancelled: they were in flight.
    GivesUp {
        /// How many.
        at_least: u64,
    },
    /// The server itself counts no more refused logins (INFO errorstats) than the lab made calls.
    LoginsNotRetried,
}
