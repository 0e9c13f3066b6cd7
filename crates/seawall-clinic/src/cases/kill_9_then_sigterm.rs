//! The process is killed, and its successor told to stop when all is well again.

use std::time::Duration;

use seawall_doctor::Code;

use super::kill_9::killed;
use crate::case::Case;

pub(super) const CASE: Case = Case {
    name: "kill-9-then-sigterm",
    story: "calls fail of a SIGKILL, the next process answers, and somebody stops that one in order",
    truth: &[Code(408)],
    act: |bed| {
        killed(bed)?;
        // Near enough to be taken for it: an application's clock may be so far behind.
        std::thread::sleep(Duration::from_millis(500));
        Ok(bed.server().sigterm()?)
    },
    ..Case::PLAIN
};
