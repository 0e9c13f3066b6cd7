//! Lists `src/scenarios/*.rs`, so that adding a scenario touches one file.

#[path = "../listing.rs"]
mod listing;

fn main() -> std::io::Result<()> {
    listing::list("src/scenarios", "scenarios.rs", |names| {
        let lists: Vec<_> = names
            .iter()
            .map(|name| format!("    all.extend({name}::scenarios());\n"))
            .collect();
        format!(
            "\nuse crate::scenario::Scenario;\n\n\
             /// The scenarios of every file, in the files' order.\n\
             pub(crate) fn all() -> Vec<Scenario> {{\n    let mut all = Vec::new();\n{}    all\n}}\n",
            lists.concat()
        )
    })
}
