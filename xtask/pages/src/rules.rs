use std::fmt::Write as _;

use seawall_doctor::{Rule, rules};

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
        one(&mut page, rule);
    }
    page
}

fn one(page: &mut String, rule: &Rule) {
    let _ = write!(
        page,
        "\n## {}\n\n**{}.** {}\n\n",
        rule.code, rule.title, rule.explanation
    );
    let looks: Vec<_> = rule.needs.iter().map(|need| need.words().0).collect();
    let _ = writeln!(
        page,
        "- Looks at: {}; the first can prove it.",
        looks.join(", ")
    );
    if !rule.messages.is_empty() {
        let messages: Vec<_> = rule
            .messages
            .iter()
            .map(|message| format!("`{message}`"))
            .collect();
        let _ = writeln!(page, "- Clients write: {}", messages.join(", "));
    }
    if !rule.brings.is_empty() {
        let brings: Vec<_> = rule.brings.iter().map(ToString::to_string).collect();
        let _ = writeln!(page, "- Brings about: {}", brings.join(", "));
    }
    let _ = writeln!(page, "- From: {}", rule.sources.join(", "));
}
