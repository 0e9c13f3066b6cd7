//! The URL names a database that the server does not have.

use crate::evidence::{Heard, counted};
use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

const RANGE: Text = Text::client("DB index is out of range");
const CLUSTER: Text = Text::client("SELECT is not allowed in cluster mode");

pub(super) const RULE: Rule = Rule {
    code: Code(118),
    title: "the URL names a database that the server does not have",
    explanation: "Clients SELECT the database of their URL as they connect; where it is refused, no connection can be used. \
`databases` is 16 by default; a cluster, and many managed services, have only number 0.",
    messages: &[
        "DB index is out of range",
        "SELECT is not allowed in cluster mode",
        "invalid DB index",
    ],
    needs: &[Need::ClientLog],
    texts: &[RANGE, CLUSTER],
    sources: &[
        "redis: db.c selectCommand",
        "produced on redis-server 7.0.15",
    ],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let Some(heard) = Heard::of(facts, RULE.texts) else {
        return Vec::new();
    };
    let cluster = heard.lines.iter().any(|fact| fact.what.text == CLUSTER);
    let why = if cluster {
        "it is a node of a cluster, which has only number 0"
    } else {
        "its number is not below `databases`"
    };
    vec![
        heard
            .finding(&RULE, Verdict::Cause, Confidence::Likely)
            .claims(format!(
                "{} refused its database: {why}. Likely: the server's own words, in the client's log alone.",
                counted(heard.lines.len(), "connection was", "connections were")
            ))
            .fix("database 0 in the URL (redis://HOST:PORT/0), and a prefix of the keys instead of a database", "keys of the other database are not seen there", "the old URL")
            .fix("or, outside a cluster: databases <more> in redis.conf, and a restart", "a restart", "the old number, once those databases are empty")
            .checked_by("redis-cli -n NUMBER PING answers PONG"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, verdicts};

    const TOLD: &str =
        "2026-11-23T02:58:11Z redis.exceptions.ResponseError: DB index is out of range\n";

    #[test]
    fn a_number_that_is_too_high_and_a_cluster_are_told_apart() {
        let found = check(&application(TOLD));
        assert!(found[0].claim.contains("not below"), "{}", found[0].claim);
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Likely)]);
        let cluster = TOLD.replace(
            "DB index is out of range",
            "SELECT is not allowed in cluster mode",
        );
        assert!(check(&application(&cluster))[0].claim.contains("cluster"));
    }

    #[test]
    fn another_error_is_none() {
        assert_eq!(
            verdicts(check(&application(
                "2026-11-23T02:58:11Z Connection refused\n"
            ))),
            []
        );
    }
}
