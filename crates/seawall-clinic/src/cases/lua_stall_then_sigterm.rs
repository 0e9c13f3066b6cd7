//! A script that takes its time, and a stop that nobody felt.

use seawall_doctor::Code;

use super::lua_stall::SCRIPT;
use crate::case::Case;

pub(super) const CASE: Case = Case {
    name: "lua-stall-then-sigterm",
    story: "calls time out of a script, their clients go, and then somebody stops the server in order",
    truth: &[Code(601), Code(603)],
    act: |bed| {
        let mut script = bed.client().patience_ms(5_000);
        let mut others: Vec<_> = (0..2).map(|_| bed.client()).collect();
        for client in &mut others {
            client.call(&["PING"]);
        }
        script.send(&[&["EVAL", SCRIPT, "0"]]);
        for client in &mut others {
            client.call(&["GET", "key"]);
        }
        script.reply();
        bed.look();
        Ok(bed.server().restart()?)
    },
    ..Case::PLAIN
};
