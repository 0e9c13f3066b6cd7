//! Words that every form of a report shares: what of them is a command to copy, and what must not reach a terminal or a page.

use std::fmt::Write as _;

use crate::baseline::Known;
use crate::finding::{Evidence, Finding, Verdict};
use crate::judge::Diagnosis;
use crate::rule::Code;

/// What is said where nothing was found, and no call failed.
pub(super) const NOTHING: &str = "nothing is wrong, as far as was looked";

/// A stretch of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Words to read.
    Prose(&'a str),
    /// A command to copy: broken nowhere.
    Command(&'a str),
}

/// What a command begins with.
const PROGRAMS: &[&str] = &[
    "redis-cli ",
    "valkey-cli ",
    "seawall doctor ",
    "seawall explain ",
    "seawall logs ",
    "seawall collect ",
    "kubectl ",
    "journalctl ",
    "systemctl ",
    "sysctl ",
    "docker ",
    "helm ",
    "aws ",
    "gcloud ",
    "az redis ",
    "az monitor ",
    "echo ",
    "ulimit ",
    "dmesg ",
    "ss -",
    "ACL SETUSER ",
    "CONFIG SET ",
    "CONFIG GET ",
];

/// What no command goes on with, outside quotes and angle brackets.
const ENDS: &[&str] = &[
    ", ",
    ": ",
    "; ",
    " (",
    ". ",
    " a ",
    " alone",
    " and ",
    " answer",
    " at ",
    " before ",
    " after ",
    " beside ",
    " by ",
    " ends ",
    " for ",
    " from ",
    " goes ",
    " grows",
    " had ",
    " if ",
    " is ",
    " makes ",
    " names ",
    " of ",
    " on a ",
    " on each",
    " on every",
    " on it",
    " on th",
    " or ",
    " over ",
    " prints ",
    " reads ",
    " says ",
    " shows ",
    " so that ",
    " stays ",
    " takes ",
    " tells ",
    " the ",
    " then ",
    " to ",
    " until ",
    " when ",
    " where ",
    " while ",
    " with ",
    " without ",
    " works",
];

/// Takes a sentence apart; together the pieces are the sentence.
pub(super) fn pieces(words: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = words;
    let mut looked_at = 0;
    while let Some((start, program)) = command_start(rest, looked_at) {
        let end = start + command_length(&rest[start..]);
        if rest[start..end].len() <= program.trim_end().len() {
            // The program's name alone: somebody speaks of it.
            looked_at = start + program.len();
            continue;
        }
        if start > 0 {
            pieces.push(Piece::Prose(&rest[..start]));
        }
        pieces.push(Piece::Command(&rest[start..end]));
        rest = &rest[end..];
        looked_at = 0;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Prose(rest));
    }
    pieces
}

fn command_start(words: &str, from: usize) -> Option<(usize, &'static str)> {
    let begins_word = |at: usize| at == 0 || words[..at].ends_with([' ', '(', '`', '"']);
    PROGRAMS
        .iter()
        .filter_map(|program| {
            let mut places = words.match_indices(program).map(|(at, _)| at);
            let at = places.find(|at| *at >= from && begins_word(*at))?;
            Some((at, *program))
        })
        .min_by_key(|(at, _)| *at)
}

fn command_length(words: &str) -> usize {
    let mut quote = None;
    let mut angles = 0_u32;
    for (at, c) in words.char_indices() {
        let rest = &words[at..];
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '<') if rest.contains('>') => angles += 1,
            (None, '>') if angles > 0 => angles -= 1,
            (None, _) if angles > 0 => {}
            (None, '\'' | '"') if words[..at].ends_with([' ', '=']) && rest[1..].contains(c) => {
                quote = Some(c);
            }
            (None, '`' | ')') => return at,
            _ if ENDS.iter().any(|end| rest.starts_with(end)) => return at,
            _ => {}
        }
    }
    words.trim_end_matches([' ', '.', ',']).len()
}

/// Without what would steer a terminal, or turn the order of letters about. Words of a log may be anybody's.
pub(super) fn clean(words: &str) -> String {
    words
        .chars()
        .map(|c| if steers(c) { '?' } else { c })
        .collect()
}

fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
        || matches!(
            c,
            '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
        )
}

/// `proved  SW301 Redis closed a slow subscriber`.
pub(super) fn headline(finding: &Finding) -> String {
    format!(
        "{}  {} {}",
        finding.confidence.name(),
        finding.code,
        finding.title
    )
}

/// The same, with how it stands to a former report: `proved  SW301 Redis closed a slow subscriber [new]`.
pub(super) fn marked(finding: &Finding, diagnosis: &Diagnosis) -> String {
    let standing = diagnosis
        .since
        .as_ref()
        .map(|since| since.standing(finding));
    let mark = standing.map_or_else(String::new, |standing| format!(" [{}]", standing.words()));
    format!("{}{mark}", headline(finding))
}

/// What a former report had, and this one has no more.
pub(super) fn gone(diagnosis: &Diagnosis) -> &[Known] {
    diagnosis.since.as_ref().map_or(&[], |since| &since.gone)
}

/// `redis.log:881: closed at 33.6 MB unread`.
pub(super) fn shown(evidence: &Evidence) -> String {
    format!("{}: {}", evidence.place, evidence.says)
}

/// How many it struck, and what the applications tell.
pub(super) fn scope(first: &Finding, diagnosis: &Diagnosis) -> String {
    let mut words = match first.subjects.len() {
        0 => "every client of the server".to_owned(),
        1..=3 => first.whom(),
        many => {
            let two: Vec<_> = first.subjects.iter().take(2).map(String::as_str).collect();
            format!("{many}, {} among them", two.join(" and "))
        }
    };
    if diagnosis.failures > 0 {
        let calls = if diagnosis.failures == 1 {
            "call"
        } else {
            "calls"
        };
        let _ = write!(
            words,
            "; applications tell of {} failed {calls}",
            diagnosis.failures
        );
    }
    words
}

