//! Generates and checks what the workspace would otherwise have to keep right by hand.
//!
//! `cargo xtask tidy` holds the rules that no compiler holds; the other tasks write generated files. Each ends with
//! 0 (all is well), 1 (something must be mended, and was printed) or 2 (it could not run).

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool speaks on its terminal"
)]

mod facts;
mod generate;
mod pages;
mod task;
mod tidy;

use std::fmt::Write as _;
use std::process::ExitCode;

use task::Outcome;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(Outcome::Well) => ExitCode::SUCCESS,
        Ok(Outcome::Fell) => ExitCode::from(1),
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &[String]) -> task::Result {
    let Some((name, rest)) = arguments.split_first() else {
        return Err(help().into());
    };
    match name.as_str() {
        "help" | "--help" | "-h" => {
            println!("{}", help());
            Ok(Outcome::Well)
        }
        "tidy" => tidy::run(rest),
        "facts" if rest.first().is_some_and(|word| word == "dump") => facts::dump(&rest[1..]),
        name => match generate::ALL
            .iter()
            .find(|generator| generator.name == name)
        {
            Some(generator) => generator.run(rest),
            None => Err(format!("there is no task {name:?}\n\n{}", help()).into()),
        },
    }
}

fn help() -> String {
    let mut text = String::from(
        "usage: cargo xtask TASK\n\n  tidy [CHECK..] | tidy --list\n           hold the house rules that no compiler holds\n  facts dump [--redis PATH] [--valkey PATH]\n           ask servers what they know of their commands, and pin it",
    );
    for generator in generate::ALL {
        let _ = write!(
            text,
            "\n  {} [--check]\n           write (or compare) {}",
            generator.name, generator.path
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_task_is_refused_and_told_what_there_is() {
        let error = run(&["tydi".to_owned()]).map_err(|error| error.to_string());
        assert!(
            error.is_err_and(|text| text.contains("\"tydi\"") && text.contains("tidy [CHECK..]"))
        );
    }

    #[test]
    fn no_task_is_an_error_that_shows_the_usage() {
        assert!(run(&[]).is_err_and(|error| error.to_string().starts_with("usage: ")));
    }
}
