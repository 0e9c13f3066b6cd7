//! Holds the pages in `docs/` against what the program takes.

use clap::{Command, CommandFactory};

use super::Cli;

fn page(name: &str) -> String {
    let path = format!("{}/../../docs/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).expect("the page is there")
}

/// The options that a page does not name, of a command and of those below it.
fn missing(command: &Command, page: &str) -> Vec<String> {
    let own = command.get_arguments().filter(|one| !one.is_hide_set());
    let own = own
        .filter_map(|one| one.get_long())
        .map(|long| format!("--{long}"))
        .filter(|option| option != "--help" && !page.contains(&**option));
    let own: Vec<_> = own
        .map(|option| format!("{} {option}", command.get_name()))
        .collect();
    let below = command.get_subcommands().flat_map(|one| missing(one, page));
    own.into_iter().chain(below).collect()
}

#[test]
fn every_option_of_the_doctors_commands_is_on_its_page() {
    let all = Cli::command();
    let pages = [
        ("doctor", "doctor.md"),
        ("collect", "doctor.md"),
        ("explain", "doctor.md"),
        ("logs", "logs.md"),
        ("check", "python.md"),
        ("journal", "journal.md"),
    ];
    for (name, file) in pages {
        let command = all.find_subcommand(name).expect("it is there");
        assert_eq!(
            missing(command, &page(file)),
            Vec::<String>::new(),
            "{file}"
        );
    }
}
