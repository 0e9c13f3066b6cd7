//! The clients look into a database that holds nothing.

use std::collections::BTreeMap;

use crate::facts::{Facts, Look, Peer};
use crate::finding::{Confidence, Finding, Verdict};
use crate::memory::keys_in;
use crate::rule::{Code, Need, Rule};

/// So many reads that find nothing, and none that does.
const MISSES: u64 = 100;

/// So many keys that lie elsewhere.
const KEYS: u64 = 100;

pub(super) const RULE: Rule = Rule {
    code: Code(751),
    title: "clients read a database that is empty: the keys are in another one",
    explanation: "A server has 16 databases, and a URL's last part (`/1`) or `db=1` says which one a client means. After a changed setting all \
reads find nothing, no call fails, and the data are where they were. INFO keyspace tells which database has keys, CLIENT LIST (`db=`) \
which one each client is in.",
    messages: &[],
    needs: &[Need::Server],
    sources: &["redis: db.c selectDb"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    facts.looks.iter().filter_map(of).collect()
}

fn of(look: &Look) -> Option<Finding> {
    let misses = look
        .rose("keyspace_misses")
        .filter(|misses| *misses >= MISSES)?;
    if look.rose("keyspace_hits") != Some(0) {
        return None;
    }
    let mut clients: BTreeMap<u32, usize> = BTreeMap::new();
    let ordinary = |peer: &&Peer| !peer.replicates() && !peer.subscribes();
    for peer in look.clients.iter().filter(ordinary) {
        // The doctor itself is in the first one.
        if peer.name != "seawall-doctor" {
            *clients.entry(peer.database?).or_default() += 1;
        }
    }
    let keys = |database: u32| keys_in(look, database);
    let (meant, many) = clients.iter().max_by_key(|(_, count)| **count)?;
    let all_empty = clients.keys().all(|database| keys(*database) == 0);
    let full = (0..64)
        .filter(|database| keys(*database) >= KEYS)
        .max_by_key(|database| keys(*database))?;
    if !all_empty {
        return None;
    }
    let says = format!(
        "database {meant} is empty, and {many} clients read it; {} keys are in database {full}",
        keys(full)
    );
    let missed = format!(
        "{misses} reads found nothing in {}, none found anything",
        look.between().unwrap_or_default()
    );
    Some(
        Finding::new(RULE.code, RULE.title, Verdict::Cause, Confidence::Strong)
            .silently()
            .at(look.at)
            .supported(look.place("INFO"), missed.as_str())
            .supported(look.place("CLIENT LIST"), says.as_str())
            .claims(format!("{missed}: {says}."))
            .fix(
                format!("the application's URL: redis://HOST:PORT/{full} instead of /{meant}, if its keys are those"),
                "what was written to the other database meanwhile stays there",
                "",
            )
            .checked_by("keyspace_hits of INFO rises"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{pasted, together, twice, verdicts};

    fn server(database: u32, hits: u64) -> Facts {
        let info = |misses: u64, hits: u64| {
            format!(
                "total_commands_processed:9\nkeyspace_hits:{hits}\nkeyspace_misses:{misses}\ndb0:keys=4000,expires=0,avg_ttl=0"
            )
        };
        let client = format!(
            "id=7 addr=10.0.0.7:51234 name=web flags=N db={database} qbuf=0 omem=0 cmd=get\n"
        );
        together([
            twice(&info(10, 5), 60, &info(900, 5 + hits)),
            pasted(&client),
        ])
    }

    #[test]
    fn reads_of_an_empty_database_beside_a_full_one_are_told() {
        let found = check(&server(1, 0));
        assert!(
            found[0].claim.contains("890 reads found nothing"),
            "{}",
            found[0].claim
        );
        assert!(
            found[0].claim.contains("4000 keys are in database 0"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
    }

    #[test]
    fn reads_that_find_something_and_a_full_database_are_in_order() {
        assert_eq!(verdicts(check(&server(1, 40))), []);
        assert_eq!(verdicts(check(&server(0, 0))), []);
        let unknown =
            "# Stats\nkeyspace_misses:90000\nkeyspace_hits:0\ndb0:keys=4000,expires=0,avg_ttl=0\n";
        assert_eq!(verdicts(check(&pasted(unknown))), []);
    }
}
