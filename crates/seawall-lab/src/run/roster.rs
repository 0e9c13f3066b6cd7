use super::LabError;
use std::path::Path;

/// What falling short means for the run as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// What it falls short of counts: the run's exit code is 1.
    Judged,
    /// It stands beside the others to be compared with.
    Beside,
}

/// A client library to run scenarios against: how to start the child process that stands for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contender {
    /// Its name on the scoreboard; at most 14 letters fit.
    pub name: String,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Whether its shortfalls count.
    pub role: Role,
}

/// The reference contender: redis-py, in a few lines of Python around the protocol.
const REDIS_PY: &str = include_str!("../../contenders/redis_py.py");
/// The names that need no command.
const KNOWN: &str = "redis-py, redis-py-rec, redis-py-async";

impl Contender {
    /// A contender whose shortfalls count.
    pub fn judged(
        name: impl Into<String>,
        command: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let command = command.into_iter().map(Into::into).collect();
        Self {
            name: name.into(),
            command,
            role: Role::Judged,
        }
    }

    /// Reads a contender as a command line gives it: `NAME=COMMAND ARGUMENT ..` (split at spaces), or a known name:
    ///
    /// * `redis-py`: redis-py as `redis.Redis(host, port)` makes it, with the Python of the virtual environment; with
    ///   `python3` from the PATH if there is none.
    /// * `redis-py-rec`: the same with the timeouts and retries that its documentation recommends for production.
    /// * `redis-py-async`: redis-py under asyncio, from a pool of as many connections as there are workers.
    ///
    /// # Errors
    /// [`LabError::UnknownContender`].
    pub fn parse(given: &str, venv: Option<&Path>) -> Result<Self, LabError> {
        let unknown = || LabError::UnknownContender {
            given: given.to_owned(),
            known: KNOWN,
        };
        if let Some((name, command)) = given.split_once('=') {
            let command: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
            if name.is_empty() || command.is_empty() {
                return Err(unknown());
            }
            return Ok(Self {
                name: name.to_owned(),
                command,
                role: Role::Beside,
            });
        }
        let extra: &[&str] = match given {
            "redis-py" => &[],
            "redis-py-rec" => &["--recommended"],
            "redis-py-async" => &["--asyncio"],
            _ => return Err(unknown()),
        };
        let python = venv
            .map(|venv| venv.join("bin/python"))
            .filter(|python| python.exists())
            .map_or_else(
                || "python3".to_owned(),
                |python| python.display().to_string(),
            );
        let mut command = vec![python, "-c".to_owned(), REDIS_PY.to_owned()];
        command.extend(extra.iter().map(|&word| word.to_owned()));
        Ok(Self {
            name: given.to_owned(),
            command,
            role: Role::Beside,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contender_is_a_name_and_a_command() {
        let contender = Contender::parse("mine=node contender.js --fast", None).unwrap();
        assert_eq!(contender.name, "mine");
        assert_eq!(contender.command, ["node", "contender.js", "--fast"]);
    }

    #[test]
    fn a_known_name_runs_with_the_environments_python_if_it_has_one() {
        let venv = tempfile::tempdir().unwrap();
        let contender = Contender::parse("redis-py-rec", Some(venv.path())).unwrap();
        assert_eq!(contender.command[0], "python3");
        std::fs::create_dir(venv.path().join("bin")).unwrap();
        let python = venv.path().join("bin/python");
        std::fs::write(&python, "").unwrap();
        let contender = Contender::parse("redis-py-rec", Some(venv.path())).unwrap();
        assert_eq!(contender.command[0], python.display().to_string());
        assert_eq!(contender.command.last().unwrap(), "--recommended");
    }

    #[test]
    fn what_is_neither_is_refused_with_the_known_names() {
        for given in ["hiredis", "=x", "x="] {
            let error = Contender::parse(given, None).unwrap_err().to_string();
            assert!(error.contains("redis-py"), "{error}");
        }
    }
}
