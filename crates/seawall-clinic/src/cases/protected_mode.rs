//! A server without a password that is asked from elsewhere.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use seawall_doctor::Code;

use crate::case::{Case, Trouble};

pub(super) const CASE: Case = Case {
    name: "protected-mode",
    story: "a server without a password lets in nobody from other hosts",
    truth: &[Code(104)],
    config: &[("protected-mode", "yes")],
    act: |bed| {
        let Some(host) = own_address() else {
            let why = "this host has no address but loopback";
            return Err(Trouble::LeftOut(why.to_owned()));
        };
        // Not to every address: a connection of somebody else's may have the port at another one.
        let both = format!("127.0.0.1 {host}");
        if bed.server().config_set("bind", &both).is_err() {
            let why = "this server cannot be told at runtime where to listen (7.0), or the port is taken there";
            return Err(Trouble::LeftOut(why.to_owned()));
        }
        let addr = SocketAddr::from((host, bed.server().port()));
        for _ in 0..3 {
            let mut client = bed.client().at(addr);
            if client.connect() {
                client.reply();
            }
        }
        bed.look_now_at(&format!("redis://{addr}"));
        Ok(())
    },
    ..Case::PLAIN
};

/// The address that others see: nothing is sent to find it.
fn own_address() -> Option<Ipv4Addr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    match socket.local_addr().ok()? {
        SocketAddr::V4(addr) if !addr.ip().is_loopback() && !addr.ip().is_unspecified() => {
            Some(*addr.ip())
        }
        _ => None,
    }
}
