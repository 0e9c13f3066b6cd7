//! A consumer is connected, and no longer asks for work.

use crate::evidence;
use crate::facts::{Facts, Listed, Look, Peer, Queue, span};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::stamp::Stamp;
use crate::text::Text;

const LOST: Text = Text::client("Connection to broker lost").no_failure();
const AGAIN: Text = Text::client("Trying to re-establish the connection").no_failure();
const CONNECTED: Text = Text::client("Connected to redis").no_failure();
/// `Task app.add[7be9..] received`
const RECEIVED: Text = Text::client("] received").no_failure();
const BREAKS: &[Text] = &[LOST, AGAIN, CONNECTED];

/// What a consumer of a list, a sorted set or a stream asks with.
const ASKS: &[&str] = &[
    "brpop",
    "blpop",
    "brpoplpush",
    "blmove",
    "blmpop",
    "bzpopmin",
    "bzmpop",
    "xreadgroup",
];

pub(super) const RULE: Rule = Rule {
    code: Code(14),
    title: "a consumer is connected and no longer asks for work",
    explanation: "After its broker was away, a worker of Celery's may reconnect and never ask again (kombu and Celery 5.2 to 5.4): \
it answers pings, its process runs, its connections stand, and the queue grows. CLIENT LIST tells: a connection that asks has \
BRPOP as its last command, also while all of its worker's hands are full. `--celery-queue NAME` lets the doctor ask for the \
queue's length (LLEN), twice.",
    messages: &[
        "consumer: Connection to broker lost. Trying to re-establish the connection",
        "Connection to broker lost",
    ],
    needs: &[Need::Server, Need::ClientLog],
    brings: &[],
    texts: &[LOST, AGAIN, CONNECTED, RECEIVED],
    sources: &[
        "celery#8030",
        "celery#8091",
        "celery#8384",
        "celery#9054",
        "kombu: transport/redis.py",
    ],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    facts
        .looks
        .iter()
        // Of a part of the clients nobody can say that none asks.
        .filter(|look| !look.queues.is_empty() && look.listed == Listed::All)
        .filter_map(|look| of_look(facts, look))
        .collect()
}

fn of_look(facts: &Facts, look: &Look) -> Option<Finding> {
    let waiting: Vec<_> = look
        .queues
        .iter()
        .filter(|queue| queue.length > 0 && queue.grew() != Some(false))
        .collect();
    let longest = waiting.iter().max_by_key(|queue| queue.length)?;
    let workers: Vec<_> = look.clients.iter().filter(|client| works(client)).collect();
    if workers.is_empty() || look.clients.iter().any(asks) {
        return None;
    }
    let breaks = evidence::lines(facts, BREAKS);
    let since = breaks.iter().filter_map(|fact| fact.at).max();
    // Who has taken a task since is no consumer that stopped.
    let took = |since: Stamp| {
        evidence::lines(facts, &[RECEIVED])
            .iter()
            .any(|fact| fact.at.is_some_and(|at| at > since))
    };
    if since.is_some_and(took) {
        return None;
    }
    let grew = longest.grew() == Some(true);
    let (verdict, confidence) = match (grew, since) {
        (true, Some(_)) => (Verdict::Cause, Confidence::Strong),
        (true, None) => (Verdict::Cause, Confidence::Likely),
        (false, _) => (Verdict::Risk, Confidence::Possible),
    };
    let mut finding = Finding::new(RULE.code, RULE.title, verdict, confidence)
        .at(since)
        .at(look.at)
        .supported(
            look.place("CLIENT LIST"),
            format!(
                "{} connections of workers, none of which asks (no BRPOP)",
                workers.len()
            ),
        )
        .supported(look.place("LLEN"), told(longest));
    let last_break: Vec<_> = breaks
        .iter()
        .copied()
        .filter(|fact| fact.at == since)
        .collect();
    finding = evidence::with(finding, &last_break);
    for client in &workers {
        finding = finding.struck(host(&client.addr));
    }
    let since = since.map_or_else(String::new, |since| {
        format!(" since {since}, when it lost its broker")
    });
    Some(
        finding
            .claims(format!(
                "Workers are connected ({} connections), no BRPOP{since}, and {}.",
                workers.len(),
                told(longest)
            ))
            .fix("restart the worker: systemctl restart celery, or kubectl rollout restart deployment/<worker>", "tasks that it holds unacknowledged come back after visibility_timeout (1 h by default)", "")
            .fix("newer kombu and Celery (5.5 and later); worker_cancel_long_running_tasks_on_connection_loss = True", "running tasks are cancelled when the broker is lost", "without it")
            .fix("an alert on the queue's length: that nobody asks, no ping of a worker tells", "", "")
            .checked_by("redis-cli CLIENT LIST shows cmd=brpop, and LLEN of the queue falls"),
    )
}

