//! The server's name has no address.

use std::collections::BTreeSet;

use crate::evidence::{Heard, counted};
use crate::facts::{Facts, Failure, Reach};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

/// The name service did not answer: the name may be right.
const AWAY: &[Text] = &[
    Text::client("Temporary failure in name resolution").shared(),
    Text::client("EAI_AGAIN").shared(),
    Text::client("server misbehaving").shared(),
];
/// It answered that there is no such name.
const UNKNOWN: &[Text] = &[
    Text::client("Name or service not known").shared(),
    Text::client("nodename nor servname provided").shared(),
    Text::client("getaddrinfo ENOTFOUND").shared(),
    Text::client("no such host").shared(),
    Text::client("UnknownHostException").shared(),
];

pub(super) const RULE: Rule = Rule {
    code: Code(114),
    title: "the server's name could not be resolved",
    explanation: "Nothing was sent to Redis: the client did not learn its address. `Temporary failure in name resolution` and \
EAI_AGAIN mean that the name service did not answer (in Kubernetes often CoreDNS under load, or a network policy without UDP \
53); `Name or service not known` and ENOTFOUND that it knows no such name (a typing error, another namespace, a service that was \
deleted). Established connections go on.",
    messages: &[
        "Name or service not known",
        "Temporary failure in name resolution",
        "getaddrinfo ENOTFOUND",
        "getaddrinfo EAI_AGAIN",
        "no such host",
        "UnknownHostException",
        "Error -2 connecting",
        "Error -3 connecting",
    ],
    needs: &[Need::ClientLog, Need::Server],
    texts: &[
        AWAY[0], AWAY[1], AWAY[2], UNKNOWN[0], UNKNOWN[1], UNKNOWN[2], UNKNOWN[3], UNKNOWN[4],
    ],
    sources: &[
        "redis-py: connection.py",
        "glibc: gai_strerror.c",
        "StackExchange.Redis#2264",
    ],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let look = facts.looks.iter().find_map(|look| match &look.reach {
        Reach::NameUnknown(words) => Some((look, words)),
        _ => None,
    });
    let away = Heard::of(facts, AWAY);
    let unknown = Heard::of(facts, UNKNOWN);
    let heard: Vec<_> = [&away, &unknown].into_iter().flatten().collect();
    let said: BTreeSet<_> = heard
        .iter()
        .flat_map(|heard| heard.lines.iter().map(|fact| &fact.place))
        .collect();
    // Seawall's journal and some clients tell it in none of these words.
    let wordless: Vec<_> = facts
        .failures(Failure::NameUnknown)
        .filter(|fact| !said.contains(&fact.place))
        .collect();
    let told = said.len() + wordless.len();
    // One failed lookup among thousands is every name service's daily life.
    if look.is_none() && told < 2 {
        return Vec::new();
    }
    let confidence = match (look, told) {
        (Some(_), 1..) => Confidence::Strong,
        _ => Confidence::Likely,
    };
    let mut finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, confidence);
    for heard in heard {
        let part = heard.finding(&RULE, Verdict::Cause, confidence);
        for one in part.supports {
            finding = finding.supported(one.place, one.says);
        }
        finding = finding.at(heard.first().at).at(heard.last().at);
    }
    if let Some(first) = wordless.first() {
        finding = finding.supported(first.place.clone(), "its name could not be resolved");
    }
    for fact in &wordless {
        finding = finding.at(fact.at);
    }
    for fact in facts.failures(Failure::NameUnknown) {
        if let Some(server) = &fact.what.server {
            finding = finding.struck(server);
        }
    }
    if let Some((look, words)) = look {
        finding = finding
            .at(look.at)
            .struck(&*look.source)
            .supported(look.place("connect"), words);
    }
    let (why, fix) = if away.is_some() && unknown.is_none() {
        (
            "the name service did not answer",
            "from the client's host or pod: getent hosts NAME, several times; cat /etc/resolv.conf; kubectl -n kube-system logs -l k8s-app=kube-dns --since=1h",
        )
    } else if away.is_none() && unknown.is_none() && look.is_none() {
        (
            "the server's name could not be resolved",
            "from the client's host or pod: getent hosts NAME, several times: no answer at once is no such name, one after seconds a name service that is away",
        )
    } else {
        (
            "the name service knows no such name",
            "from the client's host or pod: getent hosts NAME; compare with the URL letter by letter, in Kubernetes with SERVICE.NAMESPACE.svc",
        )
    };
    let calls = match told {
        0 => "The doctor could not resolve the name either way".to_owned(),
        _ => counted(
            told,
            "call did not get as far as Redis",
            "calls did not get as far as Redis",
        ),
    };
    vec![
        finding
            .claims(format!("{calls}: {why}."))
            .fix(fix, "", "")
            .fix(
                "stop-gap: the server's address instead of its name in the URL",
                "a failover that moves the name is not followed",
                "the name in the URL again",
            )
            .checked_by("getent hosts NAME answers 20 times in a row on the client's host"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Look;
    use crate::testing::{application, verdicts};

    const AWAY: &str = "2026-11-23T02:58:11Z redis.exceptions.ConnectionError: Error -3 connecting to cache:6379. Temporary failure in name resolution.\n";

    #[test]
    fn a_name_service_that_is_away_is_told_from_a_wrong_name() {
        let found = check(&application(&AWAY.repeat(3)));
        assert!(
            found[0].claim.contains("3 calls") && found[0].claim.contains("did not answer"),
            "{}",
            found[0].claim
        );
        assert_eq!(found[0].whom(), "cache:6379");
        let wrong = "2026-11-23T02:58:11Z redis: Error: getaddrinfo ENOTFOUND cahce\n".repeat(2);
        let found = check(&application(&wrong));
        assert!(
            found[0].claim.contains("no such name"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Likely)]);
    }

    #[test]
    fn who_tells_it_in_other_words_is_counted_as_well() {
        let other = "2026-11-23T02:58:11Z redis.exceptions.ConnectionError: Error -5 connecting to cache:6379. No address associated with hostname.\n";
        assert_eq!(verdicts(check(&application(other))), []);
        let found = check(&application(&other.repeat(3)));
        assert!(
            found[0].claim.contains("3 calls") && found[0].claim.contains("could not be resolved"),
            "{}",
            found[0].claim
        );
        assert!(found[0].window.is_some());
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Likely)]);
    }

    #[test]
    fn one_lookup_that_failed_is_no_outage() {
        assert_eq!(verdicts(check(&application(AWAY))), []);
    }

    #[test]
    fn the_doctors_own_try_makes_it_strong() {
        let mut facts = application(AWAY);
        let reach = Reach::NameUnknown("failed to lookup address information".to_owned());
        facts.looks.push(Look::new("cache:6379", None, reach));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Strong)]
        );
    }
}
