//! A pool with fewer connections than calls.

use seawall_doctor::Code;

use crate::case::Case;

pub(super) const CASE: Case = Case {
    name: "pool-exhausted",
    story: "blocking reads hold all connections of the client's own pool",
    truth: &[Code(1)],
    act: |bed| {
        let mut pool: Vec<_> = (0..2).map(|_| bed.client().patience_ms(3_000)).collect();
        for client in &mut pool {
            client.send(&[&["BLPOP", "queue", "1"]]);
        }
        for _ in 0..5 {
            // Both are in use: redis-py's pool says so, and asks nobody.
            bed.log()
                .exception("MaxConnectionsError", "Too many connections");
        }
        for client in &mut pool {
            client.reply();
        }
        Ok(())
    },
    ..Case::PLAIN
};
