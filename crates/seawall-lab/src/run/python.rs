//! Contenders written in Python. Their sources are part of this program, so that who has it needs nothing but a Python with
//! the client in it.

use super::LabError;
use crate::contender::child::Complaint;
use crate::world::clock;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use std::{io, thread};

/// How long a client may take to be imported, on a busy machine and from a cold disk.
const CHECK_MAX: Duration = Duration::from_secs(60);

/// The clients that need no command, by their names. Ours are not among them: see [`command`].
///
/// * `redis-py`: redis-py as `redis.Redis(host, port)` makes it.
/// * `redis-py-rec`: the same with the timeouts and retries that its documentation recommends for production.
/// * `redis-py-async`: redis-py under asyncio, from a pool of as many connections as there are workers.
/// * `pybreaker`: `redis-py-rec`, each call through a breaker of pybreaker's.
/// * `glide`, `glide-async`: Valkey GLIDE, from threads and under asyncio.
/// * `coredis`: coredis, with timeouts.
pub const KNOWN: [&str; 7] = [
    "redis-py",
    "redis-py-rec",
    "redis-py-async",
    "pybreaker",
    "glide",
    "glide-async",
    "coredis",
];

/// Runs the rest, which it is given.
const BOOT: &str = include_str!("../../contenders/python/boot.py");

macro_rules! carried {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("../../contenders/python/", $name)))),+]
    };
}

/// Everything that stands beside it.
const CARRIED: [(&str, &str); 10] = carried![
    "contend.py",
    "lines.py",
    "requirements.txt",
    "tasks.py",
    "threads.py",
    "with_coredis.py",
    "with_glide.py",
    "with_pybreaker.py",
    "with_redis.py",
    "with_seawall.py",
];

/// The command that stands for a client written in Python: one of [`KNOWN`], or of our own faces (`python`, `asyncio`).
pub fn command(name: &str, venv: Option<&Path>) -> Vec<String> {
    let python = venv
        .map(|venv| venv.join("bin/python"))
        .filter(|python| python.exists())
        .map_or_else(
            || "python3".to_owned(),
            |python| python.display().to_string(),
        );
    let carried: serde_json::Map<_, _> = CARRIED
        .iter()
        .map(|&(file, source)| (file.to_owned(), source.into()))
        .collect();
    let carried = serde_json::Value::Object(carried).to_string();
    let words = [&python, "-c", BOOT, &carried, name];
    words.map(str::to_owned).to_vec()
}

/// Whether what such a command needs is installed; asked once, before many runs fail for want of it.
///
/// # Errors
/// [`LabError::NotInstalled`], with what to install.
pub fn check(name: &str, command: &[String]) -> Result<(), LabError> {
    check_within(name, command, CHECK_MAX)
}

fn check_within(name: &str, command: &[String], patience: Duration) -> Result<(), LabError> {
    let missing = |why: String| LabError::NotInstalled {
        name: name.to_owned(),
        why,
    };
    let (program, words) = command
        .split_first()
        .ok_or_else(|| missing("it has no command".to_owned()))?;
    let mut asked = Command::new(program)
        .args(words)
        .arg("--check")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| {
            missing(format!(
                "`{program}` cannot be started ({error}); install Python 3.10 or later"
            ))
        })?;
    let complaint = asked.stderr.take().map(Complaint::listen);
    let status = wait_for(&mut asked, patience).map_err(|why| missing(why.to_string()))?;
    if status.success() {
        return Ok(());
    }
    let last = complaint.map(|complaint| complaint.last_lines(1));
    let last = last.filter(|last| !last.is_empty());
    Err(missing(
        last.unwrap_or_else(|| "it says nothing".to_owned()),
    ))
}

/// Waits for its end, and ends it if that does not come.
fn wait_for(child: &mut Child, patience: Duration) -> io::Result<ExitStatus> {
    let give_up = clock::now() + patience;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if clock::now() >= give_up {
            // It may have ended by itself since.
            let _ = child.kill();
            child.wait()?;
            let why = format!("it was not imported within {patience:?}; try it by hand");
            return Err(io::Error::new(io::ErrorKind::TimedOut, why));
        }
        thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_name_runs_with_the_environments_python_if_it_has_one() {
        let venv = tempfile::tempdir().unwrap();
        let command = |name| super::command(name, Some(venv.path()));
        assert_eq!(command("redis-py-rec")[0], "python3");
        std::fs::create_dir(venv.path().join("bin")).unwrap();
        let python = venv.path().join("bin/python");
        std::fs::write(&python, "").unwrap();
        assert_eq!(command("redis-py-rec")[0], python.display().to_string());
        assert_eq!(command("redis-py-rec").last().unwrap(), "redis-py-rec");
    }

    #[test]
    fn what_is_carried_fits_into_one_argument_of_a_command() {
        // The kernel takes 128 KiB.
        assert!(
            command("redis-py", None)
                .iter()
                .all(|word| word.len() < 100_000)
        );
    }

    #[test]
    fn a_python_that_is_not_there_is_told_with_what_to_install() {
        let error = check("glide", &["/nowhere/python".to_owned()]).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("/nowhere/python") && text.contains("install"),
            "{text}"
        );
    }

    #[test]
    fn one_that_is_never_imported_is_not_waited_for_without_an_end() {
        let hangs = ["sh", "-c", "exec sleep 20"].map(str::to_owned);
        let began = clock::now();
        let error = check_within("hangs", &hangs, Duration::from_millis(100)).unwrap_err();
        assert!(error.to_string().contains("not imported"), "{error}");
        assert!(clock::now().since(began) < Duration::from_secs(10));
    }

    #[test]
    fn what_is_missing_is_told_in_its_last_line() {
        let complains = ["sh", "-c", "echo first >&2; echo last >&2; exit 1"].map(str::to_owned);
        let text = check("some", &complains).unwrap_err().to_string();
        assert!(text.contains("last") && !text.contains("first"), "{text}");
    }
}
