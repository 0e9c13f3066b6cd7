use std::mem;
use std::net::SocketAddr;

use rustix::event::epoll::EventFlags;
use rustix::fd::OwnedFd;
use seawall_model::Moment;
use socket2::Socket;

use super::counters::Counters;
use super::fault::Lost;
use super::lane::Lane;
use super::rules::{Rules, Way};
use super::side::{End, Got, Side};
use super::track::{Ruling, Track};

/// Reads of one socket before the others have their turn.
const READS_PER_TURN: usize = 8;

/// What all flows share.
pub(super) struct Shared {
    pub(super) epoll: OwnedFd,
    pub(super) rules: Rules,
    pub(super) counters: Counters,
    pub(super) now: Moment,
    /// Where bytes are read into.
    pub(super) scratch: Vec<u8>,
}

/// The flow has ended: dropping it closes its sockets, in the way that was armed.
#[derive(Debug)]
pub(super) struct Over;

type Lives = Result<(), Over>;

/// What a fault has made of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Nothing so far.
    Passing,
    /// A middlebox forgot it: whoever speaks next is reset.
    Forgotten,
    /// Its packets vanish in both directions, for ever.
    Swallowed,
    /// What the server sends vanishes; what the client sends passes.
    Mute,
    /// The relay closed it in order: the client has its FIN, the server is gone.
    Parted,
}

/// One client's connection, and the one made to the server for it.
#[derive(Debug)]
pub(super) struct Flow {
    client: End,
    /// None once it is gone without the client having been told.
    server: Option<End>,
    up: Lane,
    down: Lane,
    mode: Mode,
    track: Track,
    last_bytes: Moment,
    /// Bytes towards the client since the fault in force was set.
    down_bytes: u64,
}

impl Flow {
    /// Dials the server for a client that was accepted; a client whose server refuses is reset.
    pub(super) fn open(
        client: Socket,
        server: SocketAddr,
        index: usize,
        shared: &mut Shared,
    ) -> Result<Self, Over> {
        let token = index as u64 * 2;
        let client = End::accepted(client, token).map_err(|_| Over)?;
        let Ok(server) = End::dial(server, token + 1) else {
            client.arm_reset();
            shared.counters.upstream_refused += 1;
            return Err(Over);
        };
        Ok(Self {
            client,
            server: Some(server),
            up: Lane::default(),
            down: Lane::default(),
            mode: Mode::Passing,
            track: Track::new(),
            last_bytes: shared.now,
            down_bytes: 0,
        })
    }

    /// Something happened on one of its sockets.
    pub(super) fn ready(&mut self, side: Side, flags: EventFlags, shared: &mut Shared) -> Lives {
        if self.is_deaf(shared) || (side == Side::Server && self.server.is_none()) {
            return Ok(());
        }
        if let (Side::Server, Some(server)) = (side, &mut self.server)
            && server.is_dialling()
            && server.finish_dial().is_err()
        {
            shared.counters.upstream_refused += 1;
            return Err(self.reset(shared));
        }
        if flags.contains(EventFlags::OUT) {
            self.flush(
                if side == Side::Client {
                    Way::Down
                } else {
                    Way::Up
                },
                shared,
            )?;
        }
        let error = flags.contains(EventFlags::ERR);
        // Both FINs have passed on this socket: what is left to read has an end.
        let last = flags.contains(EventFlags::HUP) && !error;
        if last || (self.reads(side, shared) && flags.intersects(EventFlags::IN | EventFlags::ERR))
        {
            self.read(side, shared)
        } else if error {
            self.broken(side, shared)
        } else {
            Ok(())
        }
    }

    fn read(&mut self, side: Side, shared: &mut Shared) -> Lives {
        for _ in 0..READS_PER_TURN {
            let mut scratch = mem::take(&mut shared.scratch);
            let wanted = shared.rules.read_bytes_max().min(scratch.len());
            let got = match (side, &mut self.server) {
                (Side::Client, _) => self.client.read(&mut scratch[..wanted]),
                (Side::Server, Some(server)) => server.read(&mut scratch[..wanted]),
                (Side::Server, None) => Got::Nothing,
            };
            let more = match got {
                Got::Bytes(bytes) => self
                    .took(side, &scratch[..bytes], shared)
                    .map(|()| bytes == wanted),
                Got::End => self.ended(side, shared).map(|()| false),
                Got::Broken => self.broken(side, shared).map(|()| false),
                Got::Nothing => Ok(false),
            };
            shared.scratch = scratch;
            if !more? || !self.reads(side, shared) {
                break;
            }
        }
        Ok(())
    }

