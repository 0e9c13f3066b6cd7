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
        None => told_by(words),
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

/// What a message tells, also one that is cut off before what differs from call to call (`Timeout reading from`), and the
/// bare name of a system's error (`ECONNREFUSED`).
fn told_by(words: &str) -> Option<Failure> {
    let words = words.trim();
    let call = ["", "connect ", "read ", "write "].iter();
    call.map(|call| format!("{call}{words} "))
        .find_map(|words| failure_of(&words))
}

fn by_code(words: &str) -> Option<&'static Rule> {
    by_number(code(words)?)
}

/// `SW301`, `sw301`, `301`, whether or not there is such a rule.
pub fn code(words: &str) -> Option<Code> {
    let upper = words.trim().to_ascii_uppercase();
    let digits = upper.strip_prefix("SW").unwrap_or(&upper);
    let three = digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit());
    three.then(|| digits.parse().ok().map(Code)).flatten()
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
            let mut own = rule.messages.iter().filter(|one| told_by(one).is_none());
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
            let place = messages.position(|message| told_by(message) == Some(failure))?;
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

    #[test]
    fn the_most_frequent_comes_first_whatever_other_rules_name_the_message() {
        let first = |words: &str| explain(words).rules[0].code;
        let timeout = "redis.exceptions.TimeoutError: Timeout reading from socket";
        assert_eq!(first(timeout), Code(601));
        assert_eq!(first("MISCONF Redis is configured to save RDB"), Code(701));
        assert_eq!(first("ECONNREFUSED"), Code(401));
        assert!(explain("EPIPE").means.is_some());
    }

    #[test]
    fn a_message_of_a_class_is_explained_by_what_the_class_names_first() {
        for (message, failure) in crate::read::messages() {
            let Some(class) = classes::of(failure) else {
                continue;
            };
            let explained = explain(message);
            let first = explained.rules.first().map(|rule| rule.code);
            let particular = !named(message).is_empty();
            let frequent =
                class.first.is_empty() || first.is_some_and(|code| class.first.contains(&code));
            assert!(particular || frequent, "{message}: {first:?}");
        }
    }

    #[test]
    fn a_code_may_be_written_without_its_letters() {
        assert_eq!(codes("301"), [301]);
        assert_eq!(code("SW999"), Some(Code(999)));
        for words in ["Error 104", "SW1", "SWABC", "1044"] {
            assert_eq!(code(words), None, "{words}");
        }
    }
}
