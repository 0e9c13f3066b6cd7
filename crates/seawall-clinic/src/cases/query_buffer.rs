//! A request larger than requests may be.

use seawall_doctor::Code;

use crate::case::Case;

pub(super) const CASE: Case = Case {
    name: "query-buffer",
    story: "one request is larger than client-query-buffer-limit",
    truth: &[Code(305)],
    config: &[("client-query-buffer-limit", "1mb")],
    act: |bed| {
        let part = format!(
            "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$9000000\r\n{}",
            "x".repeat(3_000_000)
        );
        let mut client = bed.client();
        client.send_bytes(part.as_bytes());
        client.read_to_its_end();
        bed.until_said("max query buffer length")
    },
    ..Case::PLAIN
};
