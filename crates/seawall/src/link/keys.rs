//! Who logs in, where that changes with time: tokens of a cloud's identity service, passwords that are rotated.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use seawall_model::{Moment, Secret};

/// What was answered serves this long. Probes come every 25 ms in an outage, and an identity service counts its calls;
/// a token that is rotated lives for minutes.
const FRESH: Duration = Duration::from_secs(10);

/// A user name and a password.
#[derive(Clone, Debug)]
pub struct Identity {
    /// `None`: the default user.
    pub user: Option<String>,
    /// Its password or token.
    pub password: Secret,
}

/// Says who logs in on a new connection. Asked on a thread of its own, and may block.
pub trait Credentials: Send + Sync {
    /// The user name and password to log in with now, or why there are none.
    fn identity(&self) -> Result<Identity, Box<str>>;
}

/// The source of a link's user name and password, with its last answer.
#[derive(Clone)]
pub(crate) struct Keys {
    source: Arc<dyn Credentials>,
    last: Arc<Mutex<Option<(Moment, Identity)>>>,
}

impl Keys {
    pub(crate) fn new(source: Arc<dyn Credentials>) -> Self {
        Self {
            source,
            last: Arc::default(),
        }
    }

    /// The last answer, if it is fresh.
    pub(crate) fn known(&self, now: Moment) -> Option<Identity> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (asked, identity) = last.as_ref()?;
        (now.since(*asked) < FRESH).then(|| identity.clone())
    }

    /// Asks anew; blocks for as long as the source does.
    pub(crate) fn ask(&self, now: Moment) -> Result<Identity, Box<str>> {
        let identity = self.source.identity()?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some((now, identity.clone()));
        Ok(identity)
    }

    /// The last answer serves no more: the server refused it, or another one is known to hold.
    pub(crate) fn forget(&self) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = None;
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys")
    }
}
