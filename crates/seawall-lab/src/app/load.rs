//! Users who come when they come, whatever became of those before them: an open loop of requests, each on a connection of
//! its own.

use super::http::{Answer, Progress, Reader, Target};
use crate::world::clock;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Resource, getrlimit, setrlimit};
use seawall_model::Moment;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

/// How many requests may be under way. Who comes then is turned away and counted: a machine has only so many ports, and
/// an application that owes so many answers has long ceased to be of use.
const UNDER_WAY_MAX: usize = 4096;
/// How long the loop sleeps at most.
const TICK: Duration = Duration::from_millis(5);
/// How often one connection is read before the others have their turn, and the time is looked at: an answer without an end
/// may come as fast as it is read.
const READS_MAX: usize = 4;
/// Descriptors that are needed beside one a request.
const BESIDE: u64 = 128;

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// With an answer.
    Answered(Answer),
    /// Without one, in the time that users wait.
    TimedOut,
    /// Nobody accepted it.
    Refused,
    /// Its connection ended before its answer was whole.
    CutOff,
    /// What came is no HTTP.
    Garbled,
    /// Too many were under way.
    TurnedAway,
    /// This machine had no socket, port or way for it: that is not the application's doing.
    NotBegun,
}

/// A request that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// When the user came.
    pub(super) due: Moment,
    /// When it ended.
    pub(super) ended: Moment,
    pub(super) ending: Ending,
}

impl Request {
    pub(super) fn is_good(&self) -> bool {
        matches!(&self.ending, Ending::Answered(answer) if answer.is_good())
    }

    /// Whether the application failed its user: an error of its own (5xx), or no answer.
    pub(super) fn is_failed(&self) -> bool {
        !matches!(&self.ending, Ending::Answered(answer) if answer.status < 500)
    }

    pub(super) fn took(&self) -> Duration {
        self.ended.since(self.due)
    }
}

/// Asks once, and waits for the answer.
pub(super) fn ask(target: &Target, addr: SocketAddr, patience: Duration) -> Request {
    let due = clock::now();
    let mut under_way = vec![Flight::begin(target, addr, due)];
    let mut ended = Vec::new();
    while ended.is_empty() {
        wait_for(&under_way, TICK);
        advance(&mut under_way, &mut ended, target, patience);
    }
    ended.remove(0)
}

/// Sends what is due, at these moments, until all have ended; hands each over as it ends. False: it was stopped.
pub(super) fn drive(
    target: &Target,
    addr: SocketAddr,
    due: &[Moment],
    patience: Duration,
    stop: impl Fn() -> bool,
    mut over: impl FnMut(Request),
) -> bool {
    let mut due = due.iter().copied().peekable();
    let mut under_way: Vec<Flight> = Vec::new();
    let mut ended = Vec::new();
    while due.peek().is_some() || !under_way.is_empty() {
        if stop() {
            return false;
        }
        let now = clock::now();
        while let Some(at) = due.next_if(|&at| at <= now) {
            if under_way.len() < UNDER_WAY_MAX {
                under_way.push(Flight::begin(target, addr, at));
            } else {
                let ending = Ending::TurnedAway;
                over(Request {
                    due: at,
                    ended: now,
                    ending,
                });
            }
        }
        advance(&mut under_way, &mut ended, target, patience);
        ended.drain(..).for_each(&mut over);
        let next = due.peek().map_or(TICK, |&at| clock::now().until(at));
        wait_for(&under_way, next.min(TICK));
    }
    true
}

/// Sees that so many connections can be open at a time; an error says how many can.
pub(super) fn make_room(per_second: u32, patience: Duration) -> Result<(), u64> {
    let most = u64::from(per_second) * (patience.as_secs() + 1);
    let wanted = most.min(UNDER_WAY_MAX as u64) + BESIDE;
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    limit.current = Some(limit.maximum.map_or(wanted, |maximum| maximum.min(wanted)));
    let now = limit.current.unwrap_or(0);
    match setrlimit(Resource::Nofile, limit) {
        Ok(()) if now >= wanted => Ok(()),
        _ => Err(now.saturating_sub(BESIDE)),
    }
}

fn wait_for(under_way: &[Flight], span: Duration) {
    let mut fds: Vec<_> = under_way
        .iter()
        .filter_map(|flight| Some(PollFd::new(flight.socket.as_ref()?, flight.wants())))
        .collect();
    let span = Timespec::try_from(span).ok();
    // Interrupted by a signal: looked at anew.
    let _ = poll(&mut fds, span.as_ref());
}

