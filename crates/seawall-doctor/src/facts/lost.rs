//! A conversation with a server that broke in its middle: what was told before that holds.

use std::time::Duration;

/// What became of a conversation that broke.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lost {
    /// The question that has no answer, without its arguments: `CLIENT LIST`, or `nothing`.
    pub asked: String,
    /// How it broke.
    pub how: Loss,
    /// How long after the question.
    pub after: Duration,
}

/// How a conversation broke.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    /// No answer came until time was up.
    Silent,
    /// Not all of an answer came until time was up.
    Slow,
    /// The connection ended.
    Ended,
    /// What came is no answer: why.
    Foreign(String),
}
