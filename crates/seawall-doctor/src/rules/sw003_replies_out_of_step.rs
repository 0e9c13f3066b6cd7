//! A connection's replies and its requests do not belong together any more.

use crate::evidence;
use crate::facts::{Facts, Failure, times};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::Text;
use crate::web;

const REDIS_PY: Text = Text::client("InvalidResponse: Protocol Error");
const REDIS_PY_UNREAD: Text = Text::client("ConnectionError: Connection has data");
const HIREDIS: Text = Text::client("Protocol error, got ");
const JEDIS: Text = Text::client("JedisConnectionException: Unknown reply");
const GO_REDIS: Text = Text::client("redis: can't parse ");
const ALL: &[Text] = &[REDIS_PY, REDIS_PY_UNREAD, HIREDIS, JEDIS, GO_REDIS];

/// Processes that are made by fork, with all that their parent had open.
const GUNICORN: Text = Text::client("Booting worker with pid: ").no_failure();
const CELERY: Text = Text::client("ForkPoolWorker-").no_failure();
const UWSGI: Text = Text::client("spawned uWSGI worker ").no_failure();
const FORKS: &[Text] = &[GUNICORN, CELERY, UWSGI];

pub(super) const RULE: Rule = Rule {
    code: Code(3),
    title: "replies came out of step: two use one connection, or one was left in the middle of a reply",
    explanation: "Two processes that share a socket (a client made before a fork), two threads or tasks without a lock, or a call \
that was cancelled and whose connection went back into the pool: each then reads the other's reply. The lucky ones fail with a \
protocol error. The others get somebody else's data and notice nothing: treat it as a leak of data.",
    messages: &[
        "InvalidResponse: Protocol Error",
        "Protocol error, got",
        "Connection has data",
        "Unknown reply",
        "redis: can't parse",
    ],
    needs: &[Need::ClientLog],
    brings: &[],
    texts: &[
        REDIS_PY,
        REDIS_PY_UNREAD,
        HIREDIS,
        JEDIS,
        GO_REDIS,
        GUNICORN,
        CELERY,
        UWSGI,
    ],
    sources: &[
        "redis-py#2624",
        "redis-py#496",
        "celery#6335",
        "redis-py: parsers",
    ],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let told = evidence::lines(facts, ALL);
    // A web server's replies are another rule's.
    if told.is_empty() || web::answered(facts).is_some() {
        return Vec::new();
    }
    let mut finding = evidence::finding(&RULE, Verdict::Cause, Confidence::Likely, &told);
    let mut fix = "discard a connection whose call was cancelled or timed out; redis-py 4.5.5, 4.4.4 or later under asyncio";
    let mut likely = "A cancelled call whose connection went back, or two users of one";
    let forks = evidence::lines(facts, FORKS);
    if let Some(fork) = forks.first() {
        finding = finding.supported(fork.place.clone(), "processes are made by fork here");
        fix = "make the client in each process after the fork: post_fork of gunicorn, worker_process_init of Celery, @postfork of uWSGI";
        likely = "A client that was made before the fork is shared by its children";
    }
    let processes: std::collections::BTreeSet<_> = facts
        .failures(Failure::Protocol)
        .filter_map(|fact| fact.what.process.as_deref())
        .collect();
    for process in &processes {
        finding = finding.struck((*process).to_owned());
    }
    let when = evidence::when(finding.window);
    vec![
        finding
            .claims(format!("What came was no reply to what was asked, told {}{when}. {likely}: other calls may have got somebody else's data.", times(told.len())))
            .fix(fix, "", "")
            .fix("stop-gap: one worker process, or preload off (gunicorn without --preload)", "more memory", "")
            .checked_by("no such line under the same load; ss -tnp shows no connection to Redis of two processes"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, log, verdicts};

    const TOLD: &str =
        "2026-11-23T02:58:11Z redis.exceptions.InvalidResponse: Protocol Error: b'7'\n";

    #[test]
    fn a_web_servers_answers_are_another_rules() {
        let got = |bytes: &[&str]| {
            let line = |byte: &&str| {
                format!(
                    "2026-11-23T02:58:11Z redis.exceptions.InvalidResponse: Protocol error, got \"{byte}\" as reply type byte\n"
                )
            };
            check(&application(&bytes.iter().map(line).collect::<String>())).len()
        };
        assert_eq!(got(&["<", "<", "<"]), 0);
        assert_eq!(got(&["<", "<", "<", "7"]), 1);
        assert_eq!(got(&["<"]), 1);
    }

    #[test]
    fn the_words_make_it_likely_and_workers_tell_of_a_fork() {
        let facts = application(TOLD);
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Likely)]
        );
        let facts = application(&format!(
            "2026-11-23T02:50:00Z [41] [INFO] Booting worker with pid: 41\n{TOLD}"
        ));
        let found = check(&facts);
        assert!(
            found[0].claim.contains("before the fork"),
            "{}",
            found[0].claim
        );
        assert!(found[0].fixes[0].action.contains("post_fork"));
    }

    #[test]
    fn workers_alone_and_a_client_that_speaks_http_are_other_things() {
        assert_eq!(
            verdicts(check(&application(
                "2026-11-23T02:50:00Z [41] [INFO] Booting worker with pid: 41\n2026-11-23T02:58:11Z Error 111 connecting to cache:6379. Connection refused.\n"
            ))),
            []
        );
        let http = "9:M 23 Nov 2026 02:58:11.042 # Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to Redis.\n";
        assert_eq!(verdicts(check(&log(http))), []);
    }
}
