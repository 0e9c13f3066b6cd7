//! Lists `src/rules/*.rs`, so that adding a rule touches one file.

#[path = "../listing.rs"]
mod listing;

fn main() -> std::io::Result<()> {
    listing::list("src/rules", "rules.rs", |names| {
        let rules: Vec<_> = names
            .iter()
            .map(|name| format!("    &{name}::RULE,\n"))
            .collect();
        format!(
            "\nuse crate::rule::Rule;\n\n\
             /// The rule of every file, in the order of their codes.\n\
             pub(crate) const ALL: &[&Rule] = &[\n{}];\n",
            rules.concat()
        )
    })
}
