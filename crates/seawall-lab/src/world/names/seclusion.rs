use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::process::Command;

use tempfile::TempDir;

use super::{NameServer, Says};

/// Puts the files in `$0` in the place of the system's, for itself and what it becomes: `unshare` has given it mounts of its
/// own, from which nothing comes back. Some systems have no nsswitch.conf; a cache of names (nscd) would answer from what
/// the system's name servers have said.
const SECLUDED: &str = r#"
set -e
mount --bind "$0/resolv.conf" /etc/resolv.conf
mount --bind "$0/hosts" /etc/hosts
[ ! -e /etc/nsswitch.conf ] || mount --bind "$0/nsswitch.conf" /etc/nsswitch.conf
[ ! -d /var/run/nscd ] || mount -t tmpfs none /var/run/nscd
exec "$@"
"#;

/// A process's own idea of where names are looked up, whatever it is written in: its resolver reads the same files as
/// ever, and finds others.
///
/// The alternatives are worse: a preloaded library is not seen by programs that are linked statically, and an override in
/// each client is not the way that applications go.
#[derive(Debug)]
pub struct Seclusion {
    dir: TempDir,
}

impl Seclusion {
    /// Writes the files by which a process asks `name_server` and nobody else.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn new(name_server: Ipv4Addr) -> io::Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("seawall-lab-names-")
            .tempdir()?;
        let write = |file: &str, text: &str| fs::write(dir.path().join(file), text);
        // Patience and number of attempts are the resolver's defaults, as nearly everywhere.
        write("resolv.conf", &format!("nameserver {name_server}\n"))?;
        write("hosts", "127.0.0.1 localhost\n")?;
        write("nsswitch.conf", "hosts: files dns\n")?;
        Ok(Self { dir })
    }

    /// The command that runs `command` in the seclusion. It stays one process: killing it kills the program.
    pub fn around(&self, command: &[String]) -> Vec<String> {
        let dir = self.dir.path().display().to_string();
        let before = ["unshare", "-m", "/bin/sh", "-c", SECLUDED, &dir];
        before
            .into_iter()
            .map(str::to_owned)
            .chain(command.iter().cloned())
            .collect()
    }

    /// Whether this host lets us do all that: changing mounts takes root, and so does the port of name servers.
    ///
    /// # Errors
    /// Why it does not, in words.
    pub fn try_out() -> Result<(), String> {
        let server = NameServer::start("try.test", Says::Nothing)
            .map_err(|error| format!("port 53 cannot be had ({error})"))?;
        let seclusion = Self::new(server.addr()).map_err(|error| error.to_string())?;
        let command = seclusion.around(&["true".to_owned()]);
        let output = Command::new(&command[0])
            .args(&command[1..])
            .output()
            .map_err(|error| format!("`unshare` cannot be run ({error})"))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(said.lines().next().unwrap_or("no word why").to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where a host does not let us, the reason is all that there is to be seen.
    #[test]
    fn a_secluded_process_reads_our_files_and_everybody_else_those_of_the_system() {
        if let Err(why) = Seclusion::try_out() {
            assert!(!why.is_empty());
            return;
        }
        let theirs = fs::read("/etc/resolv.conf").unwrap();
        let seclusion = Seclusion::new(Ipv4Addr::new(127, 83, 1, 2)).unwrap();
        let words = ["cat", "/etc/resolv.conf", "/etc/hosts"].map(str::to_owned);
        let command = seclusion.around(&words);
        let output = Command::new(&command[0])
            .args(&command[1..])
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "nameserver 127.83.1.2\n127.0.0.1 localhost\n"
        );
        assert_eq!(fs::read("/etc/resolv.conf").unwrap(), theirs);
    }
}
