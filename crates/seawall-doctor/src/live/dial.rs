//! A socket to a server, opened in time.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use seawall_model::Endpoint;

use crate::facts::Reach;

pub(super) trait Wire: Read + Write + Send {
    /// From now on reads and writes take no longer than this.
    fn wait(&mut self, span: Duration) -> io::Result<()>;

    /// Who answers, where that has an address.
    fn peer(&self) -> Option<SocketAddr> {
        None
    }
}

impl Wire for TcpStream {
    fn peer(&self) -> Option<SocketAddr> {
        self.peer_addr().ok()
    }

    fn wait(&mut self, span: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(span))?;
        self.set_write_timeout(Some(span))
    }
}

impl Wire for UnixStream {
    fn wait(&mut self, span: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(span))?;
        self.set_write_timeout(Some(span))
    }
}

pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Opens a socket, on a thread of its own: neither a name service nor a full Unix socket knows of deadlines. Where one of
/// them keeps it longer, it is left behind.
pub(super) fn open(endpoint: Endpoint, until: Instant) -> Result<Socket, Reach> {
    let (tell, told) = mpsc::channel();
    let opening = thread::Builder::new()
        .name("doctor-dial".into())
        .spawn(move || {
            let opened = match &endpoint {
                Endpoint::Unix { path } => UnixStream::connect(path.as_ref())
                    .map(Socket::Unix)
                    .map_err(|error| not_opened(&error)),
                Endpoint::Tcp { host, port } => dial(host, *port, until).map(Socket::Tcp),
            };
            // Whoever waited may have gone.
            let _ = tell.send(opened);
        });
    if let Err(error) = opening {
        return Err(Reach::Unreachable(format!("no thread can be had: {error}")));
    }
    let rest = until.saturating_duration_since(Instant::now());
    told.recv_timeout(rest)
        .unwrap_or(Err(Reach::Silent { connected: false }))
}

fn dial(host: &str, port: u16, until: Instant) -> Result<TcpStream, Reach> {
    let addresses: Vec<_> = (host, port)
        .to_socket_addrs()
        .map_err(|error| Reach::NameUnknown(error.to_string()))?
        .collect();
    let mut last = Reach::NameUnknown("the name has no address".to_owned());
    for (place, address) in addresses.iter().enumerate() {
        let rest = until.saturating_duration_since(Instant::now());
        let left = u32::try_from(addresses.len() - place).unwrap_or(1);
        let share = (rest / left).max(Duration::from_millis(1));
        match TcpStream::connect_timeout(address, share) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = not_opened(&error),
        }
    }
    Err(last)
}

fn not_opened(error: &io::Error) -> Reach {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Reach::Refused,
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Reach::Silent { connected: false },
        _ => Reach::Unreachable(error.to_string()),
    }
}
