//! Somebody has all clients closed.

use seawall_doctor::Code;

use crate::case::Case;

pub(super) const CASE: Case = Case {
    name: "client-kill",
    story: "somebody closes all clients by CLIENT KILL",
    truth: &[Code(308)],
    act: |bed| {
        let mut pool: Vec<_> = (0..5).map(|_| bed.client()).collect();
        for client in &mut pool {
            client.call(&["PING"]);
        }
        bed.server().client_kill_all()?;
        for client in &mut pool {
            client.call(&["PING"]);
        }
        Ok(())
    },
    ..Case::PLAIN
};
