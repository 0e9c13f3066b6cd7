//! The kernel kills the process for lack of memory.

use seawall_doctor::Code;

use crate::case::{Case, Trouble};
use crate::kernel::{self, Cgroup};

/// Beyond what an empty server takes; filled in a moment.
const LIMIT: u64 = 48 * 1024 * 1024;

pub(super) const CASE: Case = Case {
    name: "oom-kill",
    story: "the memory of the container is used up, and the kernel kills the server",
    truth: &[Code(402)],
    config: &[("appendonly", "no")],
    act: |bed| {
        let Some(before) = kernel::log() else {
            return Err(Trouble::LeftOut(
                "the kernel's log is not for us".to_owned(),
            ));
        };
        let pid = bed.server().pid().unwrap_or(0);
        let cgroup = Cgroup::new(LIMIT)?;
        cgroup.hold(pid)?;
        let mut client = bed.client();
        let value = "x".repeat(1_000_000);
        for number in 0..200 {
            if client.call(&["SET", &number.to_string(), &value]).is_none() {
                break;
            }
        }
        client.call(&["PING"]);
        bed.server().kill9()?;
        let seen = before.lines().last().unwrap_or("").to_owned();
        let killed = format!("Killed process {pid} ");
        let mut told = String::new();
        bed.until("the kernel's kill", |_| {
            let after = kernel::log().unwrap_or_default();
            let lines = after.rsplit_once(&seen).map_or(&*after, |(_, new)| new);
            lines.trim_start().clone_into(&mut told);
            Ok(told.contains(&killed))
        })?;
        bed.kernel(&told);
        Ok(bed.server().start_again()?)
    },
    ..Case::PLAIN
};
