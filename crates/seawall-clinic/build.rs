//! Lists `src/cases/*.rs`, so that adding a case touches one file.

#[path = "../listing.rs"]
mod listing;

fn main() -> std::io::Result<()> {
    listing::list("src/cases", "cases.rs", |names| {
        let cases: Vec<_> = names
            .iter()
            .map(|name| format!("    &{name}::CASE,\n"))
            .collect();
        format!(
            "\nuse crate::case::Case;\n\n\
             /// The case of every file, in the files' order.\n\
             pub(crate) const ALL: &[&Case] = &[\n{}];\n",
            cases.concat()
        )
    })
}
