//! A script that takes its time.

use seawall_doctor::Code;

use crate::case::Case;

/// Counts until a second is over. For Valkey's scripts TIME stands still, and Redis's know no `os`.
pub(super) const SCRIPT: &str = "local has, clock = pcall(function() return os.clock end) \
    local function now() if has then return clock() end local t = redis.call('TIME') return t[1] + t[2] / 1000000 end \
    local from = now() repeat until now() - from > 1 return 1";

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
