//! Child processes that cannot outlive the laboratory.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

/// Becomes the program, after leaving a watcher behind that holds the reading end of a pipe from us. A word on the pipe
/// sends the watcher home; the pipe's end means that we died, however that came, and the watcher kills the program
/// (`$$` stays the program's id through `exec`), removes its directory, and ends what the program had forked. The watcher
/// is deaf to hang-ups: a process group that holds a stopped process gets one when the process above it dies.
///
/// The alternative, `PR_SET_PDEATHSIG`, needs unsafe code between fork and exec, kills the child when the *thread* that
/// started it ends, exists on Linux alone, and leaves the directory behind.
const LEASHED: &str = r#"
exec 3<&0 </dev/null
(PATH=$PATH:/usr/bin:/bin; trap "" HUP INT TERM; read -r word <&3 || { kill -KILL $$; rm -rf -- "$0"; kill -KILL 0; }) &
exec 3<&-
exec "$@"
"#;

/// A child process, killed when this is dropped and when the laboratory dies.
#[derive(Debug)]
pub(super) struct Leashed {
    child: Child,
    leash: ChildStdin,
}

impl Leashed {
    /// Starts `program` in a process group of its own; `dir` is removed if we die before it does.
    pub(super) fn spawn(
        program: &Path,
        args: &[&OsStr],
        dir: &Path,
        log: File,
    ) -> io::Result<Self> {
        let mut child = Command::new("/bin/sh")
            .args(["-c", LEASHED])
            .arg(dir)
            .arg(program)
            .args(args)
            .current_dir(dir)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let leash = child
            .stdin
            .take()
            .ok_or_else(|| io::Error::other("a piped child has no stdin"))?;
        Ok(Self { child, leash })
    }

    pub(super) fn child(&mut self) -> &mut Child {
        &mut self.child
    }
}

impl Drop for Leashed {
    fn drop(&mut self) {
        // Both fail only for a child that has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Said only now: a watcher that went home earlier could not help if we died while waiting.
        let _ = self.leash.write_all(b"done\n");
    }
}
