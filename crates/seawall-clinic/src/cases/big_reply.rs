//! One reply that is larger than the output buffer may be.

use seawall_doctor::Code;

use crate::case::Case;

pub(super) const CASE: Case = Case {
    name: "big-reply",
    story: "one reply is larger than the limit of the output buffer",
    truth: &[Code(302)],
    config: &[("client-output-buffer-limit", "normal 1mb 0 0")],
    act: |bed| {
        let element = [b'x'; 4096];
        let mut push: Vec<&[u8]> = vec![b"RPUSH", b"large"];
        push.extend(std::iter::repeat_n(&element[..], 2_000));
        bed.server().command(&push)?;
        for _ in 0..3 {
            bed.client().call(&["LRANGE", "large", "0", "-1"]);
        }
        Ok(())
    },
    ..Case::PLAIN
};
