//! No room for more clients.

use seawall_doctor::Code;

use crate::case::Case;

pub(super) const CASE: Case = Case {
    name: "maxclients",
    story: "as many clients are connected as the server lets in",
    truth: &[Code(105)],
    act: |bed| {
        bed.server().config_set("maxclients", "20")?;
        for _ in 0..30 {
            let mut client = bed.client();
            client.call(&["PING"]);
            bed.keep(client);
        }
        Ok(())
    },
    ..Case::PLAIN
};
