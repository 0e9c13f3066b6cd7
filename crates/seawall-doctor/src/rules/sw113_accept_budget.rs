//! So many connect at once that the server takes them in slowly.

use crate::evidence::counted;
use crate::facts::{Facts, Failure, Look};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

/// So many new connections in a second are a storm: without TLS, and with it.
const PLAIN_A_SECOND: f64 = 5_000.0;
const TLS_A_SECOND: f64 = 500.0;

pub(super) const RULE: Rule = Rule {
    code: Code(113),
    title: "so many connect at once that connecting takes long",
    explanation: "After a deployment, a failover or an outage everybody connects anew, and nobody keeps a connection: a TLS handshake \
costs the server a millisecond, a plain accept a tenth of that. Since 7.4 it takes in 10 (1 with TLS) in each turn of its loop \
(`max-new-connections-per-cycle`), so that commands go on and connecting waits.",
    messages: &[
        "Timeout connecting to server",
        "connect ETIMEDOUT",
        "i/o timeout",
    ],
    needs: &[Need::Server, Need::ClientLog],
    brings: &[],
    sources: &["redis: config.c max-new-connections-per-cycle"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let timeouts: Vec<_> = facts.failures(Failure::ConnectTimeout).collect();
    facts
        .looks
        .iter()
        .filter_map(|look| {
            let first = timeouts.first()?;
            let rate = look.rate("total_connections_received")?;
            let tls = look.setting("tls-port").is_some_and(|port| port > 0);
            let limit = if tls { TLS_A_SECOND } else { PLAIN_A_SECOND };
            (rate > limit).then(|| {
                of_look(look, rate, tls).supported(
                    first.place.clone(),
                    counted(timeouts.len(), "connect timed out", "connects timed out"),
                )
            })
        })
        .collect()
}

fn of_look(look: &Look, rate: f64, tls: bool) -> Finding {
    let kind = if tls {
        "max-new-tls-connections-per-cycle"
    } else {
        "max-new-connections-per-cycle"
    };
    let budget = look.config.get(kind);
    let each = budget.map_or_else(String::new, |budget| {
        format!(", of which it takes in {budget} a turn ({kind})")
    });
    let finding = Finding::new(RULE.code, RULE.title, Verdict::Contributing, Confidence::Likely)
        .at(look.at)
        .claims(format!("{rate:.0} connections a second are made anew{each}: those that wait run into their timeouts."))
        .supported(look.place("INFO"), format!("total_connections_received: {rate:.0} a second"))
        .fix("clients that keep their connections, and connect again with a random pause (full jitter) up to some seconds", "a recovery takes that much longer for each", "");
    let finding = match budget {
        Some(budget) => finding.fix(
            format!("redis-cli CONFIG SET {kind} <more>"),
            "commands wait while connections are made",
            format!("redis-cli CONFIG SET {kind} {budget}"),
        ),
        None => finding,
    };
    finding.checked_by("the next deployment costs no connect timeout, and total_connections_received rises by less than a tenth of the commands")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Before;
    use crate::testing::{application, pasted, verdicts};

    fn storm(received: u64) -> Facts {
        let mut facts = pasted(&format!(
            "# Stats\nuptime_in_seconds:900\nrun_id:a\ntotal_connections_received:{received}\nmax-new-connections-per-cycle\n10\n"
        ));
        let look = &mut facts.looks[0];
        let mut info = look.info.clone();
        info.insert("total_connections_received".to_owned(), "0".to_owned());
        let span = std::time::Duration::from_secs(2);
        look.before = Some(Before {
            source: "earlier.txt".into(),
            info,
            clients: Vec::new(),
            span,
        });
        facts
    }

    #[test]
    fn a_storm_and_connects_that_time_out_belong_together() {
        let mut facts = storm(20_000);
        assert_eq!(verdicts(check(&facts)), []);
        facts.add(application(
            "2026-11-23T02:58:11Z Timeout connecting to server\n",
        ));
        let found = check(&facts);
        assert!(
            found[0].claim.contains("10000 connections a second")
                && found[0].claim.contains("10 a turn"),
            "{}",
            found[0].claim
        );
        assert_eq!(
            verdicts(found),
            [(Verdict::Contributing, Confidence::Likely)]
        );
    }

    #[test]
    fn ordinary_coming_and_going_is_none() {
        let mut facts = storm(200);
        facts.add(application(
            "2026-11-23T02:58:11Z Timeout connecting to server\n",
        ));
        assert_eq!(verdicts(check(&facts)), []);
    }
}
