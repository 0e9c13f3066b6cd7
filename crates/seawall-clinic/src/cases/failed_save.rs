//! A snapshot that cannot be written.

use seawall_doctor::Code;

use crate::case::Case;

pub(super) const CASE: Case = Case {
    name: "failed-save",
    story: "a snapshot cannot be written, and the server refuses writes (MISCONF)",
    truth: &[Code(706), Code(701)],
    config: &[("save", "3600 1"), ("appendonly", "no")],
    act: |bed| {
        let mut client = bed.client();
        client.call(&["SET", "key", "value"]);
        bed.server().break_saves()?;
        for _ in 0..3 {
            client.call(&["SET", "key", "value"]);
        }
        Ok(())
    },
    ..Case::PLAIN
};
