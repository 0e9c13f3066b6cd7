use super::error::TargetError;

/// What a URL's scheme says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Tcp,
    Tls,
    Unix,
}

/// Every scheme that users of other clients write for one server, with the first of each kind as our own.
const SCHEMES: [(&str, Scheme); 13] = [
    ("redis", Scheme::Tcp),
    ("valkey", Scheme::Tcp),
    ("redis+tcp", Scheme::Tcp),
    ("rediss", Scheme::Tls),
    ("valkeys", Scheme::Tls),
    ("redis+tls", Scheme::Tls),
    ("redis+ssl", Scheme::Tls),
    ("unix", Scheme::Unix),
    ("redis+unix", Scheme::Unix),
    ("valkey+unix", Scheme::Unix),
    ("redis+socket", Scheme::Unix),
    ("redis-socket", Scheme::Unix),
    ("valkey-socket", Scheme::Unix),
];

/// Longer words before `://` are no scheme, and are not repeated in an error.
const SCHEME_BYTES_MAX: usize = 24;

impl Scheme {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "redis",
            Self::Tls => "rediss",
            Self::Unix => "unix",
        }
    }

    /// Splits the scheme off.
    pub(super) fn split(url: &str) -> Result<(Self, &str), TargetError> {
        let Some((word, rest)) = url.split_once("://") else {
            return Err(TargetError::NoScheme { guess: guess(url) });
        };
        let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        let is_scheme = word.starts_with(|c: char| c.is_ascii_alphabetic())
            && word.chars().all(letters)
            && word.len() <= SCHEME_BYTES_MAX;
        if !is_scheme {
            return Err(TargetError::NoScheme { guess: None });
        }
        let word = word.to_ascii_lowercase();
        let known = SCHEMES.iter().find(|(name, _)| *name == word);
        let (_, scheme) = known.ok_or(TargetError::UnknownScheme { scheme: word })?;
        Ok((*scheme, rest))
    }
}

/// What was probably meant by a text without a scheme: only what is an address and nothing else, so that no password
/// is repeated.
fn guess(text: &str) -> Option<String> {
    let path = text.strip_prefix("unix:").unwrap_or(text);
    if path.starts_with('/') {
        return (!path.contains('@')).then(|| format!("unix://{}", path.trim_end_matches('/')));
    }
    let (address, db) = text.split_once('/').unwrap_or((text, ""));
    let address: crate::Endpoint = address.parse().ok()?;
    let db = if db.len() <= 3 && db.bytes().all(|b| b.is_ascii_digit()) {
        db
    } else {
        return None;
    };
    Some(if db.is_empty() {
        format!("redis://{address}")
    } else {
        format!("redis://{address}/{db}")
    })
}

/// What to do about a scheme that is not spoken here.
pub(super) fn hint_for(scheme: &str) -> String {
    let topology = |word: &str| scheme.contains(word);
    if scheme == "http" || scheme == "https" {
        return "that is a web address; Redis speaks a protocol of its own: redis://host:6379/0"
            .to_owned();
    }
    if topology("sentinel") {
        return "a URL names one server: give the address of the primary, or of a name that follows it".to_owned();
    }
    if topology("cluster") {
        return "a URL names one server: give the address of one node, or of a proxy in front of the cluster".to_owned();
    }
    let names = SCHEMES.iter().map(|(name, _)| *name);
    match crate::suggest::nearest(scheme, names) {
        Some(name) => format!("did you mean {name}://?"),
        None => "use redis://, rediss:// for TLS, or unix:// for a socket".to_owned(),
    }
}
