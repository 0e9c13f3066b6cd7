//! Applications written in Python, with the real redis-py: where there is a Python that has it.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::bed::Bed;
use crate::case::Trouble;

/// The Python of the virtual environment, or of the PATH; an error where it has no redis-py.
fn interpreter(venv: Option<&Path>) -> Result<PathBuf, Trouble> {
    let own = venv.map(|venv| venv.join("bin/python"));
    let python = own.filter(|python| python.exists());
    let python = python.unwrap_or_else(|| PathBuf::from("python3"));
    let has = Command::new(&python)
        .args(["-c", "import redis"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if has.is_ok_and(|status| status.success()) {
        return Ok(python);
    }
    Err(Trouble::LeftOut(format!(
        "{} has no redis-py (pip install redis)",
        python.display()
    )))
}

/// An application that runs; it is ended when this is dropped.
pub(crate) struct Application {
    child: Child,
}

impl Application {
    /// Starts it with the server's address as its arguments; what it writes to standard error is the application's log.
    pub(crate) fn start(bed: &Bed<'_>, source: &str) -> Result<Self, Trouble> {
        let addr = bed.server().addr();
        let (host, port) = (addr.ip().to_string(), addr.port().to_string());
        let words = ["-c", source, &host, &port].map(OsStr::new);
        let child = Command::new(interpreter(bed.venv())?)
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        Ok(Self { child })
    }

    /// Waits for its end, and gives the log that it wrote. Scripts have ends of their own.
    pub(crate) fn log(mut self) -> Result<String, Trouble> {
        let mut log = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            stderr.read_to_string(&mut log)?;
        }
        self.child.wait()?;
        Ok(log)
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        // Nobody waits for it any more; where it has ended already there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
