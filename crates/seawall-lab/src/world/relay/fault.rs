use std::collections::BTreeSet;
use std::time::Duration;

/// What the relay does to the connections that go through it. One fault is in force at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing listens: new connections get ECONNREFUSED. Those that stand are left alone.
    Refuse,
    /// One shot: every live connection is reset, towards the client and towards the server. Nothing stays in force.
    ResetAll,
    /// The server's process has ended: every live connection is reset, and new ones get ECONNREFUSED. Not the same as
    /// [`ResetAll`](Self::ResetAll) and then [`Refuse`](Self::Refuse): who dials quickly comes in between.
    Gone,
    /// One shot: every live connection gets a FIN towards the client and is reset towards the server. Nothing stays in
    /// force.
    FinAll,
    /// A middlebox that forgets flows: once no byte has passed for longer than this, the client's next bytes are
    /// answered by a reset, and the server hears nothing of it until it speaks, when it is reset as well.
    ///
    /// Idle is measured in bytes: TCP keepalives do not keep a flow alive, as with many balancers.
    ResetAfterIdle(Duration),
    /// The same middlebox without manners: packets of a flow that was idle for longer vanish in both directions, for
    /// ever, even after the fault is cleared. Nothing is acknowledged, so the client's kernel keeps sending.
    SwallowAfterIdle(Duration),
    /// A partition. Packets vanish in both directions before TCP sees them: nothing is acknowledged, nothing closed,
    /// and new connections hang in SYN-SENT. When it is cleared, TCP's own resending delivers what was held back (after
    /// as much as the partition lasted), and fresh connections succeed at once.
    BlackHole,
    /// Every byte arrives this much later, in each direction.
    Delay(Duration),
    /// A slow link: bytes a second, in each direction, shared by all connections.
    Bandwidth(u64),
    /// Commands reach the server and run; their replies are lost, and with them the connection's way back.
    LoseReply {
        /// Each n-th reply, counted over all connections; 0 and 1 mean each one.
        every: u32,
        /// What the client sees instead.
        then: Lost,
        /// Only replies to these commands (upper case, without subcommand) count; none means all commands.
        only: Option<BTreeSet<String>>,
    },
    /// Half of a reply passes, then the connection ends.
    CutInsideFrame {
        /// Each n-th reply, counted over all connections; 0 and 1 mean each one.
        every: u32,
        /// How it ends. [`Lost::Silence`]: the rest never comes.
        then: Lost,
    },
    /// One shot: every live connection gets a FIN towards the client, while what the client writes is still passed on
    /// and runs. Replies vanish. Nothing stays in force.
    HalfClose,
    /// On each connection: once this many bytes have passed towards the client since the fault was set (or the
    /// connection was made), the relay closes in order (FIN), and answers what the client writes after that by a reset.
    FinAfterBytes(u64),
}

/// What a client sees in place of a lost reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lost {
    /// A reset.
    Reset,
    /// A close in order.
    Fin,
    /// Nothing: no byte comes on this connection any more, and what the client writes is still passed on.
    Silence,
}

impl Fault {
    /// [`Fault::LoseReply`] for these commands, in any case; none means all.
    pub fn lose_reply(every: u32, then: Lost, only: &[&str]) -> Self {
        let names: BTreeSet<String> = only.iter().map(|name| name.to_ascii_uppercase()).collect();
        Self::LoseReply {
            every,
            then,
            only: (!names.is_empty()).then_some(names),
        }
    }
}
