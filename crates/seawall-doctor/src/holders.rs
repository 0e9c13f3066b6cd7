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
    let mut sought: BTreeMap<SocketAddr, &str> = clients
        .iter()
        .filter_map(|client| Some((client.addr.parse().ok()?, &*client.addr)))
        .collect();
    let mut addrs: BTreeMap<u64, &str> = BTreeMap::new();
    let mut ours = BTreeSet::new();
    for _ in 0..ASKED_MAX {
        for (addr, inode) in sockets() {
            if let Some(text) = sought.remove(&addr) {
                ours.insert(addr.ip());
                addrs.insert(inode, text);
            }
        }
        // Whoever has another host's address is not looked for again.
        if sought.keys().all(|addr| !ours.contains(&addr.ip())) {
            break;
        }
    }
    if addrs.is_empty() {
        return Vec::new();
    }
    processes()
        .take(PROCESSES_MAX)
        .filter_map(|pid| holder(pid, &addrs))
        .collect()
}

/// The addresses and inodes of this host's sockets.
fn sockets() -> Vec<(SocketAddr, u64)> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(fs::read_to_string);
    let lines = tables.iter().flatten().flat_map(|table| table.lines());
    lines.filter_map(socket).collect()
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

/// A line of `/proc/net/tcp`: the socket's own address, and its inode.
fn socket(line: &str) -> Option<(SocketAddr, u64)> {
    let mut words = line.split_whitespace();
    let addr = address(words.nth(1)?)?;
    Some((addr, words.nth(7)?.parse().ok()?))
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
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let at = listener.local_addr().expect("it is bound");
        let held: Vec<_> = (0..CROWD)
            .map(|_| std::net::TcpStream::connect(at).expect("it listens"))
            .collect();
        let clients: Vec<_> = held
            .iter()
            .map(|stream| Peer {
                addr: stream.local_addr().expect("it is connected").to_string(),
                ..Peer::default()
            })
            .collect();
        // The kernel's table passes rows over while others open and close sockets, as tests do that run beside this one.
        let all_held = (0..50).any(|_| {
            let holders = of(&clients);
            let ours = holders.iter().find(|one| one.pid == std::process::id());
            ours.is_some_and(|ours| ours.addrs.len() == CROWD)
        });
        assert!(all_held);
        assert_eq!(of(&clients[1..]), []);
    }
}