fn told(queue: &Queue) -> String {
    match &queue.earlier {
        Some((before, after)) if queue.length > *before => format!(
            "the queue {} grew from {before} to {}{}",
            queue.name,
            queue.length,
            after.map_or_else(String::new, |after| format!(
                " in {}",
                span(after.as_secs().max(1))
            ))
        ),
        Some(_) => format!("the queue {} stays at {}", queue.name, queue.length),
        None => format!("the queue {} holds {}", queue.name, queue.length),
    }
}

fn asks(client: &Peer) -> bool {
    ASKS.contains(&client.command.to_ascii_lowercase().as_str())
}

/// Whether it may be a worker: a subscriber (Celery's workers listen for remote control), or one that its name tells.
fn works(client: &Peer) -> bool {
    let name = client.name.to_ascii_lowercase();
    client.subscribes()
        || name.contains("celery")
        || name.contains("kombu")
        || name.contains("worker")
}

fn host(addr: &str) -> &str {
    addr.rsplit_once(':').map_or(addr, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, pasted, verdicts};

    const INFO: &str = "run_id:abc\nuptime_in_seconds:700\n";
    const WORKER: &str = "id=9 addr=10.0.0.7:51234 laddr=10.0.0.2:6379 fd=9 name= age=600 idle=600 flags=P db=0 sub=1 psub=0 multi=-1 qbuf=0 omem=0 cmd=subscribe user=default\n";
    const GROWS: &str = "127.0.0.1:6379> LLEN celery\n(integer) 1204\n127.0.0.1:6379> LLEN celery\n(integer) 1733\n";
    const LOG: &str = "[2026-11-23 02:58:11,042: WARNING/MainProcess] consumer: Connection to broker lost. Trying to re-establish the connection...\n\
[2026-11-23 02:58:41,042: INFO/MainProcess] Connected to redis://cache:6379/0\n";

    fn facts(clients: &str, queue: &str, log: &str) -> Facts {
        let mut facts = pasted(&format!("{INFO}{clients}{queue}"));
        if !log.is_empty() {
            facts.add(application(log));
        }
        facts.sort();
        facts
    }

    #[test]
    fn connected_no_brpop_and_a_queue_that_grows_is_strong_with_the_workers_log() {
        let found = check(&facts(WORKER, GROWS, LOG));
        let claim = &found[0].claim;
        assert!(
            claim.contains("no BRPOP since 2026-11-23T02:58:41"),
            "{claim}"
        );
        assert!(
            claim.contains("the queue celery grew from 1204 to 1733"),
            "{claim}"
        );
        assert!(found[0].fixes[0].action.starts_with("restart the worker"));
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
        assert_eq!(
            verdicts(check(&facts(WORKER, GROWS, ""))),
            [(Verdict::Cause, Confidence::Likely)]
        );
    }

    #[test]
    fn a_worker_whose_hands_are_full_asked_last_with_brpop() {
        let busy = WORKER
            .replace("cmd=subscribe", "cmd=brpop")
            .replace("flags=P", "flags=N");
        assert_eq!(
            verdicts(check(&facts(&format!("{WORKER}{busy}"), GROWS, LOG))),
            []
        );
    }

    #[test]
    fn a_queue_that_falls_a_task_that_was_taken_since_and_no_worker_at_all_are_other_things() {
        let falls = GROWS.replace("1733", "12");
        assert_eq!(verdicts(check(&facts(WORKER, &falls, LOG))), []);
        let took = format!(
            "{LOG}[2026-11-23 02:59:41,042: INFO/MainProcess] Task app.add[7be9] received\n"
        );
        assert_eq!(verdicts(check(&facts(WORKER, GROWS, &took))), []);
        assert_eq!(verdicts(check(&facts("", GROWS, LOG))), []);
    }

    #[test]
    fn one_length_alone_is_no_more_than_a_risk() {
        let (once, _) = GROWS.split_once("1204\n").expect("two lengths");
        assert_eq!(
            verdicts(check(&facts(WORKER, &format!("{once}1204\n"), LOG))),
            [(Verdict::Risk, Confidence::Possible)]
        );
    }
}
