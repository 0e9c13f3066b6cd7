//! The client's process had no thread left to take the reply.

use crate::evidence;
use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Said, Text};

/// `WORKER: (Busy=52,Free=32715,Min=8,Max=32767)`, in StackExchange.Redis's own account of a timeout.
const WORKERS: Text = Text::client("WORKER: (Busy=").keeping(Keeps::Rest);
const UNREAD: Text = Text::client(", in: ").keeping(Keeps::Word);

pub(super) const RULE: Rule = Rule {
    code: Code(5),
    title: "the .NET client's process had no thread left to take its replies",
    explanation: "StackExchange.Redis writes the state of its process into a timeout: Busy above Min of WORKER means that the \
pool of threads adds only one or two a second, and replies wait (`in:` bytes are there and unread, `qs:` requests wait for their \
reply). Code that blocks a thread (.Result, .Wait(), synchronous calls) fills it. The server is not slow.",
    messages: &["Timeout performing", "Timeout awaiting response"],
    needs: &[Need::ClientLog],
    brings: &[],
    texts: &[WORKERS, UNREAD],
    sources: &[
        "StackExchange.Redis: docs/Timeouts.md",
        "StackExchange.Redis#2236",
        "StackExchange.Redis#2624",
    ],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let told = evidence::lines(facts, &[WORKERS]);
    let starved: Vec<_> = told
        .iter()
        .copied()
        .filter(|fact| starved(&fact.what))
        .collect();
    // A reply that is there and unread says it a second time.
    let unread: Vec<_> = evidence::lines(facts, &[UNREAD])
        .into_iter()
        .filter(|fact| {
            fact.what.number().is_some_and(|bytes| bytes > 0)
                && told.iter().any(|other| other.place == fact.place)
        })
        .collect();
    if starved.is_empty() || starved.len() * 2 < told.len() {
        return Vec::new();
    }
    let confidence = if unread.is_empty() {
        Confidence::Likely
    } else {
        Confidence::Strong
    };
    let worst = starved
        .iter()
        .filter_map(|fact| fact.what.number())
        .max()
        .unwrap_or(0);
    let least = minimum(&starved[0].what).unwrap_or(0);
    let mut finding = evidence::finding(&RULE, Verdict::Cause, confidence, &starved);
    let mut claim = format!(
        "{} of {} timeouts tell of more busy threads than the pool keeps ready: {worst} where {least} are kept",
        starved.len(),
        told.len()
    );
    if let Some(first) = unread.first() {
        claim = format!(
            "{claim}; {} tell of bytes that were there and unread",
            unread.len()
        );
        finding = finding.supported(
            first.place.clone(),
            format!("in: {} bytes, unread", first.what.rest),
        );
    }
    vec![
        finding
            .claims(format!("{claim}."))
            .fix("await all the way: no .Result, no .Wait(), no synchronous call to Redis in a request", "", "")
            .fix("stop-gap: ThreadPool.SetMinThreads(200, 200) when the process starts", "memory of a thread each", "without that call")
            .checked_by("Busy below Min in the process's metrics (threadpool-thread-count), and no such timeout for a day"),
    ]
}

/// Whether more work than the pool keeps threads for.
fn starved(said: &Said) -> bool {
    said.number()
        .zip(minimum(said))
        .is_some_and(|(busy, least)| busy > least)
}

fn minimum(said: &Said) -> Option<u64> {
    let rest = said.rest.split("Min=").nth(1)?;
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, verdicts};

    const TOLD: &str = "2026-11-23T02:58:11Z StackExchange.Redis.RedisTimeoutException: Timeout performing GET (5000ms), next: GET, inst: 3, qu: 0, qs: 12, aw: False, bw: SpinningDown, rs: ReadAsync, ws: Idle, in: 65536, in-pipe: 0, out-pipe: 0, serverEndpoint: cache:6379, mc: 1/1/0, mgr: 9 of 10 available, clientName: web, IOCP: (Busy=0,Free=1000,Min=8,Max=1000), WORKER: (Busy=52,Free=32715,Min=8,Max=32767), v: 2.6.122.38350\n";

    #[test]
    fn busy_above_min_with_unread_bytes_is_strong() {
        let found = check(&application(TOLD));
        assert!(
            found[0].claim.contains("52 where 8 are kept"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
        let read = TOLD.replace("in: 65536,", "in: 0,");
        assert_eq!(
            verdicts(check(&application(&read))),
            [(Verdict::Cause, Confidence::Likely)]
        );
    }

    #[test]
    fn a_timeout_with_threads_to_spare_is_another_things_doing() {
        assert_eq!(
            verdicts(check(&application(&TOLD.replace("Busy=52", "Busy=3")))),
            []
        );
    }
}
