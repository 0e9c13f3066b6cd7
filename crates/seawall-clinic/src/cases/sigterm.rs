//! The process is told to stop.

use seawall_doctor::Code;

use crate::case::Case;

pub(super) const CASE: Case = Case {
    name: "sigterm",
    story: "the process is stopped by SIGTERM and does not come back",
    truth: &[Code(401)],
    also: &[Code(101)],
    act: |bed| {
        let mut client = bed.client();
        client.call(&["PING"]);
        bed.server().sigterm()?;
        for _ in 0..4 {
            client.call(&["PING"]);
        }
        Ok(())
    },
    ..Case::PLAIN
};
