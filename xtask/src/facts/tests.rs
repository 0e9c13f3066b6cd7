//! The pins and the overrides that are in the repository.

use seawall_wire::facts::{self, Access, Replay};

use super::overrides::Overrides;
use super::pin::{Command, Dump, Pin};
use super::{OVERRIDES, render, table, union};
use crate::task;

fn dumps() -> Vec<Dump> {
    let root = task::root();
    Pin::ALL
        .iter()
        .map(|pin| pin.read(&root).unwrap())
        .collect()
}

fn overrides() -> String {
    std::fs::read_to_string(task::root().join(OVERRIDES)).unwrap()
}

/// What the generator says of overrides in which a text is replaced.
fn complaint(old: &str, new: &str) -> String {
    let text = overrides();
    assert!(text.contains(old), "{old} is not there to be replaced");
    let changed = Overrides::parse(&text.replacen(old, new, 1));
    let rows = changed.and_then(|overrides| union::rows(&dumps(), &overrides));
    rows.map_or_else(|error| error.to_string(), |rows| render::table(&rows))
}

fn pinned_facts(command: &Command) -> &'static facts::CommandFacts {
    let words: Vec<&str> = command.name.split(' ').collect();
    facts::lookup(&words).unwrap()
}

#[test]
fn every_command_of_every_server_is_in_the_table() {
    let mut names: Vec<String> = dumps()
        .into_iter()
        .flat_map(|dump| dump.commands.into_keys())
        .collect();
    names.sort();
    names.dedup();
    let table: Vec<&str> = facts::ALL.iter().map(|facts| facts.name).collect();
    assert_eq!(table, names);
}

#[test]
fn what_any_server_flags_as_write_is_a_write_and_never_of_class_read() {
    for dump in dumps() {
        for command in dump
            .commands
            .values()
            .filter(|command| command.has("write"))
        {
            let facts = pinned_facts(command);
            assert_eq!(facts.access, Access::Write, "{}", command.name);
            assert_ne!(facts.replay, Replay::Read, "{}", command.name);
        }
    }
}

#[test]
fn what_a_server_flags_as_readonly_and_does_not_block_is_of_class_read() {
    for dump in dumps() {
        for command in dump.commands.values() {
            if command.has("readonly") && !command.has("blocking") {
                let facts = pinned_facts(command);
                assert_eq!(
                    (facts.access, facts.replay),
                    (Access::Read, Replay::Read),
                    "{}",
                    command.name
                );
            }
        }
    }
}

#[test]
fn a_write_without_a_class_is_refused_by_name() {
    let told = complaint("\"append\", \"decr\"", "\"append\"");
    assert_eq!(told, "decr: it writes, and no [[replay]] gives its class");
}

#[test]
fn a_write_cannot_be_called_a_read() {
    let told = complaint(
        "\"config get\", \"config help\", \"echo\"",
        "\"echo\", \"lset\"",
    );
    assert!(told.contains("lset: [[replay]] names it twice"), "{told}");
    assert!(
        told.contains("lset: it writes: its class cannot be read"),
        "{told}"
    );
}

#[test]
fn what_no_server_knows_and_what_is_given_twice_is_told() {
    let told = complaint(
        "\"append\", \"decr\"",
        "\"append\", \"apend\", \"decr\", \"incr\"",
    );
    assert!(
        told.contains("apend: [[replay]] names it, and no pinned server knows it"),
        "{told}"
    );
    assert!(told.contains("incr: [[replay]] names it twice"), "{told}");
}

#[test]
fn a_blocking_command_needs_the_place_of_its_timeout() {
    let told = complaint(
        "commands = [\"blmpop\", \"bzmpop\"]",
        "commands = [\"blmpop\"]",
    );
    assert_eq!(
        told,
        "bzmpop: it blocks, and no [[blocking]] says where its timeout stands"
    );
}

#[test]
fn vague_key_specifications_need_a_finder() {
    let told = complaint("commands = [\"migrate\"]\n", "commands = []\n");
    assert!(
        told.starts_with("migrate: the server's key specifications are vague"),
        "{told}"
    );
}

#[test]
fn an_empty_reason_and_an_unknown_setting_are_refused() {
    let told = complaint("because = \"as SET\"", "because = \"\"");
    assert_eq!(told, "[\"msetex\"]: `because` is empty");
    let told = complaint("because = \"as SET\"", "becuase = \"as SET\"");
    assert!(
        told.starts_with(OVERRIDES) && told.contains("becuase"),
        "{told}"
    );
}

#[test]
fn a_dump_is_written_as_it_was_read() {
    for pin in Pin::ALL {
        let text = std::fs::read_to_string(task::root().join(pin.path)).unwrap();
        assert_eq!(Dump::parse(&text).unwrap().to_text().unwrap(), text);
    }
}

#[test]
fn the_table_in_the_repository_is_what_would_be_generated() {
    let root = task::root();
    let kept = std::fs::read_to_string(root.join(super::TABLE)).unwrap();
    assert!(kept == table(&root).unwrap(), "run `cargo xtask facts`");
}
