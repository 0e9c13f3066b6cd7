//! The `seawall` program: everything is in the library, so that another door can offer the same command line.

use std::process::ExitCode;

use seawall_cli::Door;

fn main() -> ExitCode {
    seawall_cli::run(std::env::args_os(), &Door::program()).into()
}