/// What is ruled out, and why; where several servers were looked at, of which.
pub(super) fn ruled_out(out: &Finding, diagnosis: &Diagnosis) -> String {
    let source = |out: &Finding| out.supports.first().map(|one| one.place.source.clone());
    let own = source(out);
    let says = out.supports.first().map_or("", |one| &one.says);
    match own {
        Some(own)
            if diagnosis
                .ruled_out
                .iter()
                .any(|other| source(other).as_ref() != Some(&own)) =>
        {
            format!("{} ({own}): {says}", out.title)
        }
        _ => format!("{}: {says}", out.title),
    }
}

/// The same of those that are ruled out of several servers, told once.
pub(super) fn ruled_out_of_all(out: &Finding, diagnosis: &Diagnosis) -> String {
    let alike = diagnosis
        .ruled_out
        .iter()
        .filter(|other| other.title == out.title);
    match alike.count() {
        many @ 2.. => {
            let says = out.supports.first().map_or("", |one| &one.says);
            format!("{} ({many} servers): {says}", out.title)
        }
        _ => ruled_out(out, diagnosis),
    }
}

/// What stood in the way of the calls: everything but what is only a risk.
pub(super) fn broke(diagnosis: &Diagnosis) -> impl Iterator<Item = &Finding> {
    diagnosis
        .findings
        .iter()
        .filter(|finding| finding.verdict != Verdict::Risk)
}

/// What has not done anything yet.
pub(super) fn risks(diagnosis: &Diagnosis) -> impl Iterator<Item = &Finding> {
    diagnosis
        .findings
        .iter()
        .filter(|finding| finding.verdict == Verdict::Risk)
}

/// Where a rule is explained: in the repository. `None` while the manifest does not say where that is, since a report is read
/// far from these files: [`explained_by`] works everywhere.
pub(super) fn page_of(code: Code) -> Option<String> {
    page_in(env!("CARGO_PKG_REPOSITORY"), code)
}

fn page_in(repository: &str, code: Code) -> Option<String> {
    let anchor = code.to_string().to_lowercase();
    let page = || format!("{repository}/blob/main/docs/doctor-rules.md#{anchor}");
    (!repository.is_empty()).then(page)
}

/// The command that explains a rule.
pub(super) fn explained_by(code: Code) -> String {
    format!("seawall explain {code}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(words: &str) -> Vec<&str> {
        pieces(words)
            .into_iter()
            .filter_map(|piece| match piece {
                Piece::Command(command) => Some(command),
                Piece::Prose(_) => None,
            })
            .collect()
    }

    #[test]
    fn a_page_is_led_to_only_where_there_is_one() {
        assert_eq!(page_in("", Code(301)), None);
        assert_eq!(
            page_in("https://example.org/seawall", Code(301)).as_deref(),
            Some("https://example.org/seawall/blob/main/docs/doctor-rules.md#sw301")
        );
    }

    #[test]
    fn commands_are_found_inside_sentences() {
        let known = [
            (
                "stop-gap: redis-cli CONFIG SET client-output-buffer-limit 'pubsub 64mb 16mb 120'",
                vec!["redis-cli CONFIG SET client-output-buffer-limit 'pubsub 64mb 16mb 120'"],
            ),
            (
                "journalctl -k -o short-iso > kernel.log (on the server's host), then: seawall doctor kernel.log",
                vec![
                    "journalctl -k -o short-iso > kernel.log",
                    "seawall doctor kernel.log",
                ],
            ),
            (
                "redis-cli CONFIG SET maxmemory <60 to 70 % of what it may have>, in redis.conf too",
                vec!["redis-cli CONFIG SET maxmemory <60 to 70 % of what it may have>"],
            ),
            (
                "redis-cli CLIENT LIST: group by addr and name",
                vec!["redis-cli CLIENT LIST"],
            ),
            ("no redis-client does that", vec![]),
            ("redis-cli on the server's host works", vec![]),
            ("what CONFIG SET alone changed is lost", vec![]),
            (
                "redis-cli CONFIG SET maxmemory <60 to 75 % of the container's limit>, in the chart's values too",
                vec!["redis-cli CONFIG SET maxmemory <60 to 75 % of the container's limit>"],
            ),
            (
                "redis-cli ACL SETUSER default on '>PASSWORD', or redis-cli --tls PING answers from the host",
                vec![
                    "redis-cli ACL SETUSER default on '>PASSWORD'",
                    "redis-cli --tls PING",
                ],
            ),
            (
                "redis-cli CONFIG SET replica-priority 100 on a replica that may take over",
                vec!["redis-cli CONFIG SET replica-priority 100"],
            ),
            ("ask redis-cli INFO.", vec!["redis-cli INFO"]),
            ("it's redis-cli PING, isn't it", vec!["redis-cli PING"]),
        ];
        for (words, expected) in known {
            assert_eq!(commands(words), expected, "{words}");
        }
    }

    proptest::proptest! {
        #[test]
        fn the_pieces_together_are_the_sentence(
            words in "((redis-cli |seawall |, |: |'|\"|<|>|\\(|[a-z\u{e9}\u{1b}]{1,4}| ){0,20})",
        ) {
            let together: String = pieces(&words)
                .into_iter()
                .map(|piece| match piece {
                    Piece::Command(words) | Piece::Prose(words) => words,
                })
                .collect();
            proptest::prop_assert_eq!(together, words);
        }
    }
}
