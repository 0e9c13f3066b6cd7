//! All data are deleted.

use seawall_doctor::Code;

use crate::case::Case;

pub(super) const CASE: Case = Case {
    name: "flushall",
    story: "somebody deletes all data by FLUSHALL",
    truth: &[Code(750)],
    act: |bed| {
        bed.server().command(&[b"DEBUG", b"POPULATE", b"20000"])?;
        bed.look();
        bed.client().call(&["FLUSHALL"]);
        for user in 0..5 {
            bed.log()
                .line(&format!("WARNING app session of user {user} not found"));
        }
        Ok(())
    },
    ..Case::PLAIN
};
