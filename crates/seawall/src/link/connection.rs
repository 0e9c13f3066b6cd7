//! One connection, without its socket.
//!
//! A shell owns the socket and calls, in a loop: [`transmit`](Connection::transmit), then
//! [`offered`](Connection::offered) before and [`accepted`](Connection::accepted) after each write;
//! [`room`](Connection::room), then [`received`](Connection::received) after each read;
//! [`next_incoming`](Connection::next_incoming) until nothing whole is left. When the socket ends it calls
//! [`loss`](Connection::loss) and is told what that proves.
//!
//! Rules: time only moves forward; a reply belongs to the oldest request that is owed one; what is neither a push
//! nor owed is [`Unasked`](Incoming::Unasked), and such a connection must be closed, never handed on.

use std::collections::VecDeque;
use std::time::Duration;

use seawall_model::{Cause, Close, Moment, Provenance};
use seawall_wire::{Limits, WireError, facts, scan::FrameKind};

use super::inbox::{Frame, Inbox};

/// A connection that was idle this long may have been forgotten by the peer or by something between, so that its end
/// is told as the end of an idle one. Shorter than any idle limit found in the field (the smallest `timeout` that
/// Redis takes is 1 s), longer than the pauses of a busy client.
const IDLE_FROM: Duration = Duration::from_millis(900);

/// A subscriber that finds this much where it has not looked for so long does not keep up. Half of the smallest window that
/// receivers begin with: what waits behind it, in the peer's kernel and in the server, cannot be seen.
const BEHIND_BYTES: u64 = 32 * 1024;
const BEHIND_GAP: Duration = Duration::from_millis(200);
/// How long after that an end inside a message is put down to it: as long as it takes to read what kernels still hold.
const BEHIND_FOR: Duration = Duration::from_secs(5);

/// Bytes that were taken are kept up to this before those behind them move to the front.
const OUT_TAKEN_MAX: usize = 256 * 1024;

/// One request that was queued, by its bytes in the outgoing stream.
#[derive(Clone, Copy, Debug)]
struct Owed {
    start: u64,
    end: u64,
    /// Replies it is owed; a pipeline queued as one request is owed several.
    replies: u32,
}

/// What a whole frame is to its connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Incoming {
    /// The reply to the oldest request.
    Reply(Frame),
    /// A push: it answers nobody.
    Push(Frame),
    /// Neither: the connection's order is broken.
    Unasked(Frame),
}

/// What is known of a connection at its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loss {
    pub(crate) cause: Cause,
    pub(crate) close: Close,
    pub(crate) idle: Duration,
    pub(crate) age: Duration,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) owed: usize,
    /// Bytes of an unfinished reply.
    pub(crate) partial: usize,
    /// Replies that had come.
    pub(crate) replies: u64,
    /// The command that it was lost with, where the shell knows one.
    pub(crate) command: Option<&'static str>,
}

impl Loss {
    /// It was lost with this command; only names that are in the table of commands are kept.
    pub(crate) fn with(self, command: &str) -> Self {
        let command = facts::lookup(&[command]).map(|facts| facts.name);
        Self { command, ..self }
    }

    /// The end of a connection of which nothing is known any more.
    pub(crate) fn unknown(close: Close) -> Self {
        Self {
            cause: Cause::Cancelled,
            close,
            idle: Duration::ZERO,
            age: Duration::ZERO,
            bytes_in: 0,
            bytes_out: 0,
            owed: 0,
            partial: 0,
            replies: 0,
            command: None,
        }
    }
}

