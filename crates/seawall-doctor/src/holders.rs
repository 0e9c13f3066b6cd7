//! Which processes of this host hold connections, as `ss -tnp` tells: by the sockets of `/proc`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::facts::{Holder, Peer};

/// Fewer clients are no crowd of which anybody has to know whose it is: looking costs a walk over all open files.
const CROWD: usize = 100;

/// The kernel tells its sockets piece by piece: one may be passed over while others come and go. So often it is asked.
const ASKED_MAX: usize = 3;

/// So many processes are looked at.
const PROCESSES_MAX: usize = 10_000;

/// The processes of this host that hold these clients' connections; without root our own user's alone.
pub(crate) fn of(clients: &[Peer]) -> Vec<Holder> {
    if clients.len() < CROWD {
        return Vec::new();
    }
    let sought: BTreeMap<SocketAddr, &str> = clients
        .iter()
        .filter_map(|client| Some((client.addr.parse().ok()?, &*client.addr)))
        .collect();
    let mut found: BTreeMap<u64, Row> = BTreeMap::new();
    for _ in 0..ASKED_MAX {
        let rows = rows().filter(|row| sought.contains_key(&row.local));
        found.extend(rows.map(|row| (row.inode, row)));
        let ours: BTreeSet<_> = found.values().map(|row| row.local).collect();
        let hosts: BTreeSet<_> = ours.iter().map(SocketAddr::ip).collect();
        // Whoever has another host's address is not looked for again.
        let mut missed = sought.keys().filter(|addr| !ours.contains(addr));
        if missed.all(|addr| !hosts.contains(&addr.ip())) {
            break;
        }
    }
    let server = server_port(found.values());
    let of_server = found.values().filter(|row| Some(row.to) == server);
    let addrs = of_server
        .map(|row| (row.inode, sought[&row.local]))
        .collect::<BTreeMap<_, _>>();
    if addrs.is_empty() {
        return Vec::new();
    }
    processes()
        .take(PROCESSES_MAX)
        .filter_map(|pid| holder(pid, &addrs))
        .collect()
}

/// A connection of this host's.
struct Row {
    local: SocketAddr,
    /// The port that it leads to.
    to: u16,
    inode: u64,
}

fn rows() -> impl Iterator<Item = Row> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(fs::read_to_string);
    let rows = |table: String| table.lines().filter_map(row).collect::<Vec<_>>();
    tables.into_iter().flatten().flat_map(rows)
}

/// The port that most of them lead to. A client's own port may serve another connection besides, to another server.
fn server_port<'a>(rows: impl Iterator<Item = &'a Row>) -> Option<u16> {
    let mut counts: BTreeMap<u16, usize> = BTreeMap::new();
    for row in rows {
        *counts.entry(row.to).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    most.map(|(port, _)| port)
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn holder(pid: u32, addrs: &BTreeMap<u64, &str>) -> Option<Holder> {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    let held: Vec<_> = files
        .flatten()
        .filter_map(|file| {
            let link = fs::read_link(file.path()).ok()?;
            let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
            addrs.get(&inode.parse().ok()?).copied()
        })
        .map(str::to_owned)
        .collect();
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    (!held.is_empty()).then(|| Holder {
        pid,
        name: name.trim().to_owned(),
        addrs: held.into_iter().collect(),
    })
}

/// A line of `/proc/net/tcp`. A connection that has ended and is remembered for a while has no inode.
fn row(line: &str) -> Option<Row> {
    let mut words = line.split_whitespace();
    let local = address(words.nth(1)?)?;
    let to = address(words.next()?)?.port();
    let inode = words.nth(6)?.parse().ok()?;
    (inode != 0).then_some(Row { local, to, inode })
}

/// `0100007F:18EB`: words of 32 bits, each the wrong way round, and the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| u32::from_str_radix(host.get(at * 8..at * 8 + 8)?, 16).ok();
    let ip = match host.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?.swap_bytes())),
        32 => {
            let mut all = [0; 16];
            for (at, bytes) in all.chunks_exact_mut(4).enumerate() {
                bytes.copy_from_slice(&word(at)?.swap_bytes().to_be_bytes());
            }
            // A client may speak IPv4 from a socket of IPv6: the server sees the former.
            Ipv6Addr::from(all).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_proc_are_read() {
        for (text, addr) in [
            ("0100007F:18EB", Some("127.0.0.1:6379")),
            ("0A00000A:C822", Some("10.0.0.10:51234")),
            ("00000000000000000000000001000000:18EB", Some("[::1]:6379")),
            (
                "0000000000000000FFFF00000100007F:18EB",
                Some("127.0.0.1:6379"),
            ),
            ("0100007F", None),
            ("é000007F:18EB", None),
            ("local_address:", None),
        ] {
            let read = address(text).map(|addr| addr.to_string());
            assert_eq!(read.as_deref(), addr, "{text}");
        }
    }

    #[test]
    fn this_process_holds_its_own_connections() {
        let listen = || std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let (server, other) = (listen(), listen());
        let to = |listener: &std::net::TcpListener| listener.local_addr().expect("it is bound");
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let held: Vec<_> = (0..CROWD).map(|_| dial(any, to(&server))).collect();
        // Some had a connection to another server from the same port, which has ended, or have it still.
        let mut kept = Vec::new();
        for (number, stream) in held.iter().take(20).enumerate() {
            let own = stream.local_addr().expect("it is connected");
            let apart = dial(own, to(&other));
            let accepted = other.accept().expect("it was dialled");
            if number % 2 == 0 {
                drop(apart);
                drop(accepted);
            } else {
                kept.push((apart, accepted));
            }
        }
        let clients: Vec<_> = held
            .iter()
            .map(|stream| Peer {
                addr: stream.local_addr().expect("it is connected").to_string(),
                ..Peer::default()
            })
            .collect();
        let holders = of(&clients);
        let ours = holders.iter().find(|one| one.pid == std::process::id());
        assert_eq!(ours.map(|ours| ours.addrs.len()), Some(CROWD));
        assert_eq!(of(&clients[1..]), []);
    }

    /// A connection from a port that others may have too.
    fn dial(from: SocketAddr, to: SocketAddr) -> std::net::TcpStream {
        use socket2::{Domain, Socket, Type};
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.set_reuse_address(true).expect("it is new");
        socket.bind(&from.into()).expect("the port is free for it");
        socket.connect(&to.into()).expect("it listens");
        socket.into()
    }
}
