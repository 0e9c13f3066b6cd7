//! Sentinel holds a server to be down that it may not talk to.

use crate::evidence;
use crate::facts::{Facts, Look};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Text};

const DOWN: Text = Text::server("+sdown master ").keeping(Keeps::Rest);

pub(super) const RULE: Rule = Rule {
    code: Code(826),
    title: "Sentinel holds a server to be down whose password it does not have",
    explanation: "Sentinel logs in with `sentinel auth-pass` (and auth-user). Where that is missing or old the server answers \
its pings with NOAUTH or WRONGPASS, which is no valid answer: a server that is in order is held to be down, and may be failed \
over. The password was changed on the servers and not on the Sentinels.",
    messages: &[],
    needs: &[Need::ServerLog, Need::Server],
    brings: &[Code(821), Code(822)],
    texts: &[DOWN],
    sources: &["redis: sentinel.c", "redis#5410", "redis#4799"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for (source, lines) in evidence::by_source(facts, &[DOWN]) {
        for look in &facts.looks {
            let Some(port) = look.word("tcp_port") else {
                continue;
            };
            let of_it: Vec<_> = lines
                .iter()
                .copied()
                .filter(|fact| {
                    fact.what.rest.rsplit(' ').next() == Some(port) && was_up(look, fact.at)
                })
                .collect();
            let refused =
                look.errors("NOAUTH").unwrap_or(0) + look.errors("WRONGPASS").unwrap_or(0);
            if of_it.is_empty() || refused < 10 {
                continue;
            }
            let says = format!(
                "NOAUTH and WRONGPASS were answered {refused} times ({})",
                look.counting_since()
            );
            found.push(
                evidence::finding(&RULE, Verdict::Cause, Confidence::Likely, &of_it)
                    .struck(&*look.source)
                    .supported(look.place("INFO"), says.clone())
                    .claims(format!("{source} held {} to be down while it ran, and {says}. Likely: a server that runs and a login that fails look so to a Sentinel; who failed to log in, the counter does not tell.", look.source))
                    .fix("redis-cli -p 26379 SENTINEL SET <name> auth-pass <password> (and auth-user <user>), on every Sentinel", "", "the same with the old password")
                    .checked_by("redis-cli -p 26379 SENTINEL MASTER <name>: no s_down in flags; errorstat_NOAUTH of INFO stays as it is"),
            );
        }
    }
    found
}

/// Whether it ran at that time, by its uptime.
fn was_up(look: &Look, at: Option<crate::stamp::Stamp>) -> bool {
    let began = || {
        let uptime = i64::try_from(look.number("uptime_in_seconds")?).ok()?;
        Some(look.at?.plus_seconds(-uptime))
    };
    at.zip(began()).is_some_and(|(at, began)| began <= at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stamp::Stamp;
    use crate::testing::{log, pasted, verdicts};

    const LINE: &str = "2012:X 23 Nov 2026 23:42:08.678 # +sdown master mymaster 10.0.0.1 6379\n";

    fn with(info: &str) -> Facts {
        let mut facts = log(LINE);
        let mut look = pasted(info);
        look.looks[0].at = Stamp::of((2026, 11, 24), (0, 0, 0), 0);
        facts.add(look);
        facts
    }

    #[test]
    fn a_server_that_ran_and_refused_logins_was_not_down() {
        let info = "tcp_port:6379\nuptime_in_seconds:90000\ntotal_error_replies:500\nerrorstat_NOAUTH:count=500\n";
        assert_eq!(
            verdicts(check(&with(info))),
            [(Verdict::Cause, Confidence::Likely)]
        );
    }

    #[test]
    fn one_that_refused_nobody_one_that_began_later_and_another_port_are_silent() {
        let info = "tcp_port:6379\nuptime_in_seconds:90000\ntotal_error_replies:500\nerrorstat_NOAUTH:count=500\n";
        assert_eq!(
            verdicts(check(&with(&info.replace(
                "errorstat_NOAUTH:count=500",
                "errorstat_ERR:count=500"
            )))),
            []
        );
        assert_eq!(verdicts(check(&with(&info.replace("90000", "60")))), []);
        assert_eq!(verdicts(check(&with(&info.replace("6379", "6380")))), []);
    }
}
