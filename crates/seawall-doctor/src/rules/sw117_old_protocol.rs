//! The client speaks a newer protocol than the server, or than what stands between.

use crate::evidence::{Heard, counted};
use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

const HELLO: &[Text] = &[
    Text::client("unknown command 'HELLO'"),
    Text::client("unknown command `HELLO`"),
    Text::client("unknown command 'hello'"),
    Text::client("unknown command `hello`"),
    Text::client("NOPROTO"),
    Text::client("unsupported protocol version"),
];

pub(super) const RULE: Rule = Rule {
    code: Code(117),
    title: "the server does not know the client's protocol (HELLO)",
    explanation: "A client that wants RESP3 begins with HELLO, which servers before 6.0 and some proxies and managed services do \
not know. Newer clients want it by default, so that it begins with an upgrade of the client, or when a proxy (twemproxy, an old \
Envoy) is put in front.",
    messages: &[
        "unknown command 'HELLO'",
        "unknown command `HELLO`",
        "NOPROTO unsupported protocol version",
    ],
    needs: &[Need::ClientLog, Need::Server],
    texts: HELLO,
    sources: &[
        "redis: networking.c helloCommand",
        "produced on redis-server 7.0.15 (HELLO 4)",
    ],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let Some(heard) = Heard::of(facts, HELLO) else {
        return Vec::new();
    };
    let old = facts.looks.iter().find_map(|look| {
        let version = look.info.get("redis_version")?;
        let major: u32 = version.split('.').next()?.parse().ok()?;
        (major < 6).then_some((look, version))
    });
    let confidence = if old.is_some() {
        Confidence::Strong
    } else {
        Confidence::Likely
    };
    let mut finding = heard
        .finding(&RULE, Verdict::Cause, confidence)
        .claims(format!(
            "{} refused the client's HELLO: {}.",
            counted(heard.lines.len(), "connection was", "connections were"),
            if old.is_some() {
                "the server is older than RESP3"
            } else {
                "the server, or a proxy before it, does not know that version of the protocol"
            },
        ));
    if let Some((look, version)) = old {
        finding = finding.supported(look.place("INFO"), format!("redis_version {version}"));
    }
    vec![
        finding
            .fix("let the client speak RESP2: redis-py protocol=2, node-redis RESP: 2, go-redis Protocol: 2, Lettuce ProtocolVersion.RESP2", "client-side caching and push messages need RESP3", "the old value")
            .checked_by("the client connects, and CLIENT LIST shows resp=2"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, pasted, verdicts};

    const TOLD: &str = "2026-11-23T02:58:11Z redis.exceptions.ResponseError: unknown command 'HELLO', with args beginning with: '3'\n";

    #[test]
    fn the_servers_age_makes_it_strong() {
        let mut facts = application(TOLD);
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Likely)]
        );
        facts.add(pasted(
            "# Server\nredis_version:5.0.14\nuptime_in_seconds:9\n",
        ));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Strong)]
        );
    }

    #[test]
    fn another_unknown_command_is_another_thing() {
        let other =
            TOLD.replace("HELLO", "FOO").repeat(2) + "2026-11-23T02:58:11Z Connection refused\n";
        assert_eq!(verdicts(check(&application(&other))), []);
    }
}
