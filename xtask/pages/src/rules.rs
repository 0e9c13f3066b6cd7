use std::fmt::Write as _;

use seawall_doctor::rules;

const INTRODUCTION: &str = "\
# What the doctor knows

This page is generated from the rules in `crates/seawall-doctor/src/rules`, one file each. A code is given once and never
used again; hundreds: 0 client and host, 1 connect, 2 idle, 3 closed by the server, 4 server lost, 5 memory, 6 latency,
7 persistence and data, 8 replication, Sentinel and cluster, 9 security and network.

";

/// The reference page of all rules, as Markdown.
pub(crate) fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    page.push_str("| code | what happened |\n|---|---|\n");
    for rule in rules() {
        let anchor = rule.code.to_string().to_lowercase();
        let _ = writeln!(page, "| [{}](#{anchor}) | {} |", rule.code, rule.title);
    }
    for rule in rules() {
        let _ = write!(page, "\n## {}\n\n{}", rule.code, rule.page());
    }
    page
}
