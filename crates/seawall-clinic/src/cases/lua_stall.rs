//! A script that takes its time.

use seawall_doctor::Code;

use crate::case::Case;

/// Asks for the time until a second is over.
const SCRIPT: &str = "local t = redis.call('TIME') repeat local n = redis.call('TIME') \
    until (n[1] - t[1]) * 1000000 + n[2] - t[2] > 1000000 return 1";

pub(super) const CASE: Case = Case {
    name: "lua-stall",
    story: "a script runs for a second, and everybody else waits",
    truth: &[Code(601), Code(603)],
    act: |bed| {
        let mut others: Vec<_> = (0..3).map(|_| bed.client()).collect();
        for client in &mut others {
            client.call(&["PING"]);
        }
        let mut script = bed.client().patience_ms(5_000);
        script.send(&[&["EVAL", SCRIPT, "0"]]);
        for client in &mut others {
            client.call(&["GET", "key"]);
        }
        script.reply();
        Ok(())
    },
    ..Case::PLAIN
};
