use std::ffi::OsString;
use std::path::PathBuf;

use pyo3::prelude::*;
use seawall_cli::Door;

/// Runs the `seawall` command line, and returns its exit code: `words` as they were typed, the program's name first;
/// `program` are the words that start it once more, as a child process; `venv` is where the lab looks for Python clients, `faces` are those that
/// stand in it unless others are named.
#[pyfunction]
pub(crate) fn command_line(
    python: Python<'_>,
    words: Vec<OsString>,
    program: Vec<String>,
    venv: PathBuf,
    faces: Vec<String>,
) -> u8 {
    let door = Door {
        program,
        venv,
        faces,
    };
    python.detach(|| seawall_cli::run(words, &door).code())
}
