//! Where the measuring happens: a real server, and which processes run on which cores.

use std::fs;
use std::time::Duration;

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use seawall_lab::world::{self, Server};

use crate::Result;

/// The key that every GET of a benchmark reads.
pub(crate) const KEY: &str = "bench:sixteen";

/// What it holds: 16 bytes.
pub(crate) const VALUE: &[u8] = b"sixteen bytes ok";

/// Who runs where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    /// Client and server share one core: what a call costs in all, without the wake-ups between cores.
    Together,
    /// Each has a core of its own.
    Apart,
    /// Both may use both cores, as the kernel likes.
    Free,
}

/// The cores that are used: the first two that this process was allowed at its start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cores {
    client: usize,
    /// `None`: there is one core for both.
    server: Option<usize>,
}

impl Cores {
    /// Finds them. To be asked first: pinning narrows what is allowed.
    pub(crate) fn find() -> Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core));
        let client = cores.next().ok_or("this process may use no core")?;
        Ok(Self {
            client,
            server: cores.next(),
        })
    }

    /// Keeps this process on one core, where nothing else is measured; says which.
    pub(crate) fn pin_client(self) -> Result<String> {
        pin("self", &[self.client])?;
        Ok(format!("on core {}", self.client))
    }
}

/// A running server, and who runs where.
pub(crate) struct Ground {
    server: Server,
    cores: Cores,
}

impl Ground {
    /// Starts a server that holds [`KEY`].
    pub(crate) fn prepare(cores: Cores) -> Result<Self> {
        // Nothing is written to disk: what is measured is the way to the server and back.
        let server = Server::start(&world::server_binary(None)?, &[("appendonly", "no")])?;
        server.command(&[b"SET", KEY.as_bytes(), VALUE])?;
        Ok(Self { server, cores })
    }

    /// Where the server listens.
    pub(crate) fn addr(&self) -> std::net::SocketAddr {
        self.server.addr()
    }

    /// The same as a URL.
    pub(crate) fn url(&self) -> String {
        format!("redis://{}/0", self.addr())
    }

    /// The server as a person would name it.
    pub(crate) fn server_name(&self) -> String {
        let binary = self.server.binary();
        format!("{} {}", binary.flavour, binary.version)
    }

    /// The processor time of the server's main thread, which serves the clients.
    pub(crate) fn server_time(&self) -> Result<Duration> {
        let path = format!("/proc/{}/schedstat", self.pid()?);
        let text = fs::read_to_string(path)?;
        let nanos = text.split(' ').next().unwrap_or_default().parse()?;
        Ok(Duration::from_nanos(nanos))
    }

    /// Moves both processes with all their threads; says in words who runs where. `None`: this machine has one core.
    pub(crate) fn place(&self, placement: Placement) -> Result<Option<String>> {
        let (one, other) = match (self.cores.server, placement) {
            (Some(server), _) => (self.cores.client, server),
            (None, Placement::Together) => (self.cores.client, self.cores.client),
            (None, Placement::Apart | Placement::Free) => return Ok(None),
        };
        let (of_client, of_server, words) = match placement {
            Placement::Together => (
                vec![one],
                vec![one],
                format!("client and server on core {one}"),
            ),
            Placement::Apart => (
                vec![one],
                vec![other],
                format!("client on core {one}, server on core {other}"),
            ),
            Placement::Free => (
                vec![one, other],
                vec![one, other],
                format!("client and server on cores {one} and {other}"),
            ),
        };
        pin("self", &of_client)?;
        pin(&self.pid()?.to_string(), &of_server)?;
        Ok(Some(words))
    }

    fn pid(&self) -> Result<u32> {
        self.server
            .pid()
            .ok_or_else(|| "the server has ended".into())
    }
}

/// Keeps each thread of a process on some cores; threads that it makes later inherit that.
fn pin(process: &str, cores: &[usize]) -> Result<()> {
    let mut set = CpuSet::new();
    for &core in cores {
        set.set(core);
    }
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let name = thread?.file_name();
        let id = name.to_str().and_then(|name| name.parse().ok());
        match sched_setaffinity(id.and_then(Pid::from_raw), &set) {
            // It ended since the list was read.
            Ok(()) | Err(rustix::io::Errno::SRCH) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}
