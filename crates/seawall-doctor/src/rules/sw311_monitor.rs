//! A MONITOR is left running.

use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

pub(super) const RULE: Rule = Rule {
    code: Code(311),
    title: "a MONITOR is running",
    explanation: "MONITOR sends every command to whoever asked for it: it costs up to half of the throughput, and a reader that is \
too slow fills the server's memory, since it counts as a normal client, whose limit is none by default. It shows all keys and \
values, too. Mostly somebody's terminal was left open.",
    messages: &[],
    needs: &[Need::Server],
    brings: &[],
    sources: &[
        "redis: replication.c monitorCommand, networking.c getClientType",
        "redis.io: MONITOR",
    ],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let of_look = |look: &crate::facts::Look| {
        let watching: Vec<_> = look
            .clients
            .iter()
            .filter(|peer| peer.flags.contains('O'))
            .collect();
        let first = watching.first()?;
        let mut finding =
            Finding::new(RULE.code, RULE.title, Verdict::Risk, Confidence::Possible).at(look.at);
        for peer in &watching {
            let unread = crate::facts::bytes(peer.output_bytes);
            let says = format!("{}: flags={}, {unread} unread", peer.label(), peer.flags);
            finding = finding
                .struck(peer.label())
                .supported(look.place("CLIENT LIST"), says);
        }
        let kill = first
            .id
            .map_or_else(|| format!("ADDR {}", first.addr), |id| format!("ID {id}"));
        let who = finding.whom();
        Some(
            finding
                .claims(format!("{who} is sent every command that the server runs."))
                .fix(
                    format!("redis-cli CLIENT KILL {kill}"),
                    "somebody's look at the server ends",
                    "",
                )
                .fix(
                    "keep it from applications: redis-cli ACL SETUSER <user> -monitor",
                    "",
                    "redis-cli ACL SETUSER <user> +monitor",
                )
                .checked_by("no client with flags=O in CLIENT LIST"),
        )
    };
    facts.looks.iter().filter_map(of_look).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{pasted, verdicts};

    fn row(flags: &str) -> Facts {
        pasted(&format!(
            "id=3 addr=10.0.0.7:51234 name= age=9000 idle=9000 flags={flags} omem=0 cmd=monitor\n"
        ))
    }

    #[test]
    fn who_watches_is_named_with_the_way_to_end_it() {
        let found = check(&row("O"));
        assert!(found[0].fixes[0].action.ends_with("CLIENT KILL ID 3"));
        assert_eq!(verdicts(found), [(Verdict::Risk, Confidence::Possible)]);
    }

    #[test]
    fn other_clients_are_none() {
        assert_eq!(verdicts(check(&row("N"))), []);
    }
}
