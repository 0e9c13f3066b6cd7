//! A password that is not the server's.

use seawall_doctor::Code;

use crate::case::Case;

pub(super) const CASE: Case = Case {
    name: "wrong-password",
    story: "the application has another password than the server",
    truth: &[Code(901)],
    config: &[("requirepass", "right")],
    act: |bed| {
        for _ in 0..3 {
            let mut client = bed.client();
            client.call(&["AUTH", "wrong"]);
        }
        Ok(())
    },
    ..Case::PLAIN
};
