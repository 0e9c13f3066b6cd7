//! A replica that is sent everything again and again.

use seawall_doctor::Code;
use seawall_lab::world::Server;

use crate::case::Case;

pub(super) const CASE: Case = Case {
    name: "replica-loop",
    story: "the backlog is too small for what a replica misses: it is sent everything, again and again",
    truth: &[Code(802), Code(803)],
    config: &[
        ("repl-backlog-size", "16kb"),
        ("repl-diskless-sync-delay", "0"),
    ],
    act: |bed| {
        let of = format!("127.0.0.1 {}", bed.server().port());
        let replica = Server::start(bed.binary(), &[("replicaof", &of)])?;
        let value = vec![b'x'; 200_000];
        for round in 1..=4_u64 {
            bed.until("a full synchronisation", |bed| {
                let full = bed.server().info("stats")?;
                let up = replica.info("replication").is_ok_and(|told| {
                    told.get("master_link_status")
                        .is_some_and(|status| status == "up")
                });
                let done = full
                    .get("sync_full")
                    .and_then(|count| count.parse::<u64>().ok());
                Ok(up && done >= Some(round))
            })?;
            // While it stands still it cannot come back before the backlog has gone on without it.
            replica.freeze()?;
            let kill: &[&[u8]] = &[b"CLIENT", b"KILL", b"TYPE", b"replica"];
            let set: &[&[u8]] = &[b"SET", b"key", &value];
            bed.server().pipeline(&[kill, set, set])?;
            replica.thaw()?;
        }
        bed.keep(replica);
        Ok(())
    },
    ..Case::PLAIN
};
