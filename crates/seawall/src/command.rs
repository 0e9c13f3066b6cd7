//! A command as the application writes it.

use std::borrow::Cow;
use std::collections::TryReserveError;
use std::time::Duration;

use seawall_model::{Cause, Moment};
use seawall_policy::deadline;
use seawall_wire::encode;
use seawall_wire::error::ServerError;
use seawall_wire::facts::{
    self, Access, Blocking, Classified, CommandFacts, MissAnswer, Replay, SessionEffect,
};

use crate::error::{Error, Kind};
use crate::link::cause;
use crate::link::connection::Connection;
use crate::link::recent::Writes;

/// One command and its arguments, packed as they are added.
///
/// ```
/// use seawall::Cmd;
/// let cmd = Cmd::new("SET").arg("greeting").arg("hello").arg("EX").arg(60);
/// assert_eq!(cmd.name(), "SET");
/// assert_eq!(cmd.len(), 5);
/// ```
#[derive(Clone)]
pub struct Cmd {
    data: Vec<u8>,
    ends: Vec<usize>,
}

impl Cmd {
    /// A command by its name; a name of several words (`"CLIENT INFO"`) is split at its spaces.
    pub fn new(name: &str) -> Self {
        let mut cmd = Self {
            data: Vec::with_capacity(48),
            ends: Vec::with_capacity(6),
        };
        for word in name.split(' ').filter(|word| !word.is_empty()) {
            cmd.push(word.as_bytes());
        }
        cmd
    }

    /// Appends one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Arg) -> Self {
        self.push(&arg.bytes());
        self
    }

    /// Appends several arguments.
    #[must_use]
    pub fn args<A: Arg>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        for arg in args {
            self.push(&arg.bytes());
        }
        self
    }

    /// Appends one argument in place.
    pub fn push(&mut self, bytes: &[u8]) {
        self.data.extend_from_slice(bytes);
        self.ends.push(self.data.len());
    }

    /// As [`push`](Self::push), unless there is no memory for it.
    pub fn try_push(&mut self, bytes: &[u8]) -> Result<(), TryReserveError> {
        self.data.try_reserve(bytes.len())?;
        self.push(bytes);
        Ok(())
    }

    /// The command's first word, as written; for logs and errors.
    pub fn name(&self) -> Cow<'_, str> {
        let name = self.get(0).unwrap_or_default();
        // Of the two this is the quick one.
        match std::str::from_utf8(name) {
            Ok(name) => Cow::Borrowed(name),
            Err(_) => String::from_utf8_lossy(name),
        }
    }

    /// How many words it has, its name included.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether it has no word at all.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The word at `index`; 0 is the name.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)?;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        Some(&self.data[start..end])
    }

    /// Its words.
    pub fn words(&self) -> Words<'_> {
        Words { cmd: self, at: 0 }
    }

    /// Forgets its words, and keeps the room they took.
    pub fn clear(&mut self) {
        self.data.clear();
        self.ends.clear();
    }

    /// The room that it keeps for its words, in bytes.
    pub fn room(&self) -> usize {
        self.data.capacity()
    }

    /// The bytes of its words.
    pub fn size(&self) -> usize {
        self.data.len()
    }

    /// Appends the command as it goes over the wire.
    pub fn pack(&self, out: &mut Vec<u8>) {
        out.reserve(self.packed_max());
        encode::command(out, self.words());
    }

    /// As [`pack`](Self::pack), unless there is no memory for it.
    pub fn try_pack(&self, out: &mut Vec<u8>) -> Result<(), TryReserveError> {
        out.try_reserve(self.packed_max())?;
        self.pack(out);
        Ok(())
    }

    /// Queues it on a connection, where it is owed one reply.
    pub(crate) fn queue_on(&self, connection: &mut Connection, now: Moment) {
        connection.queue(now, 1, |out| self.pack(out));
    }

    /// What an error that is the reply to this command says of the server's state, and whether the command may have run all the
    /// same. `None`: it is about the command itself.
    ///
    /// ```
    /// use seawall::{Cause, Cmd};
    ///
    /// let refused = |name| Cmd::new(name).refused(b"OOM command not allowed when used memory > 'maxmemory'.");
    /// assert_eq!(refused("INCR"), Some((Cause::OutOfMemory, false)));
    /// // It may have written before it came to what was refused.
    /// assert_eq!(refused("EVAL"), Some((Cause::OutOfMemory, true)));
    /// assert_eq!(Cmd::new("INCR").refused(b"ERR value is not an integer or out of range"), None);
    /// ```
    pub fn refused(&self, reply: &[u8]) -> Option<(Cause, bool)> {
        let kind = ServerError::parse(reply).kind;
        let cause = cause::of_server(&kind);
        let may_have_run = !cause::surely_did_not_run(&kind, self.nature());
        (cause != Cause::CommandError).then_some((cause, may_have_run))
    }

    fn packed_max(&self) -> usize {
        self.data.len() + 16 * (self.ends.len() + 1)
    }

    /// What must not go over a connection of the pool is refused before anything is sent.
    pub(crate) fn refuse_session(&self, nature: Nature, endpoint: &str) -> Result<(), Error> {
        let why = if self.is_empty() {
            "the command has no name"
        } else if nature.session {
            "it changes what later commands on its connection mean; take a lease for it"
        } else {
            return Ok(());
        };
        let error = Error::new(Kind::Settings, Cause::BadSettings, &self.name(), endpoint);
        Err(error.with(|report| report.detail = why.into()))
    }

    pub(crate) fn nature(&self) -> Nature {
        // Most commands have few words: no need to ask the allocator.
        const FEW: usize = 8;
        if self.len() > FEW {
            return Nature::of(&self.words().collect::<Vec<_>>());
        }
        let mut words: [&[u8]; FEW] = [&[]; FEW];
        for (place, word) in words.iter_mut().zip(self.words()) {
            *place = word;
        }
        Nature::of(&words[..self.len()])
    }
}