    /// Bytes came from `side`.
    fn took(&mut self, side: Side, bytes: &[u8], shared: &mut Shared) -> Lives {
        self.forget_if_idle(shared);
        match (self.mode, side) {
            (Mode::Forgotten | Mode::Parted, Side::Client) => Err(self.reset(shared)),
            (Mode::Forgotten, Side::Server) => {
                self.abandon_server();
                Ok(())
            }
            (Mode::Mute | Mode::Swallowed | Mode::Parted, Side::Server)
            | (Mode::Swallowed, Side::Client) => Ok(()),
            (Mode::Mute, Side::Client) => self.pass(Way::Up, bytes, shared),
            (Mode::Passing, Side::Client) => {
                self.last_bytes = shared.now;
                self.track.sent(bytes);
                self.pass(Way::Up, bytes, shared)
            }
            (Mode::Passing, Side::Server) => {
                self.last_bytes = shared.now;
                self.answer(bytes, shared)
            }
        }
    }

    /// Passes the server's bytes as far as the fault in force lets them.
    fn answer(&mut self, bytes: &[u8], shared: &mut Shared) -> Lives {
        let ruling = self
            .track
            .answered(bytes, |command| shared.rules.judge(command));
        match ruling {
            Ruling::Pass => match shared.rules.fin_after() {
                Some(limit) => self.answer_up_to(limit, bytes, shared),
                None => self.pass(Way::Down, bytes, shared),
            },
            Ruling::Hold { pass } => self.pass(Way::Down, &bytes[..pass], shared),
            Ruling::Lose { pass, command } => {
                self.pass(Way::Down, &bytes[..pass], shared)?;
                *shared.counters.replies_lost.entry(command).or_default() += 1;
                self.lose(shared)
            }
            Ruling::Cut { pass, head } => {
                self.pass(Way::Down, &bytes[..pass], shared)?;
                self.pass(Way::Down, &head, shared)?;
                shared.counters.replies_cut += 1;
                self.lose(shared)
            }
        }
    }

    fn answer_up_to(&mut self, limit: u64, bytes: &[u8], shared: &mut Shared) -> Lives {
        let left = usize::try_from(limit.saturating_sub(self.down_bytes)).unwrap_or(usize::MAX);
        self.down_bytes += bytes.len() as u64;
        if bytes.len() < left {
            return self.pass(Way::Down, bytes, shared);
        }
        self.pass(Way::Down, &bytes[..left], shared)?;
        self.part(shared)
    }

    fn lose(&mut self, shared: &mut Shared) -> Lives {
        match shared.rules.then() {
            Lost::Reset => Err(self.reset(shared)),
            Lost::Fin => self.part(shared),
            Lost::Silence => {
                self.mode = Mode::Mute;
                Ok(())
            }
        }
    }

    fn pass(&mut self, way: Way, bytes: &[u8], shared: &mut Shared) -> Lives {
        if bytes.is_empty() {
            return Ok(());
        }
        let due = shared.rules.due(way, bytes.len(), shared.now);
        let pushed = match (way, &mut self.server) {
            (Way::Down, _) => self.down.push(bytes, due, shared.now, &mut self.client),
            (Way::Up, Some(server)) => self.up.push(bytes, due, shared.now, server),
            (Way::Up, None) => return Ok(()),
        };
        self.written(way, pushed, shared)
    }

    /// Sends what is due, and a FIN that follows it.
    pub(super) fn flush(&mut self, way: Way, shared: &mut Shared) -> Lives {
        let flushed = match (way, &mut self.server) {
            (Way::Down, _) => self.down.flush(shared.now, &mut self.client),
            (Way::Up, Some(server)) => self.up.flush(shared.now, server),
            (Way::Up, None) => return Ok(()),
        };
        self.written(way, flushed, shared)?;
        self.over_if_done()
    }

