//! Somebody made a replica of a primary: its data are another server's now.

use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::lifetimes::had_data;
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Text};

/// `REPLICAOF 10.0.0.9:6379 enabled (user request from 'id=15 addr=.. cmd=replicaof')`.
const TOLD: &[Text] = &[
    Text::server("REPLICAOF ").keeping(Keeps::Peer),
    Text::server("SLAVE OF ").keeping(Keeps::Peer),
];
/// Only a server that was a primary says so.
const WAS_PRIMARY: Text = Text::server("Before turning into a ");
const FLUSHED: Text = Text::server("Flushing old data");

/// From the order to the flush: a dump of the other server lies in between.
const WITHIN_S: f64 = 3_600.0;

pub(super) const RULE: Rule = Rule {
    code: Code(717),
    title: "a primary was made a replica, and its data were dropped",
    explanation: "REPLICAOF makes a primary drop all its data and take another server's: a script with the wrong host, an operator who mixed up \
two servers, or somebody who broke in and serves you his own. Its clients get READONLY to writes from then on. A failover of Sentinel does \
the same to the old primary, by its own connection, and there that is right.",
    messages: &["READONLY You can't write against a read only replica"],
    needs: &[Need::ServerLog],
    brings: &[Code(801)],
    texts: &[TOLD[0], TOLD[1], WAS_PRIMARY, FLUSHED],
    sources: &["redis: replication.c replicaofCommand"],
    check,
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for fact in TOLD.iter().flat_map(|text| facts.said(text)) {
        // Sentinel calls itself sentinel-<id>-cmd.
        let Some(peer) = fact
            .what
            .peer
            .as_ref()
            .filter(|peer| !peer.name.starts_with("sentinel-"))
        else {
            continue;
        };
        let same = |other: &&crate::facts::Fact<crate::text::Said>| {
            other.what.pid == fact.what.pid && other.place.source == fact.place.source
        };
        let apart =
            |other: &crate::facts::Fact<crate::text::Said>| Some(fact.at?.seconds_to(other.at?));
        let was = facts
            .said(&WAS_PRIMARY)
            .filter(same)
            .find(|other| apart(other).is_some_and(|apart| apart.abs() < 2.0));
        let flushed = facts
            .said(&FLUSHED)
            .filter(same)
            .find(|other| apart(other).is_some_and(|apart| (0.0..WITHIN_S).contains(&apart)));
        let (Some(was), Some(flushed)) = (was, flushed) else {
            continue;
        };
        let who = peer.label();
        let mut finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, Confidence::Proved);
        let mut lost = "and it dropped its own data. Proved: the log names both";
        if let Some(had) = had_data(facts, fact) {
            finding = finding.supported(had.place.clone(), "it had data");
        } else {
            // A server that held nothing loses nothing: a change of roles is no harm then.
            lost = "and it dropped its own data, if it had any";
            finding.verdict = Verdict::Contributing;
            finding.confidence = Confidence::Likely;
        }
        found.push(
            finding
                .at(fact.at)
                .at(flushed.at)
                .struck(format!("told by {who}"))
                .supported(was.place.clone(), "it was a primary until then")
                .supported(fact.place.clone(), format!("{who} told it to follow another server"))
                .supported(flushed.place.clone(), "it dropped its own data")
                .silently()
                .claims(format!(
                    "{who} made this primary a replica of another server, {lost}."
                ))
                .fix(
                    "look first whether it should be one: redis-cli INFO replication, master_host. If not: redis-cli REPLICAOF NO ONE",
                    "it then takes writes, with the other server's data",
                    "redis-cli REPLICAOF <host> <port>",
                )
                .fix("restore the dump of before; copy <dir>/dump.rdb away at once, the next save overwrites it", "", "")
                .fix(
                    "redis-cli ACL SETUSER <each application's user> -replicaof -slaveof; a password, and no port open to the world",
                    "a tool that needs it gets NOPERM",
                    "redis-cli ACL SETUSER <user> +replicaof +slaveof",
                )
                .checked_by("role:master in INFO, and the number of keys is what it was"),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, verdicts};

    /// Of redis-server 7.0.15.
    const WAS: &str = "9:S 23 Nov 2026 02:58:01.866 * Before turning into a replica, using my own master parameters to synthesize a cached \
master: I may be able to synchronize with the new master with just a partial transfer.\n";
    const TOLD: &str = "9:S 23 Nov 2026 02:58:01.866 * REPLICAOF 10.0.0.9:6379 enabled (user request from 'id=15 addr=10.0.0.66:40246 \
laddr=10.0.0.2:6379 fd=8 name= age=0 idle=0 flags=N db=0 cmd=replicaof user=default redir=-1 resp=2')\n";
    const SAVED: &str = "4712:C 23 Nov 2026 01:00:07.012 * DB saved on disk\n";
    const FLUSHED: &str =
        "9:S 23 Nov 2026 02:58:07.012 * MASTER <-> REPLICA sync: Flushing old data\n";

    #[test]
    fn the_log_names_who_and_what_became_of_it() {
        let found = check(&log(&[SAVED, WAS, TOLD, FLUSHED].concat()));
        assert!(
            found[0].claim.contains("10.0.0.66:40246"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
    }

    #[test]
    fn that_it_had_data_must_be_known_for_a_loss_to_be_proved() {
        let found = check(&log(&[WAS, TOLD, FLUSHED].concat()));
        assert!(
            found[0].claim.contains("if it had any"),
            "{}",
            found[0].claim
        );
        assert_eq!(
            verdicts(found),
            [(Verdict::Contributing, Confidence::Likely)]
        );
    }

    #[test]
    fn a_replica_that_changes_its_primary_and_one_that_flushed_nothing_are_in_order() {
        assert_eq!(verdicts(check(&log(&[TOLD, FLUSHED].concat()))), []);
        assert_eq!(verdicts(check(&log(&[WAS, TOLD].concat()))), []);
    }

    #[test]
    fn sentinel_does_it_rightly() {
        let sentinel = TOLD.replace("name= ", "name=sentinel-3f2a90c1-cmd ");
        assert_eq!(
            verdicts(check(&log(&[WAS, &sentinel, FLUSHED].concat()))),
            []
        );
    }
}