/// Shows the name and the number of arguments, never their values.
impl std::fmt::Debug for Cmd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} ({} arguments)",
            self.name(),
            self.len().saturating_sub(1)
        )
    }
}

/// The words of a [`Cmd`].
#[derive(Clone, Debug)]
pub struct Words<'a> {
    cmd: &'a Cmd,
    at: usize,
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let word = self.cmd.get(self.at)?;
        self.at += 1;
        Some(word)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.cmd.len() - self.at;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Words<'_> {}

/// What the engine has to know of a command before it sends it.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a property of its own, and none excludes another"
)]
pub(crate) struct Nature {
    pub(crate) access: Access,
    pub(crate) replay: Replay,
    pub(crate) blocking: Option<Blocking>,
    /// A server that is out of memory refuses it.
    pub(crate) grows: bool,
    /// It changes what later commands on its connection mean.
    pub(crate) session: bool,
    /// A script's error text proves nothing about what ran.
    pub(crate) script: bool,
    /// Its reply may be of any size.
    pub(crate) bulky: bool,
    /// A server that holds writes back (CLIENT PAUSE WRITE) holds it back, whatever its arguments.
    pub(crate) held: bool,
    /// The keys that it writes.
    pub(crate) writes: Writes,
}

impl Nature {
    pub(crate) fn of(words: &[&[u8]]) -> Self {
        let Classified {
            facts,
            replay,
            access,
            blocking,
            ..
        } = facts::classify(words);
        // What is not in the table may be a module's.
        let script = facts.is_none_or(|facts| facts.script);
        Self {
            access,
            replay,
            blocking,
            grows: facts.is_none_or(|facts| facts.grows),
            session: facts
                .and_then(|facts| facts.session)
                .is_some_and(SessionEffect::changes_connection),
            script,
            writes: if access == Access::Write {
                Writes::of(words, script)
            } else {
                Writes::Nothing
            },
            bulky: facts.is_none_or(|facts| facts.miss.is_some_and(is_list)),
            held: facts.is_none_or(is_held),
        }
    }

    /// What a borrower does with a raw connection, which nobody knows beforehand.
    pub(crate) fn lease() -> Self {
        // Held for as long as the borrower likes: counted apart, like a blocking command, but with no wait of its own.
        Self {
            access: Access::Neither,
            replay: Replay::Never,
            blocking: Some(Blocking::For(Duration::ZERO)),
            grows: true,
            session: false,
            script: true,
            bulky: true,
            held: true,
            writes: Writes::Nothing,
        }
    }

