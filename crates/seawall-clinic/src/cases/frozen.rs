//! The process stands still.

use seawall_doctor::Code;

use crate::case::Case;

pub(super) const CASE: Case = Case {
    name: "frozen",
    story: "the process is stopped (SIGSTOP): the kernel takes connections, nobody answers",
    truth: &[Code(102)],
    act: |bed| {
        let mut client = bed.client();
        client.call(&["PING"]);
        bed.server().freeze()?;
        for _ in 0..3 {
            client.call(&["PING"]);
        }
        Ok(())
    },
    ..Case::PLAIN
};
