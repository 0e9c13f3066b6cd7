//! What a code means, and which causes are behind a client's message.

use crate::rule::Rule;

/// The rules behind what somebody read: a code such as `SW301`, or a client's message. The most frequent first.
pub fn behind(words: &str) -> Vec<&'static Rule> {
    let rules = crate::rules();
    let code = words.trim().to_ascii_uppercase();
    if let Some(rule) = rules.iter().find(|rule| rule.code.to_string() == code) {
        return vec![rule];
    }
    let told = plain(words);
    let mut found: Vec<_> = rules
        .iter()
        .filter_map(|rule| {
            let place = rule
                .messages
                .iter()
                .position(|message| told.contains(&plain(message)))?;
            Some((place, *rule))
        })
        .collect();
    found.sort_by_key(|(place, rule)| (*place, rule.code));
    found.into_iter().map(|(_, rule)| rule).collect()
}

/// Without what differs from line to line: case and doubled blanks.
fn plain(words: &str) -> String {
    let lower = words.to_lowercase();
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}