    /// Several commands sent as one: the most careful of each.
    pub(crate) fn join(self, other: Self) -> Self {
        Self {
            access: if other.access == Access::Write {
                Access::Write
            } else {
                self.access
            },
            replay: self.replay.least(other.replay),
            blocking: both(self.blocking, other.blocking),
            grows: self.grows | other.grows,
            session: self.session | other.session,
            script: self.script | other.script,
            bulky: self.bulky | other.bulky,
            held: self.held | other.held,
            writes: self.writes.and(other.writes),
        }
    }

    /// What it is between MULTI and EXEC, where all of it runs or nothing: never sent twice.
    pub(crate) fn in_transaction(self) -> Self {
        // Blocking commands do not block inside a transaction.
        Self {
            session: false,
            blocking: None,
            ..Self::of(&[b"EXEC"]).join(self)
        }
    }

    /// As it is, over a connection of its own, which others need not share.
    pub(crate) fn apart(self) -> Self {
        Self {
            blocking: self.blocking.or(Some(Blocking::For(Duration::ZERO))),
            ..self
        }
    }

    /// How long the server may hold it back by its own word.
    pub(crate) fn waits(self) -> deadline::Blocking {
        held_back(self.blocking)
    }
}

/// What writes, and what may reach replicas all the same.
fn is_held(facts: &CommandFacts) -> bool {
    facts.access == Access::Write
        || facts.script
        || matches!(facts.name, "publish" | "spublish" | "pfcount")
}

/// How long the server may hold a command back, as the deadlines of policy have it.
pub(crate) fn held_back(blocking: Option<Blocking>) -> deadline::Blocking {
    match blocking {
        None => deadline::Blocking::No,
        Some(Blocking::For(wait)) => deadline::Blocking::For(wait),
        Some(Blocking::Forever) => deadline::Blocking::UntilDown,
    }
}

/// Whether what an empty cache would answer shows that the reply is a list, which may be long.
fn is_list(miss: MissAnswer) -> bool {
    matches!(
        miss,
        MissAnswer::EmptyArray
            | MissAnswer::EmptySet
            | MissAnswer::EmptyMap
            | MissAnswer::NilEach { .. }
    )
}

/// How long the server may hold back two commands, one after the other.
fn both(first: Option<Blocking>, second: Option<Blocking>) -> Option<Blocking> {
    match (first, second) {
        (None, only) | (only, None) => only,
        (Some(Blocking::For(first)), Some(Blocking::For(second))) => {
            Some(Blocking::For(first.saturating_add(second)))
        }
        (Some(Blocking::Forever), _) | (_, Some(Blocking::Forever)) => Some(Blocking::Forever),
    }
}

/// What can be an argument: text, bytes, numbers.
pub trait Arg {
    /// The argument as it goes over the wire.
    fn bytes(&self) -> Cow<'_, [u8]>;
}

impl<T: Arg + ?Sized> Arg for &T {
    fn bytes(&self) -> Cow<'_, [u8]> {
        (**self).bytes()
    }
}

macro_rules! arg_as_bytes {
    ($($type:ty),+) => {$(
        impl Arg for $type {
            fn bytes(&self) -> Cow<'_, [u8]> {
                let bytes: &[u8] = self.as_ref();
                Cow::Borrowed(bytes)
            }
        }
    )+};
}
arg_as_bytes!(str, String, [u8], Vec<u8>);

impl<const N: usize> Arg for [u8; N] {
    fn bytes(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self)
    }
}

macro_rules! arg_as_text {
    ($($type:ty),+) => {$(
        impl Arg for $type {
            fn bytes(&self) -> Cow<'_, [u8]> {
                Cow::Owned(self.to_string().into_bytes())
            }
        }
    )+};
}
arg_as_text!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize, f32, f64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_shows_its_name_and_never_its_arguments() {
        let cmd = Cmd::new("SET").arg("key").arg("secret");
        assert_eq!(format!("{cmd:?}"), "SET (2 arguments)");
    }

    #[test]
    fn a_name_of_two_words_is_two_words_on_the_wire() {
        let mut out = Vec::new();
        Cmd::new("CLIENT ID").pack(&mut out);
        assert_eq!(out, b"*2\r\n$6\r\nCLIENT\r\n$2\r\nID\r\n");
    }

    #[test]
    fn empty_arguments_keep_their_place() {
        let cmd = Cmd::new("SET").arg("").arg("");
        assert_eq!(
            cmd.words().collect::<Vec<_>>(),
            [b"SET".as_slice(), b"", b""]
        );
    }
}
