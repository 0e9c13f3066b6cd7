//! A command names keys of several slots.

use crate::evidence;
use crate::facts::{Facts, times};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

const SERVER: Text = Text::client("Keys in request don't hash to the same slot");
const REDIS_PY: Text = Text::client("ClusterCrossSlotError");
const REDIS_PY_OWN: Text = Text::client("all keys must map to the same key slot");
const STACKEXCHANGE: Text = Text::client("Multi-key operations must involve a single slot");
const JEDIS: Text = Text::client(
    "No way to dispatch this command to Redis Cluster because keys have different slots",
);
const ALL: &[Text] = &[SERVER, REDIS_PY, REDIS_PY_OWN, STACKEXCHANGE, JEDIS];

pub(super) const RULE: Rule = Rule {
    code: Code(835),
    title: "a command names keys of several slots",
    explanation: "In a cluster a command, a transaction or a script may only touch keys of one slot. Code that worked with one \
server fails with CROSSSLOT, always, for these keys. Keys that belong together share a part in braces, `{user:7}:cart` and \
`{user:7}:name`: only that part is hashed.",
    messages: &[
        "CROSSSLOT",
        "Keys in request don't hash to the same slot",
        "ClusterCrossSlotError",
        "Multi-key operations must involve a single slot",
    ],
    needs: &[Need::ClientLog],
    brings: &[],
    texts: ALL,
    sources: &[
        "redis: cluster.c getNodeByQuery",
        "redis-py: exceptions.py",
        "StackExchange.Redis",
        "jedis",
    ],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let told = evidence::lines(facts, ALL);
    if told.is_empty() {
        return Vec::new();
    }
    let mut finding = evidence::finding(&RULE, Verdict::Cause, Confidence::Proved, &told);
    for look in &facts.looks {
        if let Some(count) = look.errors("CROSSSLOT").filter(|count| *count > 0) {
            finding = finding.supported(
                look.place("INFO"),
                format!("errorstat_CROSSSLOT {count} ({})", look.counting_since()),
            );
        }
    }
    let when = evidence::when(finding.window);
    vec![
        finding
            .claims(format!("Keys of different slots were named in one command, told {}{when}. Proved: the message is about nothing else.", times(told.len())))
            .fix("give keys that are used together a common part in braces: {user:7}:cart, {user:7}:name", "all keys of one such part are on one node", "")
            .fix("or one command a key, in a pipeline: the client splits it by node", "it is no longer one step", "")
            .checked_by("errorstat_CROSSSLOT of INFO stays as it is"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, pasted, verdicts};

    #[test]
    fn the_words_mean_nothing_else() {
        let facts = application(
            "2026-11-23T02:58:11Z redis.exceptions.ClusterCrossSlotError: Keys in request don't hash to the same slot\n",
        );
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Proved)]
        );
    }

    #[test]
    fn a_counter_since_start_proves_no_incident() {
        assert_eq!(
            verdicts(check(&pasted(
                "total_error_replies:9\nerrorstat_CROSSSLOT:count=9\n"
            ))),
            []
        );
    }
}
