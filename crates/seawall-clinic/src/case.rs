//! A case: one root cause, brought about on a real server.

use std::io;

use seawall_doctor::Code;
use seawall_lab::run::LabError;
use seawall_lab::world::{AdminError, ServerError};

use crate::bed::Bed;

/// One root cause. Built as a constant of a file in `src/cases/`.
pub struct Case {
    /// Its name: kebab-case.
    pub name: &'static str,
    /// What happens, in one line.
    pub story: &'static str,
    /// The code that must be named first. Where the catalogue has two for what happens, both.
    pub truth: &'static [Code],
    /// Other codes that are true of it as well: naming one of them is no error.
    pub also: &'static [Code],
    /// What the server is configured with.
    pub config: &'static [(&'static str, &'static str)],
    /// Brings it about. The bed takes a look before and after.
    pub act: fn(&mut Bed<'_>) -> Result<(), Trouble>,
    /// The laboratory's scenario that brings it about instead, on a server of its own.
    pub scenario: Option<&'static str>,
}

impl Case {
    /// What a case is that says no more: for `..Case::PLAIN`.
    pub(crate) const PLAIN: Self = Self {
        name: "",
        story: "",
        truth: &[],
        also: &[],
        config: &[],
        act: |_| Ok(()),
        scenario: None,
    };

    /// Whether naming this code is right, or at least not wrong.
    pub fn is_true(&self, code: Code) -> bool {
        self.truth.contains(&code) || self.also.contains(&code)
    }
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Case")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Why a case did not come about.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// This machine does not have what it takes.
    #[error("left out: {0}")]
    LeftOut(String),
    /// What was to happen did not.
    #[error("{0} did not come about")]
    Late(&'static str),
    /// The laboratory's server.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The laboratory's own connection.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// The laboratory.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// The host.
    #[error("{0}")]
    Host(#[from] io::Error),
}
