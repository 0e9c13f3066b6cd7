//! The lines of logs that rules listen for.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use crate::rule::Need;

/// Words that stand in a line of a log. A rule names those that it listens for in [`Rule::texts`](crate::Rule::texts), and
/// asks for the lines that were found by [`Facts::said`](crate::Facts::said).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text {
    /// In whose log.
    pub by: Need,
    /// The words, as they are written there: case counts, and no word of a user's stands in them.
    pub words: &'static str,
    /// What is kept of the line besides.
    pub keeps: Keeps,
    /// Other libraries write so too: it counts only where something beside it names Redis.
    pub shared: bool,
    /// It tells of a call that failed: it counts as a failure where it stands in an application's log.
    pub fails: bool,
}

/// What is kept of a line. Keys and values may stand in it: no more than is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Keeps {
    /// Nothing.
    Nothing,
    /// The client that it names: `id=8821 addr=10.0.0.7:51234 ..`.
    Peer,
    /// The word after the words: a number, an address, an errno.
    Word,
    /// What stands after the words, where that is the server's own: the text of an errno, of OpenSSL.
    Rest,
    /// The last number of the line: for how long, how much.
    Amount,
}

impl Text {
    /// Of the log of Redis, Valkey or Sentinel.
    pub const fn server(words: &'static str) -> Self {
        Self::of(Need::ServerLog, words)
    }

    /// Of an application's log.
    pub const fn client(words: &'static str) -> Self {
        Self::of(Need::ClientLog, words)
    }

    /// Of the kernel's log.
    pub const fn kernel(words: &'static str) -> Self {
        Self::of(Need::Kernel, words)
    }

    const fn of(by: Need, words: &'static str) -> Self {
        Self {
            by,
            words,
            keeps: Keeps::Nothing,
            shared: false,
            fails: true,
        }
    }

    /// Of no failed call: what else applications, their workers and their machines write.
    #[must_use]
    pub const fn no_failure(mut self) -> Self {
        self.fails = false;
        self
    }

    /// Other libraries than Redis's clients write so too: it counts only where something beside it, in the line, the
    /// traceback or the record, names Redis.
    #[must_use]
    pub const fn shared(mut self) -> Self {
        self.shared = true;
        self
    }

    /// What is kept of the line besides.
    #[must_use]
    pub const fn keeping(mut self, keeps: Keeps) -> Self {
        self.keeps = keeps;
        self
    }
}

/// A line in which a rule's text stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Said {
    /// That text.
    pub text: Text,
    /// The process that wrote it, where the line tells.
    pub pid: Option<u32>,
    /// The client that it names, if that is kept.
    pub peer: Option<crate::facts::Peer>,
    /// The word or the rest of the line after the text, if that is kept.
    pub rest: String,
}

impl Said {
    /// What `line` says by this text, if it stands there.
    pub(crate) fn of(text: &Text, line: &str, pid: Option<u32>) -> Option<Self> {
        let after = &line[line.find(text.words)? + text.words.len()..];
        Some(Self {
            text: *text,
            pid,
            peer: (text.keeps == Keeps::Peer)
                .then(|| crate::read::client(line))
                .flatten(),
            rest: match text.keeps {
                Keeps::Nothing | Keeps::Peer => String::new(),
                Keeps::Word => clean(after.split_whitespace().next().unwrap_or("")),
                Keeps::Rest => clean(after.trim()),
                Keeps::Amount => last_number(after).to_owned(),
            },
        })
    }

    /// How much of the line is kept.
    pub(crate) fn kept(&self) -> (bool, usize) {
        (self.peer.is_some(), self.rest.len())
    }

    /// What is kept after the text, as a number: its leading digits.
    pub fn number(&self) -> Option<u64> {
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(self.rest.len());
        self.rest[..end].parse().ok()
    }

    /// The number that [`Keeps::Amount`] keeps.
    pub fn amount(&self) -> Option<f64> {
        self.rest.parse().ok()
    }
}

/// `5.12` of `took 5.12 seconds`.
fn last_number(words: &str) -> &str {
    let part = |c: char| c.is_ascii_digit() || c == '.' || c == '-';
    let end = words
        .rfind(|c: char| c.is_ascii_digit())
        .map_or(0, |at| at + 1);
    let start = words[..end].rfind(|c| !part(c)).map_or(0, |at| {
        at + words[at..].chars().next().map_or(1, char::len_utf8)
    });
    &words[start..end]
}