/// The state of one connection.
pub(crate) struct Connection {
    limits: Limits,
    out: Vec<u8>,
    out_taken: usize,
    queued: u64,
    offered: u64,
    accepted: u64,
    inbox: Inbox,
    owed: VecDeque<Owed>,
    /// Replies that all of them are owed.
    replies_owed: usize,
    /// After an idle time, carries one request until it is answered.
    careful: bool,
    /// Nothing behind this place in the outgoing stream is sent yet.
    hold: u64,
    established: Moment,
    last_used: Moment,
    idle_before: Duration,
    replied_since_idle: bool,
    bytes_in: u64,
    /// How much the next read may bring.
    room: usize,
    /// What had come when it was read again after a gap, until a read has taken all that there was.
    gap_at: Option<u64>,
    /// When its reader was last found to be behind.
    behind: Option<Moment>,
    replies: u64,
    /// Bytes that came at the end and could not be read.
    torn: usize,
}

impl Connection {
    /// A connection established at `now`.
    pub(crate) fn new(limits: Limits, now: Moment) -> Self {
        Self {
            limits,
            out: Vec::with_capacity(512),
            out_taken: 0,
            queued: 0,
            offered: 0,
            accepted: 0,
            inbox: Inbox::new(limits),
            owed: VecDeque::with_capacity(4),
            replies_owed: 0,
            careful: false,
            hold: u64::MAX,
            established: now,
            last_used: now,
            idle_before: Duration::ZERO,
            replied_since_idle: true,
            bytes_in: 0,
            room: 0,
            gap_at: None,
            behind: None,
            replies: 0,
            torn: 0,
        }
    }

    // -- getters --

