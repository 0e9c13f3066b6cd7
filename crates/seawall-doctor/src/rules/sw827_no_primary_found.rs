//! Clients asked the Sentinels, and got no primary.

use crate::evidence;
use crate::facts::{Facts, times};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

const REDIS_PY: Text = Text::client("No master found for ");
const REDIS_PY_CLASS: Text = Text::client("MasterNotFoundError");
const JEDIS: Text = Text::client("All sentinels down, cannot determine where is");
const JEDIS_NAME: Text = Text::client("seems to be not monitored");
const REDIS_RS: Text = Text::client("Master with given name not found in sentinel");
const GO_REDIS: Text =
    Text::client("redis: all sentinels specified in configuration are unreachable");
const IOREDIS: Text = Text::client("All sentinels are unreachable");
const ALL: &[Text] = &[
    REDIS_PY,
    REDIS_PY_CLASS,
    JEDIS,
    JEDIS_NAME,
    REDIS_RS,
    GO_REDIS,
    IOREDIS,
];

pub(super) const RULE: Rule = Rule {
    code: Code(827),
    title: "clients got no primary from the Sentinels",
    explanation: "The client asked each Sentinel that it knows, and none told a primary that is up: they cannot be reached from \
there, they want a password of their own, they watch it under another name, or they hold it to be down and have not yet replaced \
it. During a failover it lasts some seconds and is nothing more.",
    messages: &[
        "No master found for",
        "All sentinels down, cannot determine where is",
        "seems to be not monitored",
        "Master with given name not found in sentinel",
        "redis: all sentinels specified in configuration are unreachable",
        "All sentinels are unreachable",
    ],
    needs: &[Need::ClientLog, Need::Server],
    brings: &[],
    texts: ALL,
    sources: &[
        "redis-py: sentinel.py",
        "jedis: JedisSentinelPool",
        "redis-rs: sentinel.rs",
        "go-redis: sentinel.go",
        "ioredis: SentinelConnector",
    ],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let lines = evidence::lines(facts, ALL);
    if lines.is_empty() {
        return Vec::new();
    }
    let mut finding = evidence::finding(&RULE, Verdict::Cause, Confidence::Likely, &lines);
    let when = evidence::when(finding.window);
    let mut knows = String::new();
    for look in facts.looks.iter().filter(|look| !look.watched.is_empty()) {
        let names: Vec<_> = look
            .watched
            .iter()
            .map(|watched| format!("{} at {}", watched.name, watched.addr()))
            .collect();
        knows = format!(
            " {} watches {}: compare the name and the address with the client's.",
            look.source,
            names.join(", ")
        );
        finding = finding.supported(look.place("SENTINEL MASTERS"), names.join(", "));
    }
    vec![
        finding
            .claims(format!("Clients asked the Sentinels and got no primary, told {}{when}.{knows}", times(lines.len())))
            .fix("from the application's host: redis-cli -h SENTINEL -p 26379 SENTINEL GET-MASTER-ADDR-BY-NAME <name>; no answer is the network or a password (sentinel_kwargs), nil is another name", "", "")
            .checked_by("that command names the primary from the application's host, and the message does not come again"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, verdicts};

    #[test]
    fn each_clients_words_are_known() {
        for words in [
            "redis.sentinel.MasterNotFoundError: No master found for 'mymaster' : Sentinel<sentinels=['s1:26379']> - MasterNotFoundError()",
            "redis.clients.jedis.exceptions.JedisConnectionException: All sentinels down, cannot determine where is mymaster master is running...",
            "Master with given name not found in sentinel - MasterNameNotFoundBySentinel",
            "redis: all sentinels specified in configuration are unreachable",
        ] {
            let facts = application(&format!("2026-11-23T02:58:11Z {words}\n"));
            assert_eq!(
                verdicts(check(&facts)),
                [(Verdict::Cause, Confidence::Likely)],
                "{words}"
            );
        }
    }

    #[test]
    fn a_refused_connection_is_no_sentinels_answer() {
        let facts = application(
            "2026-11-23T02:58:11Z Error 111 connecting to cache:6379. Connection refused.\n",
        );
        assert_eq!(verdicts(check(&facts)), []);
    }
}
