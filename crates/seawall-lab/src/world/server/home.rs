//! What a server keeps through its restarts: its port, its directory, its settings.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::world::find::ServerBinary;

/// The laboratory's own ACL user: it can log in whatever a scenario does to the default user's password.
pub(super) const ADMIN_USER: &str = "seawall-lab";
/// Its password; the server listens on loopback alone and lives for a scenario.
pub(super) const ADMIN_PASSWORD: &str = "seawall-lab";

/// A server's directory; removed when this is dropped.
#[derive(Debug)]
pub(super) struct Home {
    dir: TempDir,
}

impl Home {
    /// Makes the directory and writes the settings into it.
    pub(super) fn new(
        binary: &ServerBinary,
        port: u16,
        config: &[(&str, &str)],
    ) -> io::Result<Self> {
        let dir = tempfile::Builder::new().prefix("seawall-lab-").tempdir()?;
        let home = Self { dir };
        fs::write(home.config(), render(binary, home.dir(), port, config))?;
        Ok(home)
    }

    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn config(&self) -> PathBuf {
        self.dir().join("server.conf")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.dir().join("server.log")
    }

    pub(super) fn open_log(&self) -> io::Result<File> {
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log())
    }

    /// The last lines of the log, in one line.
    pub(super) fn log_tail(&self) -> String {
        let log = fs::read(self.log()).unwrap_or_default();
        let text = String::from_utf8_lossy(&log);
        let mut lines: Vec<&str> = text
            .lines()
            .rev()
            .filter(|line| !line.trim().is_empty())
            .take(4)
            .collect();
        lines.reverse();
        lines.join(" | ")
    }
}

/// The settings file. What the caller gives comes last, so that it wins.
///
/// Every write reaches the kernel before it is answered (`appendfsync no` never postpones the append, as `everysec` may
/// while an fsync runs), so that after SIGKILL the server has all that it acknowledged, and what it has can be held
/// against what clients were told.
fn render(binary: &ServerBinary, dir: &Path, port: u16, config: &[(&str, &str)]) -> String {
    let mut text = format!(
        "port {port}\nbind 127.0.0.1\ndaemonize no\ndir \"{}\"\n",
        dir.display()
    );
    text.push_str("save \"\"\nappendonly yes\nappendfsync no\n");
    // Redis 6 allows both without being asked.
    if binary.has_settings_of_7() {
        text.push_str("enable-debug-command local\nenable-protected-configs local\n");
    }
    // Writing to a string does not fail.
    let _ = writeln!(text, "user {ADMIN_USER} on >{ADMIN_PASSWORD} ~* &* +@all");
    for (name, value) in config {
        let value = if value.is_empty() { "\"\"" } else { value };
        let _ = writeln!(text, "{name} {value}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_callers_settings_come_last_and_an_empty_one_is_quoted() {
        let version = crate::world::find::Version {
            major: 6,
            minor: 2,
            patch: 0,
        };
        let binary = ServerBinary {
            path: "redis-server".into(),
            flavour: crate::world::find::Flavour::Redis,
            version,
        };
        let text = render(
            &binary,
            Path::new("/tmp/x"),
            7000,
            &[("appendonly", "no"), ("requirepass", "")],
        );
        assert!(
            text.ends_with("appendonly no\nrequirepass \"\"\n"),
            "{text}"
        );
        assert!(!text.contains("enable-debug-command"));
    }
}
