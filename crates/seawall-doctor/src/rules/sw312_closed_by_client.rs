//! It was the client that closed, and not the server.

use std::collections::BTreeSet;

use crate::facts::{Facts, Failure};
use crate::finding::Finding;
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Text};

/// Both are verbose.
const CLOSED: Text = Text::server("Client closed connection ").keeping(Keeps::Peer);

pub(super) const RULE: Rule = Rule {
    code: Code(312),
    title: "the client closed the connection, and not the server",
    explanation: "A client that ran into its own timeout closes the connection; its application tells of a lost connection, and the \
server only that it went (`Client closed connection`, at `loglevel verbose`). Where both sides name the same address, it was not \
the server, and the timeout is what to explain.",
    messages: &["Timeout reading from socket", "Timeout reading from"],
    needs: &[Need::ServerLog, Need::ClientLog],
    texts: &[CLOSED],
    sources: &["redis: networking.c readQueryFromClient"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let failed: BTreeSet<&str> = facts
        .client_log
        .iter()
        .filter(|fact| {
            matches!(
                fact.what.failure,
                Failure::ReadTimeout | Failure::Closed | Failure::Reset | Failure::Other
            )
        })
        .filter_map(|fact| fact.what.local.as_deref())
        .collect();
    let closed: Vec<_> = facts
        .said(&CLOSED)
        .filter(|fact| {
            fact.what
                .peer
                .as_ref()
                .is_some_and(|peer| failed.contains(&*peer.addr))
        })
        .collect();
    let Some(first) = closed.first() else {
        return Vec::new();
    };
    let says = format!(
        "the log tells of {} of the failed connections, by address, that the client closed them",
        closed.len()
    );
    vec![Finding::ruled_out(
        RULE.code,
        "a close by the server",
        first.place.clone(),
        says,
    )]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Confidence, Verdict};
    use crate::testing::{application, log, verdicts};

    const GONE: &str = "14059:M 23 Nov 2026 02:58:13.720 - Client closed connection id=3 addr=10.0.0.7:51234 laddr=10.0.0.2:6379 fd=8 name= age=2 idle=2 flags=N qbuf=0 omem=0 cmd=get\n";
    const TOLD: &str =
        "2026-11-23T02:58:13Z redis: read tcp 10.0.0.7:51234->10.0.0.2:6379: i/o timeout\n";

    #[test]
    fn the_same_address_on_both_sides_clears_the_server() {
        let mut facts = log(GONE);
        assert_eq!(verdicts(check(&facts)), []);
        facts.add(application(TOLD));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::RuledOut, Confidence::Strong)]
        );
    }

    #[test]
    fn another_address_says_nothing() {
        let mut facts = log(GONE);
        facts.add(application(&TOLD.replace("51234", "51235")));
        assert_eq!(verdicts(check(&facts)), []);
    }
}
