//! What a borrower of a connection has said, for who wants to say it again.

use seawall_model::{Cause, Provenance, Sent};
use seawall_wire::facts::Replay;

use crate::fork;

/// What has been said since the borrower last began something that he may want to begin again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Talk {
    /// The most careful of what was sent.
    pub(super) replay: Replay,
    /// A reply came that does not prove that its command did not run.
    pub(super) answered: bool,
    /// The server refused a command for its own state, and nothing ran by that.
    pub(super) refused: Option<Cause>,
    /// What the last reply says, if it is an error.
    pub(super) said: Option<Cause>,
    /// A script was sent: its error text proves nothing about what ran.
    pub(super) script: bool,
    /// What the connection's loss proved, if it was lost.
    pub(super) lost: Option<(Cause, Sent)>,
    pub(super) attempts: u32,
    /// In which process it was begun.
    pub(super) generation: u64,
}

impl Talk {
    pub(super) fn begin() -> Self {
        Self {
            replay: Replay::Read,
            answered: false,
            refused: None,
            said: None,
            script: false,
            lost: None,
            attempts: 1,
            generation: fork::generation(),
        }
    }

    /// Given up by who waited for a reply no longer, or did not like what came.
    pub(super) fn given_up_for(&self, owed: bool) -> Cause {
        let said = self.said.filter(|_| !owed);
        self.refused.or(said).unwrap_or(Cause::ReplyTimeout)
    }

    /// What the connection's loss proves of all of it.
    pub(super) fn sent_if_lost(&self, provenance: Provenance) -> Sent {
        if self.answered {
            Sent::Perhaps
        } else {
            provenance.sent_if_aborted()
        }
    }
}

/// The transaction that the borrower is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transaction {
    None,
    /// After WATCH.
    Watching,
    /// After MULTI.
    Queueing,
    /// EXEC, DISCARD or UNWATCH is on its way; once it is answered nothing is left.
    Ending,
}

/// What becomes of a leased connection.
#[derive(Clone, Copy)]
pub(super) enum Fate {
    Return,
    Abandon,
}
