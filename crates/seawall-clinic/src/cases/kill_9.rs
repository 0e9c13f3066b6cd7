//! The process is killed.

use seawall_doctor::Code;

use crate::bed::Bed;
use crate::case::{Case, Trouble};

pub(super) const CASE: Case = Case {
    name: "kill-9",
    story: "the process is killed by SIGKILL and started again",
    truth: &[Code(408)],
    act: killed,
    ..Case::PLAIN
};

/// A client's calls fail of it, until it is started again.
pub(super) fn killed(bed: &mut Bed<'_>) -> Result<(), Trouble> {
    let mut client = bed.client();
    client.call(&["PING"]);
    bed.server().kill9()?;
    for _ in 0..3 {
        client.call(&["PING"]);
    }
    Ok(bed.server().start_again()?)
}
