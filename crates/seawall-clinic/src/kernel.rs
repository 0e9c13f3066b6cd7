//! The kernel's log, and a cgroup of our own: where the host has both for us.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::case::Trouble;

/// The kernel's log now, with times; nothing where it is not for us.
pub(crate) fn log() -> Option<String> {
    let out = Command::new("dmesg")
        .args(["--time-format", "iso"])
        .output()
        .ok()?;
    out.status
        .success()
        .then(|| String::from_utf8_lossy(&out.stdout).into_owned())
}

/// A cgroup with a limit of memory; removed when this is dropped.
pub(crate) struct Cgroup {
    dir: PathBuf,
}

impl Cgroup {
    /// Makes one. Version 1 and 2 of cgroups call the limit by different names.
    pub(crate) fn new(bytes: u64) -> Result<Self, Trouble> {
        let name = format!("seawall-clinic-{}", std::process::id());
        let ways = [
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            ("/sys/fs/cgroup", "memory.max"),
        ];
        for (root, limit) in ways {
            let dir = PathBuf::from(root).join(&name);
            if fs::create_dir(&dir).is_err() {
                continue;
            }
            let made = Self { dir };
            if fs::write(made.dir.join(limit), bytes.to_string()).is_ok() {
                return Ok(made);
            }
        }
        Err(Trouble::LeftOut(
            "no cgroup with a limit of memory can be made here".to_owned(),
        ))
    }

    /// Puts a process into it.
    pub(crate) fn hold(&self, pid: u32) -> Result<(), Trouble> {
        fs::write(self.dir.join("cgroup.procs"), pid.to_string()).map_err(|error| {
            Trouble::LeftOut(format!("the server cannot be put into a cgroup: {error}"))
        })
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Whoever was in it has ended; where the kernel still counts it, an empty cgroup stays behind.
        let _ = fs::remove_dir(&self.dir);
    }
}
