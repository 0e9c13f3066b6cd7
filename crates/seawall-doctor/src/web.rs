//! A web server where clients look for Redis: what it answers begins as no reply of Redis's does.

use crate::evidence;
use crate::facts::{Fact, Facts, Failure};
use crate::text::{Said, Text};

/// What clients then write.
pub(crate) const ANSWERS: [Text; 4] = [
    Text::client("Protocol error, got \"H\" as reply type byte"),
    Text::client("Protocol error, got \"<\" as reply type byte"),
    Text::client("Protocol Error: b'HTTP/"),
    Text::client("Unknown RESP type 72 \"H\""),
];

/// Once may be a byte of somebody's page, out of a connection that is out of step.
const TOLD_MIN: usize = 3;

/// The lines that tell of it, if all replies that were none were such.
pub(crate) fn answered(facts: &Facts) -> Option<Vec<&Fact<Said>>> {
    let told = evidence::lines(facts, &ANSWERS);
    let all = facts.failures(Failure::Protocol).count();
    (told.len() >= TOLD_MIN && told.len() >= all).then_some(told)
}
