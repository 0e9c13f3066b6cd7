//! Clients that take more memory than clients may.

use seawall_doctor::Code;

use crate::case::{Case, Trouble};

pub(super) const CASE: Case = Case {
    name: "client-eviction",
    story: "the clients together take more than maxmemory-clients, and the largest is closed",
    truth: &[Code(307)],
    act: |bed| {
        if bed.server().config_set("maxmemory-clients", "3mb").is_err() {
            let why = "this server has no maxmemory-clients (7.0)";
            return Err(Trouble::LeftOut(why.to_owned()));
        }
        let mut clients: Vec<_> = (0..4).map(|_| bed.client()).collect();
        // A value that never ends: it stays in the query buffer.
        let part = format!(
            "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$9000000\r\n{}",
            "x".repeat(1_200_000)
        );
        for client in &mut clients {
            client.send_bytes(part.as_bytes());
        }
        bed.until_said("Evicting client")?;
        for client in &mut clients {
            client.reply();
        }
        Ok(())
    },
    ..Case::PLAIN
};
