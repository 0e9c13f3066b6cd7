//! Facts for the rules' tests, out of the text that a person would have.

use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::read::{Given, Kind, file};
use crate::stamp::Stamp;

fn read(kind: Kind, name: &str, text: &str) -> Facts {
    let now = Stamp::of((2026, 11, 24), (0, 0, 0), 0).expect("a date");
    let (found, mut facts) = file(name, text.as_bytes(), Given { now }).expect("it is in memory");
    assert_eq!(found, kind, "{text}");
    // As `diagnose` hands them to the rules.
    facts.sort();
    facts
}

/// Of a server's log.
pub(crate) fn log(text: &str) -> Facts {
    read(Kind::RedisLog, "redis.log", text)
}

/// Of what INFO and the like answered.
pub(crate) fn pasted(text: &str) -> Facts {
    read(Kind::Pasted, "info.txt", text)
}

/// Of an application's log.
pub(crate) fn application(text: &str) -> Facts {
    read(Kind::Application, "app.log", text)
}

/// Of the kernel's log.
pub(crate) fn kernel(text: &str) -> Facts {
    read(Kind::Kernel, "kernel.log", text)
}

/// What was found, in short.
pub(crate) fn verdicts(found: Vec<Finding>) -> Vec<(Verdict, Confidence)> {
    found
        .into_iter()
        .map(|finding| (finding.verdict, finding.confidence))
        .collect()
}

/// Of JSON about containers, or about what a provider did.
pub(crate) fn document(text: &str) -> Facts {
    read(Kind::Document, "pods.json", text)
}

/// Of two INFO of one process, so many seconds apart, the later at 02:58:11 of 23 November 2026: a counter's baseline, and
/// what it counted since.
pub(crate) fn twice(before: &str, seconds: u64, after: &str) -> Facts {
    let head = |ago: u64| {
        let clock = 1_795_402_691 - ago;
        let up = 9_000 - ago;
        format!(
            "# Server\nrun_id:3f2a90c1\nuptime_in_seconds:{up}\nserver_time_usec:{clock}000000\n"
        )
    };
    let (then, now) = (head(seconds), head(0));
    pasted(&format!("{then}{before}\n{now}{after}\n"))
}

/// Of LATENCY LATEST: one event, at 02:58:06 of 23 November 2026.
pub(crate) fn latency(event: &str, millis: u64) -> Facts {
    pasted(&format!(
        "1) 1) \"{event}\"\n   2) (integer) 1795402686\n   3) (integer) {millis}\n   4) (integer) {millis}\n"
    ))
}

/// Of SLOWLOG GET: one entry of a command, at 02:58:06 of 23 November 2026.
pub(crate) fn slowlog(command: &str, millis: u64) -> Facts {
    pasted(&format!(
        "1) 1) (integer) 14\n   2) (integer) 1795402686\n   3) (integer) {}\n   4) 1) \"{command}\"\n   5) \"10.0.0.7:51234\"\n   6) \"web\"\n",
        millis * 1_000
    ))
}

/// Of an application's log: a call timed out, 02:58:11 of that day or at another time of it.
pub(crate) fn timeout(clock: &str) -> Facts {
    application(&format!(
        "2026-11-23T{clock}Z TimeoutError: Timeout reading from cache:6379\n"
    ))
}

/// All of them.
pub(crate) fn together(all: impl IntoIterator<Item = Facts>) -> Facts {
    let mut facts = Facts::default();
    for one in all {
        facts.add(one);
    }
    facts.sort();
    facts
}
