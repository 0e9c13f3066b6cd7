//! Our own faces, as `--face` names them.

use std::path::Path;

use clap::ValueEnum;
use seawall_lab::run::{Contender, LabError, python};

use super::contend::Face;
use crate::Door;

/// Those of the Python package, in the virtual environment's Python.
const OF_PYTHON: [&str; 2] = ["python", "asyncio"];

/// A face of ours that can stand in the lab.
#[derive(Clone, Debug)]
pub(super) enum Stand {
    /// This program, called again.
    Native(Face),
    /// The Python package.
    Python(&'static str),
}

impl Stand {
    /// Reads what `--face` was given.
    pub(super) fn parse(given: &str) -> Result<Self, String> {
        if let Some(name) = OF_PYTHON.into_iter().find(|&name| name == given) {
            return Ok(Self::Python(name));
        }
        Face::from_str(given, false).map(Self::Native).map_err(|_| {
            let names: Vec<_> = Face::names().chain(OF_PYTHON).collect();
            format!("there are {}", names.join(", "))
        })
    }

    /// The contender that stands for it.
    pub(super) fn contender(&self, door: &Door, venv: &Path) -> Result<Contender, LabError> {
        match self {
            Self::Native(face) => Ok(face.contender(door)),
            Self::Python(name) => {
                let command = python::command(name, Some(venv));
                python::check(name, &command)?;
                Ok(Contender::judged(*name, command))
            }
        }
    }
}
