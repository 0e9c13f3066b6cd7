//! The server cannot be talked to, and does not say why.

use std::time::Duration;

use crate::evidence::counted;
use crate::facts::{Facts, Failure, Look, Loss, Lost, NO_PASSWORD_SET, Reach};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::web;

/// A question that waits so long for its answer is not answered.
const SILENT: Duration = Duration::from_secs(1);

const NO_REDIS: &str = "what listens there is no Redis";

pub(super) const RULE: Rule = Rule {
    code: Code(102),
    title: "the server cannot be talked to",
    explanation: "No connection is made in time (packets are dropped: a firewall, a security group, a host that is down), or \
one is made and nothing answers (the process is frozen, or busy with one command; or the port speaks TLS, or is no Redis). Who answers a SYN tells: with an established connection the network is not it.",
    messages: &[
        "Timeout connecting to server",
        "connect ETIMEDOUT",
        "Connection timed out",
        "i/o timeout",
    ],
    needs: &[Need::Server, Need::ClientLog],
    brings: &[],
    texts: &web::ANSWERS,
    sources: &["redis#2053"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for look in &facts.looks {
        let (title, says, fix) = match &look.reach {
            Reach::Silent { connected: false } => (
                "no connection in time: packets to the port are dropped",
                "no connection in time".to_owned(),
                "open the port in the firewall or security group; is the host up? nc -vz HOST PORT from the client's host",
            ),
            Reach::Silent { connected: true } => (
                "the server accepts connections and does not answer",
                "connected, and no answer in time".to_owned(),
                "on its host: is the process stopped (state T in ps), or busy (redis-cli --latency, SLOWLOG afterwards)? is this a port of TLS?",
            ),
            Reach::Unreachable(words) => (
                "there is no way to the server",
                words.clone(),
                "look at the routes and interfaces of this host (ip route get ADDRESS), or at the socket's path and its permissions",
            ),
            Reach::NotRedis(what) => (
                NO_REDIS,
                what.clone(),
                "check host and port of the URL; a port of TLS wants rediss://",
            ),
            Reach::TurnedAway(words) if !is_anothers(words) => (
                "the server turned the doctor away",
                words.clone(),
                "read the end of the server's log; a port of TLS wants rediss://",
            ),
            _ => continue,
        };
        found.push(
            Finding::new(RULE.code, title, Verdict::Cause, Confidence::Likely)
                .at(look.at)
                .struck(&*look.source)
                .claims(format!("{}: {says}.", look.source))
                .supported(look.place("connect"), says)
                .fix(fix, "", "")
                .checked_by("redis-cli -h HOST -p PORT PING answers from the client's host"),
        );
    }
    if let Some(web) = of_web(facts) {
        match found.iter_mut().find(|finding| finding.title == NO_REDIS) {
            // Both saw it: whoever looked, and who called before.
            Some(seen) => {
                seen.confidence = Confidence::Strong;
                seen.supports.extend(web.supports);
                seen.window = web.window.or(seen.window);
            }
            None => found.push(web),
        }
    }
    found.extend(facts.looks.iter().filter_map(|look| broke_off(facts, look)));
    let told: Vec<_> = facts.failures(Failure::ConnectTimeout).collect();
    if found.is_empty() && told.len() >= 2 {
        let finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, Confidence::Likely)
            .claims(format!(
                "{} no connection in time.",
                counted(told.len(), "call had", "calls had")
            ))
            .supported(told[0].place.clone(), "the first of them")
            .fix(
                "from the client's host: nc -vz HOST PORT, and nstat -az TcpRetransSegs TcpExtTCPSynRetrans before and after; from another host too",
                "",
                "",
            )
            .at_each(told.iter().map(|fact| fact.at));
        found.push(finding);
    }
    found
}

/// Clients got a web server's answers.
fn of_web(facts: &Facts) -> Option<Finding> {
    let told = web::answered(facts)?;
    let finding = Finding::new(RULE.code, NO_REDIS, Verdict::Cause, Confidence::Likely)
        .claims(format!(
            "{} answered with HTTP: another program has that port, or the URL leads to it.",
            counted(told.len(), "call was", "calls were")
        ))
        .supported(told[0].place.clone(), "the first of them")
        .fix(
            "check host and port of the URL; on that host: ss -ltnp 'sport = :PORT' names the program",
            "",
            "",
        )
        .checked_by("redis-cli -h HOST -p PORT PING answers PONG")
        .at_each(told.iter().map(|fact| fact.at));
    Some(finding)
}

