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
