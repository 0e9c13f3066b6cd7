//! How a server took to being looked at.

use super::TlsTrouble;

/// How a server took to being looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// It answered.
    Answered,
    /// Somebody pasted what it once answered.
    Pasted,
    /// Nothing listens there.
    Refused,
    /// The host's name has no address, or the name service is away: its words.
    NameUnknown(String),
    /// The network, or this host, says that there is no way there: its words.
    Unreachable(String),
    /// Nothing answered in time.
    Silent {
        /// The connection was established before that.
        connected: bool,
    },
    /// It answered with an error and said no more.
    TurnedAway(String),
    /// What listens there is no Redis.
    NotRedis(String),
    /// TLS could not be agreed on.
    Tls(TlsTrouble),
}

/// What [`Reach::TurnedAway`] says where a password was sent to a server that has none.
pub(crate) const NO_PASSWORD_SET: &str = "no password is set";

impl Reach {
    /// Why there was no talking to it; `None` where there was.
    pub fn away(&self) -> Option<String> {
        Some(match self {
            Self::Answered | Self::Pasted => return None,
            Self::Refused => "nothing listens there".to_owned(),
            Self::Silent { connected: true } => "connected, and no answer in time".to_owned(),
            Self::Silent { connected: false } => "no connection in time".to_owned(),
            Self::NameUnknown(words) | Self::Unreachable(words) => words.clone(),
            Self::TurnedAway(words) => format!("it turned the doctor away: {words}"),
            Self::NotRedis(words) => format!("that is no Redis: {words}"),
            Self::Tls(trouble) => trouble.to_string(),
        })
    }
}