fn advance(
    under_way: &mut Vec<Flight>,
    ended: &mut Vec<Request>,
    target: &Target,
    patience: Duration,
) {
    let mut place = 0;
    while place < under_way.len() {
        let flight = &mut under_way[place];
        let mut ending = flight.advance(&target.request);
        let now = clock::now();
        if ending.is_none() && now >= flight.due + patience {
            ending = Some(Ending::TimedOut);
        }
        match ending {
            Some(ending) => {
                let due = under_way.swap_remove(place).due;
                ended.push(Request {
                    due,
                    ended: now,
                    ending,
                });
            }
            None => place += 1,
        }
    }
}

/// A request under way.
struct Flight {
    due: Moment,
    /// None: it could not be begun.
    socket: Option<Socket>,
    sent: usize,
    reader: Reader,
    failed: Option<Ending>,
}

impl Flight {
    fn begin(target: &Target, addr: SocketAddr, due: Moment) -> Self {
        let socket = connect(addr);
        let failed = socket.as_ref().err().map(|error| match error.kind() {
            io::ErrorKind::ConnectionRefused => Ending::Refused,
            _ => Ending::NotBegun,
        });
        let mut flight = Self {
            due,
            socket: socket.ok(),
            sent: 0,
            reader: Reader::of(target),
            failed,
        };
        flight.failed = flight
            .failed
            .take()
            .or_else(|| flight.advance(&target.request));
        flight
    }

    fn wants(&self) -> PollFlags {
        if self.sent == 0 {
            PollFlags::OUT
        } else {
            PollFlags::IN
        }
    }

    /// Goes on as far as it can without waiting; how it ended, if it has.
    fn advance(&mut self, request: &[u8]) -> Option<Ending> {
        if self.failed.is_some() {
            return self.failed.take();
        }
        let socket = self.socket.as_mut()?;
        while self.sent < request.len() {
            match socket.write(&request[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) => match error.kind() {
                    // Not connected yet, in the words of a socket that is on its way there.
                    io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected => return None,
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::ConnectionRefused => return Some(Ending::Refused),
                    // It may have answered before it closed.
                    _ if self.sent > 0 => break,
                    _ => return Some(Ending::CutOff),
                },
            }
        }
        let mut chunk = [0; 16 * 1024];
        for _ in 0..READS_MAX {
            match socket.read(&mut chunk) {
                Ok(0) => return Some(self.reader.end().map_or(Ending::CutOff, Ending::Answered)),
                Ok(count) => match self.reader.take(&chunk[..count]) {
                    Progress::Going => {}
                    Progress::Whole(answer) => return Some(Ending::Answered(answer)),
                    Progress::Garbled => return Some(Ending::Garbled),
                },
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return None,
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::ConnectionRefused => return Some(Ending::Refused),
                    _ => return Some(Ending::CutOff),
                },
            }
        }
        None
    }
}

fn connect(addr: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    match socket.connect(&SockAddr::from(addr)) {
        Ok(()) => Ok(socket),
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => Ok(socket),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn target(addr: SocketAddr) -> Target {
        Target::parse(&format!("http://{addr}/"), "GET").unwrap()
    }

    #[test]
    fn one_answer_takes_no_more_than_its_turn() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let target = target(addr);
        let mut flight = Flight::begin(&target, addr, clock::now());
        let (mut peer, _) = listener.accept().unwrap();
        peer.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        peer.set_nonblocking(true).unwrap();
        let piece = [b'x'; 16 * 1024];
        let mut sent = 0;
        while let Ok(count) = peer.write(&piece) {
            sent += count;
        }
        assert!(
            sent > 2 * READS_MAX * piece.len(),
            "{sent} bytes were taken"
        );
        wait_for(std::slice::from_ref(&flight), Duration::from_secs(10));
        assert_eq!(flight.advance(&target.request), None);
        let left = flight.socket.as_mut().unwrap().read(&mut [0]);
        assert_eq!(left.unwrap(), 1, "the rest is left for the next turn");
    }

    #[test]
    fn what_this_machine_cannot_begin_is_not_put_down_to_the_application() {
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = nobody.local_addr().unwrap();
        drop(nobody);
        let ending = |addr: SocketAddr| ask(&target(addr), addr, Duration::from_secs(5)).ending;
        assert_eq!(ending(addr), Ending::Refused);
        // No way leads to all hosts at once.
        assert_eq!(ending(([255; 4], 9).into()), Ending::NotBegun);
    }
}
