use std::ffi::OsString;
use std::path::PathBuf;

use pyo3::prelude::*;
use seawall_cli::Door;

/// Runs the `seawall` command line, and returns its exit code: `words` as they were typed, the program's name first;
/// `program` are the words that start it once more, as a child process; `venv` is where the lab looks for Python clients.
#[pyfunction]
pub(crate) fn command_line(
    python: Python<'_>,
    words: Vec<OsString>,
    program: Vec<String>,
    venv: PathBuf,
) -> u8 {
    python.detach(|| seawall_cli::run(words, &Door { program, venv }).code())
}