/// No longer than anybody reads, and without what a terminal would obey.
fn clean(words: &str) -> String {
    let kept = words.chars().filter(|c| !c.is_control()).take(REST_MAX);
    kept.collect()
}

const REST_MAX: usize = 120;

/// What is listened for in one kind of log: the rules' texts, and what the reader itself knows.
pub(crate) struct Listened {
    /// Finds the lines in which any of it stands.
    pub(crate) search: AhoCorasick,
    /// The rules' texts.
    pub(crate) texts: Vec<Text>,
    /// For each of the words, which of the texts have them.
    texts_of: Vec<Vec<usize>>,
    /// All words that are searched for.
    pub(crate) words: Vec<&'static str>,
}

impl Listened {
    /// Made once for each kind of log.
    pub(crate) fn once(
        cell: &'static OnceLock<Self>,
        by: Need,
        readers_own: impl IntoIterator<Item = &'static str>,
    ) -> &'static Self {
        cell.get_or_init(|| {
            let mut texts: Vec<_> = crate::rules()
                .iter()
                .flat_map(|rule| rule.texts)
                .filter(|text| text.by == by)
                .copied()
                .collect();
            texts.sort();
            texts.dedup();
            let mut words: Vec<_> = texts.iter().map(|text| text.words).collect();
            words.extend(readers_own);
            words.sort_unstable();
            words.dedup();
            let having = |word: &&str| {
                let all = texts.iter().enumerate();
                let theirs = all.filter(|(_, text)| text.words == *word);
                theirs.map(|(which, _)| which).collect()
            };
            Self {
                search: automaton(&words),
                texts_of: words.iter().map(having).collect(),
                texts,
                words,
            }
        })
    }

    /// What several listen for, for a log that has lines of each of them.
    pub(crate) fn together(cell: &'static OnceLock<Self>, all: &[&'static Self]) -> &'static Self {
        cell.get_or_init(|| {
            let mut words: Vec<_> = all.iter().flat_map(|one| one.words.clone()).collect();
            words.sort_unstable();
            words.dedup();
            Self {
                search: automaton(&words),
                texts: Vec::new(),
                texts_of: Vec::new(),
                words,
            }
        })
    }

    /// What the rules hear in this line.
    pub(crate) fn said(&self, line: &str, pid: Option<u32>) -> impl Iterator<Item = Said> {
        let found = self.search.find_overlapping_iter(line);
        let which: BTreeSet<_> = found
            .filter_map(|found| self.texts_of.get(found.pattern().as_usize()))
            .flatten()
            .collect();
        which
            .into_iter()
            .filter_map(move |which| Said::of(&self.texts[*which], line, pid))
    }
}

fn automaton(words: &[&'static str]) -> AhoCorasick {
    AhoCorasick::builder()
        .kind(Some(AhoCorasickKind::DFA))
        .build(words)
        .expect("the texts of all rules fit into an automaton")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_kept_of_a_line_than_was_asked_for() {
        let line = "Accepting client connection: accept: Too many open files";
        let text = Text::server("connection: ");
        let said = |keeps| Said::of(&text.keeping(keeps), line, None).expect("it stands there");
        assert_eq!(said(Keeps::Nothing).rest, "");
        assert_eq!(said(Keeps::Word).rest, "accept:");
        assert_eq!(said(Keeps::Rest).rest, "accept: Too many open files");
        assert_eq!(Said::of(&text, "nothing of it", None), None);
    }

    #[test]
    fn an_amount_is_the_lines_last_number() {
        let amount = |line: &str| {
            let text = Text::client("Executing").keeping(Keeps::Amount);
            Said::of(&text, line, None)?.amount()
        };
        assert_eq!(amount("Executing <Task 1> took 5.120 seconds"), Some(5.12));
        assert_eq!(amount("Executing é5"), Some(5.0));
        assert_eq!(amount("Executing nothing"), None);
    }

    #[test]
    fn no_text_of_a_rule_is_empty_or_spans_lines() {
        for rule in crate::rules() {
            for text in rule.texts {
                assert!(text.words.len() >= 5, "{}: {text:?}", rule.code);
                assert!(!text.words.contains('\n'), "{}: {text:?}", rule.code);
            }
        }
    }
}
