//! Several commands at once, for a door that builds replies of its own.

use std::collections::TryReserveError;

use seawall_model::Cause;
use seawall_wire::encode;

use crate::command::{Cmd, Nature};
use crate::error::{Error, Kind};

/// Commands that are packed one behind the other as they are added, and sent in one write.
///
/// As a [`Pipeline`](crate::Pipeline) that keeps no command: what is left is how they go over the wire, and what the
/// engine has to know of all of them together.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    packed: Vec<u8>,
    ends: Vec<usize>,
    /// The name of the first command.
    first: String,
    nature: Option<Nature>,
    nameless: bool,
}

/// What errors and logs call commands that are sent together.
pub(crate) const TOGETHER: &str = "PIPELINE";

/// Above this, the room that a large batch took is given back as it is cleared.
const KEEP_MAX: usize = 64 * 1024;

impl Batch {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a command.
    pub fn push(&mut self, cmd: &Cmd) {
        cmd.pack(&mut self.packed);
        self.pushed(cmd);
    }

    /// As [`push`](Self::push), unless there is no memory for it.
    pub fn try_push(&mut self, cmd: &Cmd) -> Result<(), TryReserveError> {
        cmd.try_pack(&mut self.packed)?;
        self.pushed(cmd);
        Ok(())
    }

    fn pushed(&mut self, cmd: &Cmd) {
        if self.ends.is_empty() {
            self.first.push_str(&cmd.name());
        }
        self.ends.push(self.packed.len());
        let nature = cmd.nature();
        self.nature = Some(match self.nature {
            None => nature,
            Some(before) => before.join(nature),
        });
        self.nameless |= cmd.is_empty();
    }

    /// Forgets its commands, and keeps the room they took.
    pub fn clear(&mut self) {
        self.packed.clear();
        if self.packed.capacity() > KEEP_MAX {
            self.packed = Vec::new();
        }
        self.ends.clear();
        self.first.clear();
        self.nature = None;
        self.nameless = false;
    }

    /// The room that it keeps for its commands, in bytes.
    pub fn room(&self) -> usize {
        self.packed.capacity()
    }

    /// How many commands it has.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// How many bytes go over the wire.
    pub fn bytes(&self) -> usize {
        self.packed.len()
    }

    /// Whether it may go over a connection of the pool like any call: nothing in it changes what later commands on its
    /// connection mean, and the server holds none of it back by its own word.
    pub fn is_plain(&self) -> bool {
        let nature = self.nature();
        !nature.session && nature.blocking.is_none() && !self.nameless
    }

    /// What must not go over a connection of the pool is refused before anything is sent.
    pub(crate) fn refuse_session(&self, endpoint: &str) -> Result<(), Error> {
        let why = if self.is_empty() {
            "the batch has no command"
        } else if self.nature().session || self.nameless {
            "a command in it changes what later commands on its connection mean, or has no name; take a lease for it"
        } else {
            return Ok(());
        };
        let error = Error::new(Kind::Settings, Cause::BadSettings, TOGETHER, endpoint);
        Err(error.with(|report| report.detail = why.into()))
    }

    /// What errors and logs call it: a command that is alone by its own name.
    pub(crate) fn name(&self) -> &str {
        if self.len() == 1 {
            &self.first
        } else {
            TOGETHER
        }
    }

    pub(crate) fn nature(&self) -> Nature {
        self.nature.unwrap_or_else(|| Nature::of(&[]))
    }

    /// The commands from this number on, one by one.
    pub(crate) fn from(&self, first: usize) -> impl Iterator<Item = &[u8]> {
        (first..self.ends.len()).map(|place| {
            let start = if place == 0 { 0 } else { self.ends[place - 1] };
            &self.packed[start..self.ends[place]]
        })
    }

    /// All of it between MULTI and EXEC.
    pub(crate) fn pack_transaction(&self, out: &mut Vec<u8>) {
        encode::command(out, [b"MULTI"]);
        out.extend_from_slice(&self.packed);
        encode::command(out, [b"EXEC"]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(commands: &[&str]) -> Batch {
        let mut batch = Batch::new();
        for command in commands {
            batch.push(&Cmd::new(command));
        }
        batch
    }

    #[test]
    fn what_needs_a_connection_of_its_own_is_not_plain() {
        assert!(batch(&["GET k", "INCR n"]).is_plain());
        for special in ["SELECT 1", "WATCH k", "MULTI", "BLPOP q 0", "SUBSCRIBE c"] {
            assert!(!batch(&["GET k", special]).is_plain(), "{special}");
        }
    }

    #[test]
    fn a_command_that_is_alone_has_its_own_name() {
        let mut batch = batch(&["GET k"]);
        assert_eq!(batch.name(), "GET");
        batch.push(&Cmd::new("INCR n"));
        assert_eq!(batch.name(), TOGETHER);
        batch.clear();
        batch.push(&Cmd::new("INCR n"));
        assert_eq!(batch.name(), "INCR");
    }

    #[test]
    fn what_was_answered_is_left_out_when_the_rest_goes_again() {
        let batch = batch(&["PING", "GET k"]);
        let rest: Vec<&[u8]> = batch.from(1).collect();
        assert_eq!(rest, [b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"]);
    }

    #[test]
    fn a_cleared_batch_remembers_nothing() {
        let mut batch = batch(&["SELECT 1"]);
        batch.clear();
        batch.push(&Cmd::new("PING"));
        assert!(batch.is_plain() && batch.len() == 1 && batch.bytes() == 14);
    }
}
