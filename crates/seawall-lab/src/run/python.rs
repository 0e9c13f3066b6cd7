//! Contenders written in Python. Their sources are part of this program, so that who has it needs nothing but a Python with
//! the client in it.

use super::LabError;
use std::path::Path;
use std::process::{Command, Stdio};

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
    let missing = |why: String| LabError::NotInstalled {
        name: name.to_owned(),
        why,
    };
    let (program, words) = command
        .split_first()
        .ok_or_else(|| missing("it has no command".to_owned()))?;
    let asked = Command::new(program)
        .args(words)
        .arg("--check")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| {
            missing(format!(
                "`{program}` cannot be started ({error}); install Python 3.10 or later"
            ))
        })?;
    if asked.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&asked.stderr);
    let last = said.lines().rfind(|line| !line.trim().is_empty());
    Err(missing(last.unwrap_or("it says nothing").to_owned()))
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
}
