//! Writes to a server that was made a replica.

use seawall_doctor::Code;
use seawall_lab::world::Server;

use crate::case::Case;

pub(super) const CASE: Case = Case {
    name: "read-only",
    story: "a failover makes the server a replica, and clients go on to write to it",
    truth: &[Code(801)],
    act: |bed| {
        let mut client = bed.client();
        client.call(&["SET", "key", "value"]);
        let primary = Server::start(bed.binary(), &[("repl-diskless-sync-delay", "0")])?;
        let port = primary.port().to_string();
        bed.server()
            .command(&[b"REPLICAOF", b"127.0.0.1", port.as_bytes()])?;
        bed.until("the replica's link", |bed| {
            let told = bed.server().info("replication")?;
            Ok(told
                .get("master_link_status")
                .is_some_and(|status| status == "up"))
        })?;
        for _ in 0..3 {
            client.call(&["SET", "key", "value"]);
        }
        bed.keep(primary);
        Ok(())
    },
    ..Case::PLAIN
};
