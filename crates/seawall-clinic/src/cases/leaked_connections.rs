//! Connections that nobody gives back.

use seawall_doctor::Code;

use crate::case::Case;

pub(super) const CASE: Case = Case {
    name: "leaked-connections",
    story: "one process opens connections and closes none, until the server has no more room",
    truth: &[Code(2)],
    also: &[Code(105)],
    act: |bed| {
        bed.server().config_set("maxclients", "120")?;
        for _ in 0..130 {
            let mut client = bed.client();
            client.call(&["GET", "key"]);
            bed.keep(client);
        }
        Ok(())
    },
    ..Case::PLAIN
};
