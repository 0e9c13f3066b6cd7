//! A subscriber that does not read.

use seawall_doctor::Code;

use crate::case::Case;

pub(super) const CASE: Case = Case {
    name: "slow-subscriber",
    story: "a subscriber reads nothing until its output buffer is full",
    truth: &[Code(301)],
    config: &[("client-output-buffer-limit", "pubsub 1mb 0 0")],
    act: |bed| {
        let mut slow = bed.client();
        slow.call(&["CLIENT", "SETNAME", "metrics"]);
        slow.call(&["SUBSCRIBE", "news"]);
        // Small ones: Valkey 9 does not count large ones that it sends without a copy.
        let message = [b'x'; 4096];
        let publish: &[&[u8]] = &[b"PUBLISH", b"news", &message];
        bed.until("the limit", |bed| {
            bed.server().pipeline(&[publish; 200])?;
            let info = bed
                .server()
                .command(&[b"CLIENT", b"LIST", b"TYPE", b"pubsub"])?;
            Ok(info.as_bytes().is_some_and(<[u8]>::is_empty))
        })?;
        slow.read_to_its_end();
        Ok(())
    },
    ..Case::PLAIN
};
