//! The server reads its data.

use std::time::Duration;

use seawall_doctor::Code;

use crate::case::Case;

pub(super) const CASE: Case = Case {
    name: "loading",
    story: "the server reads its data anew, and answers LOADING meanwhile",
    truth: &[Code(406)],
    act: |bed| {
        let mut client = bed.client();
        client.call(&["SET", "key", "value"]);
        bed.server().reload_for(Duration::from_millis(1_500))?;
        for _ in 0..3 {
            client.call(&["GET", "key"]);
        }
        bed.look_now();
        Ok(())
    },
    ..Case::PLAIN
};
