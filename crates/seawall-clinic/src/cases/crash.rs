//! The process crashes.

use seawall_doctor::Code;

use crate::case::Case;

pub(super) const CASE: Case = Case {
    name: "crash",
    story: "the process crashes (SIGSEGV)",
    truth: &[Code(404)],
    also: &[Code(101)],
    act: |bed| {
        let mut client = bed.client();
        client.call(&["PING"]);
        // It has no time to answer.
        let _ = bed.server().command(&[b"DEBUG", b"SEGFAULT"]);
        bed.until_said("crashed by signal")?;
        bed.server().kill9()?;
        for _ in 0..3 {
            client.call(&["PING"]);
        }
        Ok(())
    },
    ..Case::PLAIN
};
