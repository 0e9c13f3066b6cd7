//! The independent witness: asks the server every 5 ms and writes down whether it served.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::timeline::Timeline;

/// How to be let in by a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// The ACL user; none means the default user.
    pub user: Option<String>,
    /// The password; none means that none is sent.
    pub password: Option<String>,
}

impl Access {
    /// The AUTH command that lets in, if any is needed.
    pub(super) fn auth_words(&self) -> Option<Vec<&[u8]>> {
        let password = self.password.as_ref()?;
        let words = [Some("AUTH"), self.user.as_deref(), Some(password.as_str())];
        Some(words.into_iter().flatten().map(str::as_bytes).collect())
    }
}

/// A thread that asks one address for PING every 5 ms.
#[derive(Debug)]
pub struct Probe {}

impl Probe {
    /// Starts to ask `addr`: the server's own address, or a relay's where the scenario cuts the relay alone.
    pub fn start(addr: SocketAddr, access: Access) -> io::Result<Self> {
        drop((addr, access));
        Ok(Self {})
    }

    /// Waits until the server served at least once since the start; false if `limit` passed before.
    pub fn wait_until_serving(&self, limit: Duration) -> bool {
        limit.is_zero()
    }

    /// What was seen so far.
    pub fn so_far(&self) -> Timeline {
        Timeline::new()
    }

    /// Stops asking.
    pub fn finish(self) -> Timeline {
        Timeline::new()
    }
}