    fn written(&mut self, way: Way, result: std::io::Result<usize>, shared: &mut Shared) -> Lives {
        match (result, way) {
            (Ok(bytes), Way::Up) => shared.counters.bytes_up += bytes as u64,
            (Ok(bytes), Way::Down) => shared.counters.bytes_down += bytes as u64,
            (Err(_), Way::Down) => return self.broken(Side::Client, shared),
            (Err(_), Way::Up) => {
                // What the server said before it reset the connection (`max number of clients`) can still be read.
                self.read_last_words(shared)?;
                return self.broken(Side::Server, shared);
            }
        }
        Ok(())
    }

    fn read_last_words(&mut self, shared: &mut Shared) -> Lives {
        let mut words = vec![0; shared.rules.read_bytes_max()];
        while let Some(server) = &mut self.server
            && let Got::Bytes(bytes) = server.read(&mut words)
        {
            self.took(Side::Server, &words[..bytes], shared)?;
        }
        Ok(())
    }

    /// `side` sent its FIN.
    fn ended(&mut self, side: Side, shared: &mut Shared) -> Lives {
        self.forget_if_idle(shared);
        let way = if side == Side::Client {
            Way::Up
        } else {
            Way::Down
        };
        match (self.mode, side) {
            (Mode::Forgotten, Side::Client) => return Err(self.reset(shared)),
            (Mode::Forgotten, Side::Server) => self.abandon_server(),
            (Mode::Passing, _) | (Mode::Mute, Side::Client) => {
                let due = shared.rules.due(way, 0, shared.now);
                match way {
                    Way::Up => self.up.end(due),
                    Way::Down => self.down.end(due),
                }
                self.flush(way, shared)?;
            }
            _ => {}
        }
        self.over_if_done()
    }

    /// `side` was reset, or its kernel gave up.
    fn broken(&mut self, side: Side, shared: &mut Shared) -> Lives {
        match (self.mode, side) {
            (Mode::Forgotten | Mode::Mute, Side::Server) => {
                self.abandon_server();
                self.over_if_done()
            }
            (_, Side::Client) => {
                if let Some(server) = &self.server {
                    server.arm_reset();
                }
                Err(Over)
            }
            _ => Err(self.reset(shared)),
        }
    }

    fn over_if_done(&self) -> Lives {
        let server_ended = self.server.as_ref().is_none_or(End::has_ended);
        let done = match self.mode {
            Mode::Passing => self.up.is_finished() && self.down.is_finished(),
            Mode::Mute | Mode::Parted => self.client.has_ended() && server_ended,
            Mode::Forgotten | Mode::Swallowed => false,
        };
        if done { Err(Over) } else { Ok(()) }
    }

    /// Resets both ends.
    pub(super) fn reset(&mut self, shared: &mut Shared) -> Over {
        self.arm_reset();
        shared.counters.resets += 1;
        Over
    }

    /// From now on dropping the flow resets both ends.
    pub(super) fn arm_reset(&self) {
        self.client.arm_reset();
        if let Some(server) = &self.server {
            server.arm_reset();
        }
    }

    fn abandon_server(&mut self) {
        if let Some(server) = self.server.take() {
            server.arm_reset();
        }
        self.up.clear();
    }

    /// Closes in order towards the client, as a proxy that ends: what the client sends after that is answered by RST.
    pub(super) fn part(&mut self, shared: &mut Shared) -> Lives {
        self.server = None;
        self.up.clear();
        self.mode = Mode::Parted;
        self.fin_to_client(shared)
    }

    /// Sends a FIN to the client, and goes on to pass what the client sends.
    pub(super) fn half_close(&mut self, shared: &mut Shared) -> Lives {
        self.mode = Mode::Mute;
        self.fin_to_client(shared)
    }

    fn fin_to_client(&mut self, shared: &mut Shared) -> Lives {
        shared.counters.fins += 1;
        self.down.end(shared.now);
        self.flush(Way::Down, shared)
    }

    /// Whether what the relay does now can still reach its client: middleboxes do not close what they forgot.
    pub(super) fn is_reachable(&self) -> bool {
        !matches!(self.mode, Mode::Forgotten | Mode::Swallowed | Mode::Parted)
    }

    fn is_deaf(&self, shared: &Shared) -> bool {
        self.mode == Mode::Swallowed || shared.rules.is_partition()
    }

