//! The server does not know a command that the application uses.

use crate::evidence::{Heard, counted};
use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

/// Nothing is kept after the words: what a server takes for a command may be a value.
const TOLD: [Text; 2] = [
    Text::client("unknown command '"),
    Text::client("unknown command `"),
];
const MODULES: [Text; 8] = [
    Text::client("unknown command 'JSON."),
    Text::client("unknown command 'FT."),
    Text::client("unknown command 'TS."),
    Text::client("unknown command 'BF."),
    Text::client("unknown command `JSON."),
    Text::client("unknown command `FT."),
    Text::client("unknown command `TS."),
    Text::client("unknown command `BF."),
];
const HELLO: [Text; 4] = [
    Text::client("unknown command 'HELLO'"),
    Text::client("unknown command `HELLO`"),
    Text::client("unknown command 'hello'"),
    Text::client("unknown command `hello`"),
];

pub(super) const RULE: Rule = Rule {
    code: Code(119),
    title: "the server does not know a command that the application uses",
    explanation: "A module that is not loaded (JSON.*, FT.*), a version that is too old, a command that the provider renamed or took \
away (KEYS, CONFIG, FLUSHALL), or another kind of server: a Sentinel or a proxy knows only some. If the name is no command at all but \
somebody's data, two users share a socket.",
    messages: &["unknown command"],
    needs: &[Need::ClientLog],
    brings: &[],
    texts: &[
        TOLD[0], TOLD[1], MODULES[0], MODULES[1], MODULES[2], MODULES[3], MODULES[4], MODULES[5],
        MODULES[6], MODULES[7], HELLO[0], HELLO[1], HELLO[2], HELLO[3],
    ],
    sources: &["redis: server.c unknown command"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    // The first command of a connection has a rule of its own.
    let hello: Vec<_> = HELLO
        .iter()
        .flat_map(|text| facts.said(text))
        .map(|fact| &fact.place)
        .collect();
    let lines: Vec<_> = TOLD
        .iter()
        .flat_map(|text| facts.said(text))
        .filter(|fact| !hello.contains(&&fact.place))
        .collect();
    if lines.is_empty() {
        return Vec::new();
    }
    let heard = Heard { lines };
    let module = Heard::of(facts, &MODULES).is_some();
    let (why, fix) = if module {
        (
            "a module is not loaded there",
            "redis-cli MODULE LIST; load it by loadmodule in redis.conf (Redis 8 has JSON, search, time series and Bloom filters built in)",
        )
    } else {
        (
            "it is too old, does not offer it, or is no data server",
            "redis-cli INFO server (redis_version, redis_mode:sentinel?), COMMAND INFO NAME; a provider's list of commands that are not offered",
        )
    };
    vec![
        heard
            .finding(&RULE, Verdict::Cause, Confidence::Likely)
            .claims(format!(
                "{} answered `unknown command`: {why}.",
                counted(heard.lines.len(), "call was", "calls were")
            ))
            .fix(fix, "", "")
            .checked_by("redis-cli COMMAND INFO NAME answers with the command"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, verdicts};

    fn told(name: &str) -> Facts {
        application(&format!(
            "2026-11-23T02:58:11Z redis.exceptions.ResponseError: unknown command '{name}', with args beginning with: 'planted-4711'\n"
        ))
    }

    #[test]
    fn a_module_that_is_missing_is_told_apart_and_no_argument_is_shown() {
        let found = check(&told("JSON.GET"));
        assert!(found[0].claim.contains("module"), "{}", found[0].claim);
        assert!(!format!("{found:?}").contains("planted-4711"));
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Likely)]);
        assert!(check(&told("KEYS"))[0].claim.contains("too old"));
    }

    #[test]
    fn a_protocol_that_is_too_new_is_another_rules() {
        assert_eq!(verdicts(check(&told("HELLO"))), []);
    }
}
