//! A client that sends and does not read.

use seawall_doctor::Code;

use crate::case::Case;

pub(super) const CASE: Case = Case {
    name: "pipeline-unread",
    story: "a client sends hundreds of requests and reads no reply",
    truth: &[Code(303), Code(302)],
    config: &[("client-output-buffer-limit", "normal 1mb 0 0")],
    act: |bed| {
        let value = vec![b'x'; 100_000];
        bed.server().command(&[b"SET", b"key", &value])?;
        let mut client = bed.client();
        let get: &[&str] = &["GET", "key"];
        client.send(&vec![get; 1_000]);
        bed.until_said("overcoming of output buffer limits")?;
        client.send(&vec![get; 1_000]);
        client.read_to_its_end();
        Ok(())
    },
    ..Case::PLAIN
};