    fn forget_if_idle(&mut self, shared: &Shared) {
        if let Some(limit) = shared.rules.forgets_after()
            && self.mode == Mode::Passing
            && shared.now.since(self.last_bytes) > limit
        {
            self.mode = Mode::Forgotten;
        }
    }

    /// What time alone does to it: bytes fall due, idle flows are swallowed.
    pub(super) fn tick(&mut self, shared: &mut Shared) -> Lives {
        if let Some(limit) = shared.rules.swallows_after()
            && self.mode == Mode::Passing
            && shared.now.since(self.last_bytes) >= limit
        {
            self.swallow();
            shared.counters.swallowed += 1;
        }
        if self.is_deaf(shared) {
            return Ok(());
        }
        for (way, due) in [
            (Way::Up, self.up.next_due()),
            (Way::Down, self.down.next_due()),
        ] {
            if due.is_some_and(|due| due <= shared.now) {
                self.flush(way, shared)?;
            }
        }
        Ok(())
    }

    fn swallow(&mut self) {
        self.mode = Mode::Swallowed;
        self.up.clear();
        self.down.clear();
        self.deafen();
    }

    /// When [`tick`](Self::tick) is due; none if no time is awaited.
    pub(super) fn next_tick(&self, shared: &Shared) -> Option<Moment> {
        if self.is_deaf(shared) {
            return None;
        }
        let swallowed = shared
            .rules
            .swallows_after()
            .filter(|_| self.mode == Mode::Passing);
        let swallowed = swallowed.map(|limit| self.last_bytes + limit);
        let waits = [self.up.next_due(), self.down.next_due(), swallowed];
        // What is due already waits for room, not for time.
        waits
            .into_iter()
            .flatten()
            .filter(|due| *due > shared.now)
            .min()
    }

    /// The fault in force is about to end; its marks stay.
    pub(super) fn leave_fault(&mut self, shared: &mut Shared) -> Lives {
        self.forget_if_idle(shared);
        self.down_bytes = 0;
        self.up.hurry();
        self.down.hurry();
        let held = self.track.release();
        if self.mode == Mode::Passing {
            self.pass(Way::Down, &held, shared)
        } else {
            Ok(())
        }
    }

    /// Drops every packet that comes from either end.
    pub(super) fn deafen(&self) {
        self.client.deafen();
        self.server.iter().for_each(End::deafen);
    }

    /// Undoes [`deafen`](Self::deafen), unless the flow is swallowed for ever.
    pub(super) fn hear(&self) {
        if self.mode != Mode::Swallowed {
            self.client.hear();
            self.server.iter().for_each(End::hear);
        }
    }

    fn reads(&self, side: Side, shared: &Shared) -> bool {
        let room = shared.rules.held_bytes_max();
        match (side, &self.server) {
            (Side::Client, _) => !self.client.has_ended() && self.up.held() < room,
            (Side::Server, Some(server)) => {
                let open = !server.is_dialling() && !server.has_ended();
                open && (self.mode != Mode::Passing || self.down.held() < room)
            }
            (Side::Server, None) => false,
        }
    }

    /// Tells epoll what the flow waits for.
    pub(super) fn register(&mut self, shared: &Shared) {
        let deaf = self.is_deaf(shared);
        let wish = |reads: bool, writes: bool, over: bool| {
            let mut flags = EventFlags::empty();
            flags.set(EventFlags::IN, reads);
            flags.set(EventFlags::OUT, writes);
            // A socket that is neither read nor written may still be reset, unless it is closed in both directions.
            let wanted = !deaf && (!over || !flags.is_empty());
            wanted.then_some(flags)
        };
        let writes = |lane: &Lane| lane.next_due().is_some_and(|due| due <= shared.now);
        let over = self.client.has_ended() && self.down.is_finished();
        let interest = wish(self.reads(Side::Client, shared), writes(&self.down), over);
        self.client.wait_for(interest, &shared.epoll);
        let reads = self.reads(Side::Server, shared);
        if let Some(server) = &mut self.server {
            let over = server.has_ended() && self.up.is_finished();
            let interest = wish(reads, server.is_dialling() || writes(&self.up), over);
            server.wait_for(interest, &shared.epoll);
        }
    }
}
