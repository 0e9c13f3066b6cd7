//! What a code or a client's message means, and which causes are behind it.

mod classes;
mod clients;

use seawall_model::Cause;

use crate::facts::Failure;
use crate::read::failure_of;
use crate::rule::{Code, Rule};

/// What stands behind some words.
#[derive(Debug)]
pub struct Explanation {
    /// Which client writes so, where that is known.
    pub client: Option<&'static str>,
    /// What the message means: what was seen, and what that proves.
    pub means: Option<&'static str>,
    /// The rules behind it, the most frequent first.
    pub rules: Vec<&'static Rule>,
}

/// Explains a code such as `SW301`, a client's message, or the name of a cause of Seawall's own errors.
pub fn explain(words: &str) -> Explanation {
    if let Some(rule) = by_code(words) {
        return Explanation {
            client: None,
            means: None,
            rules: vec![rule],
        };
    }
    let cause = Cause::ALL.iter().find(|cause| cause.name() == words.trim());
    let failure = match cause {
        Some(cause) => classes::of_cause(*cause),
        None => failure_of(words),
    };
    let class = failure.and_then(classes::of);
    let mut rules = Vec::new();
    let mut add = |rule: &'static Rule| {
        if rules.iter().all(|known: &&Rule| known.code != rule.code) {
            rules.push(rule);
        }
    };
    // A rule that names these very words knows more of them than their class does.
    named(words).into_iter().for_each(&mut add);
    let first = class.map_or(&[][..], |class| class.first);
    first
        .iter()
        .copied()
        .filter_map(by_number)
        .for_each(&mut add);
    failure
        .map(of_class)
        .into_iter()
        .flatten()
        .for_each(&mut add);
    Explanation {
        client: match cause {
            Some(_) => Some("Seawall"),
            None => clients::of(words),
        },
        means: cause
            .map(|cause| cause.says())
            .or_else(|| class.map(|class| class.means)),
        rules,
    }
}

fn by_code(words: &str) -> Option<&'static Rule> {
    let code = words.trim().to_ascii_uppercase();
    let rules = crate::rules().iter().copied();
    rules.into_iter().find(|rule| rule.code.to_string() == code)
}

fn by_number(code: Code) -> Option<&'static Rule> {
    crate::rules()
        .iter()
        .copied()
        .find(|rule| rule.code == code)
}

/// The rules that name a message which no class has: the more exactly the words have it, the earlier.
fn named(words: &str) -> Vec<&'static Rule> {
    let told = plain(words);
    let mut found: Vec<_> = crate::rules()
        .iter()
        .filter_map(|rule| {
            let mut own = rule.messages.iter().filter(|one| failure_of(one).is_none());
            let place = own.position(|message| told.contains(&plain(message)))?;
            Some((place, *rule))
        })
        .collect();
    found.sort_by_key(|(place, rule)| (*place, rule.code));
    found.into_iter().map(|(_, rule)| rule).collect()
}

/// The rules that name any client's message of that class: those that name it first come first.
fn of_class(failure: Failure) -> Vec<&'static Rule> {
    let mut found: Vec<_> = crate::rules()
        .iter()
        .filter_map(|rule| {
            let mut messages = rule.messages.iter();
            let place = messages.position(|message| failure_of(message) == Some(failure))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(words: &str) -> Vec<u16> {
        let explained = explain(words);
        explained.rules.iter().map(|rule| rule.code.0).collect()
    }

    #[test]
    fn a_code_is_its_rule() {
        assert_eq!(codes(" sw301 "), [301]);
        assert!(codes("SW000").is_empty());
    }

    #[test]
    fn clients_words_for_one_thing_have_the_same_causes() {
        let of_python =
            codes("Error while reading from cache:6379 : (104, 'Connection reset by peer')");
        assert_eq!(codes("Error: read ECONNRESET"), of_python);
        assert_eq!(
            codes("java.net.SocketException: Connection reset"),
            of_python
        );
        assert!(of_python.contains(&408), "{of_python:?}");
        assert_eq!(codes("connection-reset"), of_python);
    }

    #[test]
    fn whose_message_it_is_and_what_it_means_is_told() {
        let explained = explain("Error 104 while writing to socket. Connection reset by peer.");
        assert_eq!(explained.client, Some("redis-py (Python)"));
        assert!(explained.means.is_some());
        assert_eq!(explain("nothing of the kind").means, None);
        assert!(explain("nothing of the kind").rules.is_empty());
    }

    #[test]
    fn every_failure_that_a_client_tells_has_a_meaning_and_a_cause() {
        for (message, failure) in crate::read::messages() {
            assert!(classes::of(failure).is_some(), "{message}: {failure:?}");
            assert!(!codes(message).is_empty(), "{message}: {failure:?}");
        }
    }

    #[test]
    fn what_a_class_names_first_is_there() {
        for class in classes::ALL {
            for code in class.first {
                assert!(by_number(*code).is_some(), "{code} of {:?}", class.failure);
            }
        }
    }
}
