//! Prints a reference page: `xtask-pages PAGE`. `cargo xtask PAGE` puts it where readers find it.
//!
//! A program of its own, and no part of `xtask`: that one has to run while the crates it generates code for do not
//! compile.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool speaks on its terminal"
)]

mod causes;
mod rules;

use std::process::ExitCode;

fn main() -> ExitCode {
    let page = match std::env::args().nth(1).as_deref() {
        Some("settings") => seawall_model::settings::reference_markdown(),
        Some("causes") => causes::page(),
        Some("rules") => rules::page(),
        other => {
            eprintln!("usage: xtask-pages settings|causes|rules (got {other:?})");
            return ExitCode::from(2);
        }
    };
    print!("{page}");
    ExitCode::SUCCESS
}
