//! The server comes back from a restart with another password.

use seawall_doctor::Code;

use crate::case::Case;

pub(super) const CASE: Case = Case {
    name: "restart-then-wrong-password",
    story: "a restart that nobody felt brings another password, and no call is let in any more",
    truth: &[Code(901)],
    config: &[("requirepass", "right")],
    act: |bed| {
        bed.server().restart()?;
        for _ in 0..3 {
            let mut client = bed.client();
            client.call(&["AUTH", "wrong"]);
        }
        Ok(())
    },
    ..Case::PLAIN
};
