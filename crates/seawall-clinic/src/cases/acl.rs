//! A user who may not do it.

use seawall_doctor::Code;

use crate::case::Case;

pub(super) const CASE: Case = Case {
    name: "acl-refusal",
    story: "the application's user may read, and writes",
    truth: &[Code(902)],
    act: |bed| {
        let user: &[&[u8]] = &[
            b"ACL",
            b"SETUSER",
            b"app",
            b"on",
            b">secret",
            b"~*",
            b"+@read",
            b"+@connection",
        ];
        bed.server().command(user)?;
        let mut client = bed.client();
        client.call(&["AUTH", "app", "secret"]);
        for _ in 0..3 {
            client.call(&["SET", "key", "value"]);
        }
        Ok(())
    },
    ..Case::PLAIN
};
