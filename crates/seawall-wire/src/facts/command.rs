use super::blocking::TimeoutAt;
use super::keys::Keys;
use super::miss::MissAnswer;
use super::replay::Replay;
use super::rules::Rule;

/// What is known of one command, or of one subcommand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the server's own, and none excludes another"
)]
pub struct CommandFacts {
    /// Its name in lower case; a subcommand's with its container's before it: `config get`.
    pub name: &'static str,
    /// How many arguments it takes, its name's words counted; negative: at least so many.
    pub arity: i16,
    /// What servers take it for, whatever its arguments: a server that refuses writes refuses by this.
    pub access: Access,
    /// Its replay class under the worst arguments; [`classify`](super::classify) may find a better one.
    pub replay: Replay,
    /// Its replay class under the best arguments; the same as `replay` where arguments do not matter.
    pub replay_at_best: Replay,
    /// Where its keys stand.
    pub keys: Keys,
    /// Where its timeout stands, if it can wait for others inside the server.
    pub blocking: Option<TimeoutAt>,
    /// What it does to its connection, or needs of it.
    pub session: Option<SessionEffect>,
    /// Whether it belongs to publish and subscribe.
    pub pubsub: bool,
    /// Whether it runs the caller's program in the server (EVAL, FCALL and their kin). The text of such a command's
    /// error proves nothing: the program may have made it up after it wrote.
    pub script: bool,
    /// Whether servers count it among the administrator's commands.
    pub admin: bool,
    /// Whether it may make the data larger: a server that is out of memory refuses it, and no other write.
    pub grows: bool,
    /// What an empty cache would answer; `None` where no answer would be honest.
    pub miss: Option<MissAnswer>,
    /// How its arguments change what it does.
    pub(super) rule: Option<Rule>,
}

impl CommandFacts {
    /// Whether the server would refuse this many arguments (the name's words counted) before running anything.
    pub const fn refuses_count(&self, count: usize) -> bool {
        let wanted = self.arity.unsigned_abs() as usize;
        if self.arity < 0 {
            count < wanted
        } else {
            count != wanted
        }
    }
}

/// What a command does to the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// It reads keys.
    Read,
    /// It writes, or may write.
    Write,
    /// It touches no data: PING, CONFIG, MULTI. What stands inside a transaction counts for itself, not for EXEC.
    Neither,
}

impl Access {
    /// The word for it in logs and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Neither => "neither",
        }
    }
}

/// What a command does to its connection beyond its reply, or what it needs of it.
///
/// A connection on which one of these ran (save [`Inspect`](Self::Inspect)) is no longer like any other of the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionEffect {
    /// Begins a transaction: what follows is queued.
    Multi,
    /// Runs the transaction, and ends WATCH.
    Exec,
    /// Throws the transaction away, and ends WATCH.
    Discard,
    /// Makes EXEC depend on keys.
    Watch,
    /// Ends WATCH.
    Unwatch,
    /// Subscribes to channels, patterns or shard channels.
    Subscribe,
    /// Ends such subscriptions.
    Unsubscribe,
    /// Switches the server's invalidation messages on or off (CLIENT TRACKING).
    Tracking,
    /// Changes how tracking treats the next command (CLIENT CACHING).
    Caching,
    /// Switches replies off, on, or skips one (CLIENT REPLY).
    ReplyMode,
    /// Chooses the database.
    Select,
    /// Lets the next command reach an importing slot.
    Asking,
    /// Lets a cluster's replica answer reads (READONLY).
    ReadOnlyMode,
    /// Ends READONLY (READWRITE).
    ReadWriteMode,
    /// Logs in.
    Auth,
    /// Chooses the protocol, and may log in and name the connection.
    Hello,
    /// Puts the connection back to its beginnings: RESP2, database 0, logged out.
    Reset,
    /// Turns the connection into a stream of all commands.
    Monitor,
    /// Turns the connection into a replica's (SYNC, PSYNC, REPLCONF).
    Replicate,
    /// Closes the connection after the replies.
    Quit,
    /// Names the connection (CLIENT SETNAME).
    SetName,
    /// Marks the connection in a way that changes no reply (CLIENT NO-EVICT, NO-TOUCH, SETINFO).
    Mark,
    /// Switches the script debugger (SCRIPT DEBUG).
    Debug,
    /// Asks about this very connection, or waits for its writes (CLIENT ID, WAIT): on another connection the answer
    /// would be about another one. It changes nothing.
    Inspect,
}

impl SessionEffect {
    /// Whether the connection is another than before.
    pub const fn changes_connection(self) -> bool {
        !matches!(self, Self::Inspect)
    }
}
