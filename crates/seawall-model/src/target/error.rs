use super::scheme::hint_for;
use crate::endpoint::EndpointError;
use crate::settings::SettingError;

/// Why a URL is no [`Target`](super::Target).
///
/// No message repeats what may be a part of a password, nor does any `Debug`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// There is nothing.
    #[error("the URL is empty")]
    Empty,
    /// More than [`URL_BYTES_MAX`](super::URL_BYTES_MAX).
    #[error("the URL has {bytes} bytes, at most {} are read", super::URL_BYTES_MAX)]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A space, line break or control character inside it.
    #[error("the URL contains {found:?} at byte {at}")]
    Blank {
        /// How many bytes stand before it.
        at: usize,
        /// The character.
        found: char,
    },
    /// It does not begin with `redis://` or another scheme.
    #[error("the URL does not begin with a scheme such as redis://")]
    NoScheme {
        /// The URL that was probably meant.
        guess: Option<String>,
    },
    /// A scheme that is not spoken here.
    #[error("the scheme {scheme}:// is not one of Redis")]
    UnknownScheme {
        /// The scheme, in lower case.
        scheme: String,
    },
    /// Host, port or socket path are wrong.
    #[error("the URL's address is wrong: {0}")]
    Address(#[from] EndpointError),
    /// A host stands in a URL of a Unix socket.
    #[error("the URL of a socket has a host")]
    HostBesideSocket,
    /// Something is wrong, and an `@` stands behind where the host should have ended: perhaps a password with a raw
    /// `/`, `?` or `#`, and so nothing of it is repeated.
    #[error("the URL cannot be read, and an `@` stands behind its host")]
    StrayAt,
    /// What is percent-encoded is not UTF-8.
    #[error("the URL's {part} is not UTF-8 once it is decoded")]
    NotUtf8 {
        /// Where: "user", "password", "path", "options".
        part: &'static str,
    },
    /// The path of a `redis://` URL is no database.
    #[error("the URL's path is not a database: {0}")]
    Path(SettingError),
    /// Two options that set the same thing.
    #[error("`{first}` and `{second}` set the same thing")]
    Twice {
        /// The first one.
        first: &'static str,
        /// The second one.
        second: &'static str,
    },
    /// An option that concerns TLS, on a URL without TLS.
    #[error("`{name}` is set, but the URL is not one for TLS")]
    NeedsTls {
        /// The option.
        name: &'static str,
    },
    /// A `#` that is not `#insecure` of a `rediss://` URL.
    #[error("the URL contains a `#`")]
    Fragment,
    /// An option is unknown or has a wrong value.
    #[error("the URL's options: {0}")]
    Option(#[from] SettingError),
}

impl TargetError {
    /// What to do, in one line.
    pub fn hint(&self) -> String {
        match self {
            Self::Empty => "is the environment variable set that it comes from? write redis://host:6379/0".to_owned(),
            Self::TooLong { .. } => "did something else than a URL get here?".to_owned(),
            Self::Blank { .. } => "remove it; in a password or path, a space is %20".to_owned(),
            Self::NoScheme { guess: Some(url) } => format!("write {url}"),
            Self::NoScheme { guess: None } => "write redis://host:6379/0, rediss:// for TLS, unix:///path for a socket".to_owned(),
            Self::UnknownScheme { scheme } => hint_for(scheme),
            Self::Address(error) => error.hint().to_owned(),
            Self::HostBesideSocket => "write three slashes before the path: unix:///run/redis/redis.sock".to_owned(),
            Self::StrayAt => {
                "percent-encode special characters of user, password and options: / is %2F, ? is %3F, # is %23, @ is %40".to_owned()
            }
            Self::NotUtf8 { .. } => "encode it as UTF-8, each byte as %XX".to_owned(),
            Self::Path(_) => "a database is a number: redis://host:6379/0".to_owned(),
            Self::Twice { second, .. } => format!("leave `{second}` out"),
            Self::NeedsTls { .. } => "use rediss:// for TLS, or leave the option out".to_owned(),
            Self::Fragment => "in a password, # is written %23".to_owned(),
            Self::Option(error) => error.hint(),
        }
    }
}
