use std::ffi::OsString;

use clap::Args;

use crate::{Exit, output};

/// Look at a server, its URL and the frameworks that use it, and say what to change (Python package only).
///
/// The settings of Django, Celery and the like are Python. Where the package is installed, `seawall check` is answered
/// by it before it comes here: `python -m seawall check --help` shows its options.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// A URL, and options
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

impl Check {
    #[expect(clippy::unused_self, reason = "every command is run by its value")]
    pub(crate) fn run(self) -> Exit {
        output::fail(
            "`check` reads the settings of Python frameworks, and this program has no Python in it",
            "install the Python package, and run `python -m seawall check`",
        );
        Exit::Unable
    }
}
