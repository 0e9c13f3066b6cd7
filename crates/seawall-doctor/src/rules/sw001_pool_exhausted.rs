//! The client's own pool had no connection left.

use crate::evidence::counted;
use crate::facts::{Facts, Failure};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

pub(super) const RULE: Rule = Rule {
    code: Code(1),
    title: "the client's own pool had no connection left",
    explanation: "Every connection that the client may hold was in use: more threads or tasks than connections, connections \
that are never given back, blocking commands in the same pool, or a server that answers slowly. The server refused nothing.",
    messages: &[
        "Too many connections",
        "No connection available",
        "connection pool timeout",
        "Could not get a resource from the pool",
    ],
    needs: &[Need::ClientLog],
    brings: &[],
    sources: &["redis-py: connection.py", "go-redis: pool.go", "jedis"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let told: Vec<_> = facts.failures(Failure::PoolExhausted).collect();
    let Some(first) = told.first() else {
        return Vec::new();
    };
    let finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, Confidence::Likely)
        .claims(format!("{} no connection to be sent on. Likely: the client says so; why they were all in use, it does not.", counted(told.len(), "call had", "calls had")))
        .supported(first.place.clone(), "the first of them")
        .at_each(told.iter().map(|fact| fact.at));
    vec![
        finding
            .fix("as many connections as threads or tasks of a process, and a pool of their own for blocking commands", "processes times connections must stay below maxclients", "")
            .checked_by("no such line for an hour of the same load"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, verdicts};

    #[test]
    fn the_clients_words_make_it_likely() {
        let facts = application(
            "2026-11-23T02:58:11Z redis.exceptions.MaxConnectionsError: Too many connections\n",
        );
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Likely)]
        );
    }

    #[test]
    fn the_servers_refusal_is_another_thing() {
        let facts = application(
            "2026-11-23T02:58:11Z redis.exceptions.ConnectionError: max number of clients reached\n",
        );
        assert_eq!(verdicts(check(&facts)), []);
    }
}
