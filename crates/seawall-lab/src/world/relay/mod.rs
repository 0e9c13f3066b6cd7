//! A TCP relay that breaks connections on demand, faithfully.
//!
//! One thread carries every connection between clients and one server. A reset is a RST (linger 0), a close in order is
//! a FIN and may be half a close, and a partition is the kernel dropping packets before TCP sees them. What the server
//! does is passed on the same way: its FIN as a FIN, its RST as a RST, each behind the bytes that came before it. A
//! server that refuses is the exception: its client was accepted already, and gets a RST.
//!
//! What needs no frames works on raw bytes, whatever they are. Each direction of a connection holds at most 1 MiB:
//! whoever does not read makes the other side wait. (Knowing which reply belongs to which request takes a copy of the
//! frame that has begun, of up to 64 MiB.)

mod counters;
mod deaf;
mod door;
mod engine;
mod fault;
mod flow;
mod lane;
mod rules;
mod side;
mod track;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::OwnedFd;

pub use counters::Counters;
use engine::{Engine, Order};
pub use fault::{Fault, Lost};

/// Where a second relay listens.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// How many ports are tried that must be free at two addresses.
const TRIES: u32 = 16;

/// A relay on a loopback port of its own. Dropping it resets every connection and frees the port.
#[derive(Debug)]
pub struct Relay {
    addr: SocketAddr,
    orders: Sender<Order>,
    wake: OwnedFd,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// Listens on a free loopback port and forwards each connection to `upstream`, which need not be up yet.
    ///
    /// Fails if the host has no port or descriptor to give, if its kernel cannot drop packets for us, and for an
    /// `upstream` that is not IPv4.
    pub fn start(upstream: SocketAddr) -> io::Result<Self> {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), upstream)
    }

    /// Two relays before one `upstream`, at the same port of 127.0.0.1 and 127.0.0.2: a host, and the one that a name
    /// moves to.
    pub fn start_two(upstream: SocketAddr) -> io::Result<(Self, Self)> {
        let mut tries = 0;
        loop {
            let first = Self::start(upstream)?;
            let there = SocketAddr::from((ELSEWHERE, first.addr().port()));
            match Self::start_at(there, upstream) {
                Ok(second) => return Ok((first, second)),
                // Somebody has that port there.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries < TRIES => {
                    tries += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn start_at(at: SocketAddr, upstream: SocketAddr) -> io::Result<Self> {
        if !upstream.is_ipv4() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{upstream} is no IPv4 address"),
            ));
        }
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let (orders, inbox) = mpsc::channel();
        let engine = Engine::new(at, upstream, inbox, wake.try_clone()?)?;
        let addr = engine.addr();
        let thread = thread::Builder::new()
            .name("lab-relay".into())
            .spawn(move || engine.run())?;
        Ok(Self {
            addr,
            orders,
            wake,
            thread: Some(thread),
        })
    }

    /// Where clients connect; the same for the relay's whole life.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Puts `fault` in force in place of the one before. It is in force when this returns.
    ///
    /// What the fault before has done to connections stays done: forgotten flows stay forgotten, swallowed ones
    /// swallowed, silent ones silent. Panics if the host has no descriptor left to listen again.
    pub fn set(&self, fault: Fault) {
        self.change(Some(fault));
    }

    /// Ends the fault in force; nothing is in force when this returns.
    pub fn clear(&self) {
        self.change(None);
    }

    /// What went through so far.
    pub fn counters(&self) -> Counters {
        let (reply, counters) = mpsc::sync_channel(1);
        self.order(Order::Count(reply));
        counters
            .recv()
            .expect("the relay's thread lives as long as the relay")
    }

    fn change(&self, fault: Option<Fault>) {
        let (done, result) = mpsc::sync_channel(1);
        self.order(Order::Set(fault, done));
        let result = result
            .recv()
            .expect("the relay's thread lives as long as the relay");
        result.expect("the relay can listen on its own port");
    }

    fn order(&self, order: Order) {
        // Both fail only if the thread has ended, which waiting for its answer tells.
        let _ = self.orders.send(order);
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.order(Order::Stop);
        if let Some(thread) = self.thread.take() {
            // A panic in there was reported when it happened.
            let _ = thread.join();
        }
    }
}
