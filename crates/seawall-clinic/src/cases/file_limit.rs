//! No file descriptor for another client.

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use seawall_doctor::Code;

use crate::case::Case;

pub(super) const CASE: Case = Case {
    name: "file-limit",
    story: "the server may open no more files, and cannot accept",
    truth: &[Code(106)],
    act: |bed| {
        let pid = bed.server().pid().unwrap_or(0);
        let open = std::fs::read_dir(format!("/proc/{pid}/fd"))?.count();
        let most = Some(open as u64 + 3);
        let process = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let former = prlimit(
            process,
            Resource::Nofile,
            Rlimit {
                current: most,
                maximum: getrlimit(Resource::Nofile).maximum,
            },
        )
        .map_err(std::io::Error::from)?;
        for _ in 0..6 {
            let mut client = bed.client().patience_ms(100);
            client.call(&["PING"]);
            bed.keep(client);
        }
        bed.until_said("Too many open files")?;
        // It writes that line as fast as it can, and nobody could look.
        prlimit(process, Resource::Nofile, former).map_err(std::io::Error::from)?;
        Ok(())
    },
    ..Case::PLAIN
};
