use super::{LabError, python};
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

    /// Reads a contender as a command line gives it: `NAME=COMMAND ARGUMENT ..` (split at spaces), or the name of a client
    /// written in Python ([`python::KNOWN`]), which runs with the Python of the virtual environment, or with `python3`
    /// from the PATH if there is none.
    ///
    /// # Errors
    /// [`LabError::UnknownContender`].
    pub fn parse(given: &str, venv: Option<&Path>) -> Result<Self, LabError> {
        let unknown = || LabError::UnknownContender {
            given: given.to_owned(),
            known: python::KNOWN.join(", "),
        };
        let (name, command) = match given.split_once('=') {
            Some((name, command)) => {
                let command = command.split_whitespace().map(str::to_owned).collect();
                (name, command)
            }
            None if python::KNOWN.contains(&given) => (given, python::command(given, venv)),
            None => return Err(unknown()),
        };
        if name.is_empty() || command.is_empty() {
            return Err(unknown());
        }
        Ok(Self {
            name: name.to_owned(),
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
    fn what_is_neither_is_refused_with_the_known_names() {
        for given in ["hiredis", "=x", "x="] {
            let error = Contender::parse(given, None).unwrap_err().to_string();
            assert!(error.contains("redis-py"), "{error}");
        }
    }
}