/// The server answered, and then no more.
fn broke_off(facts: &Facts, look: &Look) -> Option<Finding> {
    let Lost { asked, how, after } = look.lost.as_ref()?;
    let waited = format!("{:.1} s", after.as_secs_f64());
    let (title, says, fix) = match how {
        Loss::Silent => (
            "the server stopped answering while it was looked at",
            format!("what came before {asked} was answered, {asked} was not in {waited}"),
            "on its host: is the process stopped (state T in ps), swapping, or busy with one command (SLOWLOG afterwards)?",
        ),
        Loss::Slow => (
            "the server's answers come slowly, or stopped in their middle",
            format!("{asked} was answered in part only in {waited}"),
            "is the way slow (redis-cli --latency, ping), or the server held up (SLOWLOG)? look for longer: --within 60",
        ),
        // Who ended, or is another one now, did not close this connection alone: that is told by others.
        Loss::Ended if goes_on(facts, look) => {
            let now = match look.info.get("run_id") {
                Some(_) => ", and the same process answers on a new one",
                None => "",
            };
            (
                "the server closed the doctor's connection while it was looked at",
                format!("the connection ended {waited} after {asked} was asked{now}"),
                "did somebody run CLIENT KILL? does a proxy stand between that closes connections? its log tells the rest",
            )
        }
        Loss::Ended => return None,
        Loss::Foreign(what) => (
            "the server answers with what is no answer",
            format!("{asked}: {what}"),
            "what stands between? ask the server itself, from its host: redis-cli INFO",
        ),
    };
    // Who gave it little time, or is far away, has seen nothing break.
    let (verdict, confidence) = match how {
        Loss::Slow => (Verdict::Risk, Confidence::Possible),
        Loss::Silent if *after < SILENT => (Verdict::Risk, Confidence::Possible),
        _ => (Verdict::Cause, Confidence::Likely),
    };
    Some(
        Finding::new(RULE.code, title, verdict, confidence)
            .at(look.at)
            .struck(&*look.source)
            .claims(format!("{}: {says}.", look.source))
            .supported(look.place("connect"), says)
            .fix(fix, "", "")
            .checked_by("seawall doctor of the same URL is through, and says nothing of it"),
    )
}

/// Whether what broke off is alone: nobody tells that its process ended or another one took its place.
fn goes_on(facts: &Facts, look: &Look) -> bool {
    let others = facts
        .looks
        .iter()
        .filter(|other| other.source == look.source);
    others
        .into_iter()
        .all(|other| other.info.get("run_id") == look.info.get("run_id"))
}

/// Rules of their own explain these words.
fn is_anothers(words: &str) -> bool {
    matches!(words, "DENIED" | "WRONGPASS" | "NOAUTH" | NO_PASSWORD_SET)
        || words.contains("max number of clients")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, verdicts};

    #[test]
    fn a_web_servers_answers_in_an_applications_log_are_no_redis() {
        let line = "2026-11-23T02:58:11Z redis.exceptions.InvalidResponse: Protocol error, got \"<\" as reply type byte\n";
        let found = check(&application(&line.repeat(3)));
        assert_eq!(found[0].title, NO_REDIS);
        let mut both = application(&line.repeat(3));
        let http = Reach::NotRedis("an HTTP server".to_owned());
        both.looks.push(Look::new("cache:6379", None, http));
        assert_eq!(
            verdicts(check(&both)),
            [(Verdict::Cause, Confidence::Strong)]
        );
        assert!(
            found[0].claim.starts_with("3 calls were"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Likely)]);
    }

    #[test]
    fn a_server_that_does_not_answer_is_never_well() {
        let reaches = [
            Reach::Silent { connected: true },
            Reach::Silent { connected: false },
            Reach::Unreachable("permission denied".to_owned()),
            Reach::NotRedis("HTTP".to_owned()),
            Reach::TurnedAway("closed without a word".to_owned()),
        ];
        for reach in reaches {
            let mut facts = Facts::default();
            facts.looks.push(Look::new("cache:6379", None, reach));
            assert_eq!(
                verdicts(check(&facts)),
                [(Verdict::Cause, Confidence::Likely)]
            );
        }
    }

    fn lost(how: Loss) -> Facts {
        let mut look = Look::new("cache:6379", None, Reach::Answered);
        look.info.insert("run_id".to_owned(), "a".to_owned());
        look.lost = Some(Lost {
            asked: "CLIENT LIST".to_owned(),
            how,
            after: Duration::from_millis(4_900),
        });
        Facts {
            looks: vec![look],
            ..Facts::default()
        }
    }

    #[test]
    fn a_server_that_answers_no_more_is_not_well() {
        for how in [Loss::Silent, Loss::Ended, Loss::Foreign("x".to_owned())] {
            assert_eq!(
                verdicts(check(&lost(how))),
                [(Verdict::Cause, Confidence::Likely)]
            );
        }
        assert_eq!(
            verdicts(check(&lost(Loss::Slow))),
            [(Verdict::Risk, Confidence::Possible)]
        );
        let found = check(&lost(Loss::Silent));
        assert!(
            found[0].claim.contains("CLIENT LIST was not in 4.9 s"),
            "{}",
            found[0].claim
        );
    }

    #[test]
    fn a_server_that_ended_is_told_by_others() {
        let mut facts = lost(Loss::Ended);
        facts
            .looks
            .push(Look::new("cache:6379", None, Reach::Refused));
        assert_eq!(check(&facts), []);
    }

    #[test]
    fn words_that_another_rule_explains_are_left_to_it() {
        let mut facts = Facts::default();
        facts.looks.push(Look::new(
            "cache:6379",
            None,
            Reach::TurnedAway("NOAUTH".to_owned()),
        ));
        assert_eq!(verdicts(check(&facts)), []);
    }

    #[test]
    fn clients_that_tell_of_it_twice_make_it_likely() {
        let once =
            "2026-11-23T02:58:11Z redis.exceptions.TimeoutError: Timeout connecting to server\n";
        assert_eq!(verdicts(check(&application(once))), []);
        assert_eq!(
            verdicts(check(&application(&once.repeat(2)))),
            [(Verdict::Cause, Confidence::Likely)]
        );
    }
}
