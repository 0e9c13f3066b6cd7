//! Why a guarded call has no answer.

use std::sync::Arc;
use std::time::Duration;

use seawall_policy::breaker::State;

/// A call that was not made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}", self.text())]
pub struct Refused {
    /// The guard's name.
    pub guard: Arc<str>,
    /// When the next trial is due; `None` while one is under way, or until a hand closes the guard.
    pub retry_after: Option<Duration>,
    /// How the guard stands.
    pub state: State,
}

impl Refused {
    fn text(&self) -> String {
        let name = &self.guard;
        match (self.state, self.retry_after) {
            (State::Open { why, .. }, Some(left)) => {
                let left = left.as_secs_f64();
                format!("guard {name:?} is open for another {left:.1} s: {why}; it was not called")
            }
            (State::Isolated, _) => {
                format!("guard {name:?} was isolated by hand; it was not called")
            }
            _ => format!("guard {name:?} is trying whether it works again; it was not called"),
        }
    }
}

/// Why a guarded call has no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Failure<E> {
    /// It was not made.
    #[error(transparent)]
    Refused(Refused),
    /// It was, and this is its own error.
    #[error("{0}")]
    Failed(E),
}
