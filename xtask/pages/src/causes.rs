use std::fmt::Write as _;

use seawall_model::{Cause, Fault};

const INTRODUCTION: &str = "\
# Causes

This page is generated from the table of causes in `seawall-model`.

Every failure carries one of these names: in errors, logs, metrics and journals. A name never gets a second meaning. The
first cause of a failure wins, later ones are attached to it. A *symptom* says only what was seen on one connection; a
probe may find what lies behind it.
";

/// Who has to act, in the order of the page.
const FAULTS: [(Fault, &str); 5] = [
    (Fault::Server, "The server, or whoever runs it, has to act"),
    (Fault::Network, "What lies between has to be looked at"),
    (Fault::Client, "This host or process has to be looked at"),
    (
        Fault::Settings,
        "What is configured on this side has to be put right",
    ),
    (
        Fault::Application,
        "The application's own command or behaviour",
    ),
];

/// What is named likewise, and is no failure of an endpoint's.
const OTHERS: &str = "
## No server's trouble

| cause | what happened | what to do |
|---|---|---|
| `guard-open` | a [guard](python/guard.md) did not let the call through: what it guards failed too often, or somebody opened it | look at what it guards; `retry_after` says when it lets a trial through, and `__cause__` is the last failure |
";

/// The reference page of all causes, as Markdown.
pub(crate) fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    for (fault, title) in FAULTS {
        let _ = write!(
            page,
            "\n## {title}\n\n| cause | what happened | what to do |\n|---|---|---|\n"
        );
        for cause in Cause::ALL.iter().filter(|cause| cause.fault() == fault) {
            let symptom = if cause.is_symptom() { " (symptom)" } else { "" };
            let _ = writeln!(
                page,
                "| `{cause}`{symptom} | {} | {} |",
                cell(cause.says()),
                cell(cause.hint())
            );
        }
    }
    page.push_str(OTHERS);
    page
}

/// A text that a table's cell can hold.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_exactly_one_row() {
        let page = page();
        for cause in Cause::ALL {
            let rows = page
                .lines()
                .filter(|line| line.starts_with(&format!("| `{cause}`")))
                .count();
            assert_eq!(rows, 1, "{cause}");
        }
    }
}