    /// The limits that its replies are held to.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn established(&self) -> Moment {
        self.established
    }

    /// When it last carried something.
    pub(crate) fn last_used(&self) -> Moment {
        self.last_used
    }

    /// Replies that have come.
    pub(crate) fn replies(&self) -> u64 {
        self.replies
    }

    /// Replies that are still to come.
    pub(crate) fn owed(&self) -> usize {
        self.replies_owed
    }

    /// Whether it could be handed to another caller: nothing owed, nothing half sent, nothing unread.
    pub(crate) fn is_clean(&self) -> bool {
        self.owed.is_empty() && self.accepted == self.queued && self.inbox.len() == 0
    }

    /// Whether bytes wait to be written.
    pub(crate) fn wants_write(&self) -> bool {
        self.accepted < self.queued.min(self.hold)
    }

    /// Bytes that wait to be written.
    pub(crate) fn backlog(&self) -> u64 {
        self.queued - self.accepted
    }

    /// Total bytes that the kernel accepted.
    pub(crate) fn bytes_out(&self) -> u64 {
        self.accepted
    }

    /// Total bytes that came.
    pub(crate) fn bytes_in(&self) -> u64 {
        self.bytes_in
    }

    /// The first bytes that came and were not taken: to recognise what is no Redis.
    pub(crate) fn unread(&self) -> &[u8] {
        self.inbox.bytes()
    }

    /// How far the oldest unanswered request got.
    pub(crate) fn provenance(&self) -> Provenance {
        match self.owed.front() {
            None => Provenance::Queued,
            Some(front) => self.provenance_of(*front, true),
        }
    }

    /// How far the unanswered request at `place` got, counted from the oldest.
    pub(crate) fn provenance_at(&self, place: usize) -> Provenance {
        self.owed.get(place).map_or(Provenance::Queued, |owed| {
            self.provenance_of(*owed, place == 0)
        })
    }

    /// How far each unanswered request got, oldest first.
    pub(crate) fn provenances(&self) -> Vec<Provenance> {
        self.owed
            .iter()
            .enumerate()
            .map(|(place, owed)| self.provenance_of(*owed, place == 0))
            .collect()
    }

    fn provenance_of(&self, owed: Owed, oldest: bool) -> Provenance {
        if oldest && self.inbox.len() > 0 && self.accepted >= owed.end {
            Provenance::Replying
        } else if self.accepted >= owed.end {
            Provenance::Written
        } else if self.accepted > owed.start {
            Provenance::Partly(self.accepted - owed.start)
        } else if self.offered > owed.start {
            Provenance::Offered
        } else {
            Provenance::Queued
        }
    }

    // -- commands --

    /// From now on, a first request after an idle time goes alone until it is answered. Many callers share the
    /// connection: if something between has forgotten it, one request is in doubt, and the others were not sent.
    pub(crate) fn be_careful(&mut self) {
        self.careful = true;
    }

    /// Queues one request that is owed `replies` replies; `pack` appends its bytes.
    pub(crate) fn queue(&mut self, now: Moment, replies: u32, pack: impl FnOnce(&mut Vec<u8>)) {
        if self.owed.is_empty() {
            self.idle_before = now.since(self.last_used);
            self.replied_since_idle = self.idle_before < IDLE_FROM;
        }
        self.last_used = now;
        if self.out_taken == self.out.len() {
            self.out.clear();
            self.out_taken = 0;
        } else if self.out_taken > OUT_TAKEN_MAX && self.out_taken > self.out.len() / 2 {
            // Under a load that never lets it run empty what was taken would pile up. Less than half moves, and only
            // after as much was taken.
            self.out.drain(..self.out_taken);
            self.out_taken = 0;
        }
        let before = self.out.len();
        pack(&mut self.out);
        let start = self.queued;
        self.queued += (self.out.len() - before) as u64;
        if self.careful && self.owed.is_empty() && !self.replied_since_idle {
            self.hold = self.queued;
        }
        if replies > 0 {
            self.replies_owed += replies as usize;
            self.owed.push_back(Owed {
                start,
                end: self.queued,
                replies,
            });
        }
    }

    /// Takes back `parts` requests from `place` on, if no byte of them was offered to a write yet.
    pub(crate) fn retract(&mut self, place: usize, parts: usize) -> bool {
        let Some(&first) = self.owed.get(place) else {
            return false;
        };
        let Some(&last) = self.owed.get(place + parts.saturating_sub(1)) else {
            return false;
        };
        if first.start < self.offered.max(self.accepted) {
            return false;
        }
        let bytes = last.end - first.start;
        // Everything between the first byte that was not accepted and the last that is queued stands in `out`.
        let at = self.out_taken + usize::try_from(first.start - self.accepted).unwrap_or(0);
        let until = at + usize::try_from(bytes).unwrap_or(0);
        self.out.drain(at..until);
        let taken_back = self.owed.drain(place..place + parts);
        self.replies_owed -= taken_back.map(|owed| owed.replies as usize).sum::<usize>();
        for later in self.owed.iter_mut().skip(place) {
            later.start -= bytes;
            later.end -= bytes;
        }
        self.queued -= bytes;
        if self.hold != u64::MAX && self.hold >= last.end {
            self.hold -= bytes;
        }
        true
    }

    /// Bytes to write, from the first that was not accepted.
    pub(crate) fn transmit(&self) -> &[u8] {
        let rest = &self.out[self.out_taken..];
        let allowed =
            usize::try_from(self.hold.saturating_sub(self.accepted)).unwrap_or(usize::MAX);
        &rest[..rest.len().min(allowed)]
    }

    /// All of [`transmit`](Self::transmit) is about to be offered to a write: from here on it may be on its way.
    pub(crate) fn offered(&mut self) {
        self.offered = self.queued.min(self.hold);
    }

    /// The write took `n` bytes.
    pub(crate) fn accepted(&mut self, n: usize) {
        self.out_taken += n;
        self.accepted += n as u64;
        debug_assert!(
            self.accepted <= self.queued,
            "more was accepted than queued"
        );
        if self.out_taken == self.out.len() && self.out.capacity() > 64 * 1024 {
            self.out = Vec::with_capacity(512);
            self.out_taken = 0;
        }
    }

    /// Where the next read goes.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        let room = self.inbox.room();
        self.room = room.len();
        room
    }

    /// A read brought `n` bytes.
    pub(crate) fn received(&mut self, n: usize, now: Moment) {
        self.inbox.filled(n);
        if now.since(self.last_used) >= BEHIND_GAP {
            self.gap_at = Some(self.bytes_in);
        }
        self.bytes_in += n as u64;
        self.last_used = now;
        if self
            .gap_at
            .is_some_and(|at| self.bytes_in - at >= BEHIND_BYTES)
        {
            self.behind = Some(now);
        }
        if n < self.room {
            self.gap_at = None;
        }
    }

    /// The stream ended inside something that the peer was saying, of which `bytes` came and could not be read.
    pub(crate) fn torn(&mut self, bytes: usize) {
        self.torn = bytes;
    }

    /// The next whole frame and what it is.
    pub(crate) fn next_incoming(&mut self) -> Result<Option<Incoming>, WireError> {
        Ok(self.inbox.next()?.map(|frame| match frame.kind {
            FrameKind::Push => Incoming::Push(frame),
            _ if self.owed.is_empty() => Incoming::Unasked(frame),
            _ => Incoming::Reply(frame),
        }))
    }

    /// The bytes of a frame.
    pub(crate) fn frame(&self, frame: Frame) -> &[u8] {
        self.inbox.frame(frame)
    }

    /// The frame was taken. If it was a reply, one less is owed.
    pub(crate) fn consume(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Reply(frame) => {
                self.inbox.consume(frame);
                self.replied_since_idle = true;
                self.hold = u64::MAX;
                self.replies += 1;
                let Some(front) = self.owed.front_mut() else {
                    return;
                };
                front.replies -= 1;
                self.replies_owed -= 1;
                if front.replies == 0 {
                    self.owed.pop_front();
                }
            }
            Incoming::Push(frame) | Incoming::Unasked(frame) => self.inbox.consume(frame),
        }
    }

    /// What the end of this connection proves.
    pub(crate) fn loss(&self, close: Close, now: Moment) -> Loss {
        let idle = if self.owed.is_empty() {
            now.since(self.last_used)
        } else {
            self.idle_before
        };
        Loss {
            cause: self.name_loss(close, idle),
            close,
            idle,
            age: now.since(self.established),
            bytes_in: self.bytes_in,
            bytes_out: self.accepted,
            owed: self.owed(),
            partial: self.inbox.len() + self.torn,
            replies: self.replies,
            command: None,
        }
    }

    /// The symptom's name; a probe may find what lies behind it.
    fn name_loss(&self, close: Close, idle: Duration) -> Cause {
        let fresh_from_idle = if self.owed.is_empty() {
            idle >= IDLE_FROM
        } else {
            !self.replied_since_idle
        };
        let begun = self.inbox.len() + self.torn > 0;
        let was_behind = |at: Moment| self.last_used.since(at) < BEHIND_FOR;
        // SUBSCRIBE is answered by pushes under RESP3, and stays owed.
        let is_push = self.owed.is_empty() || self.inbox.bytes().first() == Some(&b'>');
        let is_behind = is_push && self.behind.is_some_and(was_behind);
        match close {
            // Inside a message, with many more before it: the server would hold no more of them.
            Close::Fin | Close::Reset if begun && is_behind => Cause::SubscriberSlow,
            Close::Fin | Close::Reset if begun => Cause::ClosedMidReply,
            Close::Fin if fresh_from_idle => Cause::IdleClosed,
            Close::Fin => Cause::ClosedByServer,
            Close::Reset if fresh_from_idle => Cause::IdleReset,
            Close::Reset | Close::Other(_) => Cause::ConnectionReset,
            Close::Ours => Cause::ProtocolError,
            Close::KernelTimeout => Cause::PeerVanished,
            Close::Abandoned if fresh_from_idle => Cause::IdleSwallowed,
            Close::Abandoned => Cause::ReplyTimeout,
            Close::NeverOpen => Cause::ConnectTimeout,
        }
    }
}
