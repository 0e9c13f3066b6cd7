use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::scheme::Scheme;
use super::{Security, Target};
use crate::endpoint::Endpoint;
use crate::secret::Secret;

/// Whether the password is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Password {
    Masked,
    Revealed,
}

/// What is encoded in user and password: all but what RFC 3986 calls unreserved.
const STRICT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// In options, what reads better plain and means nothing there.
const OPTION: &AsciiSet = &STRICT.remove(b'/').remove(b':').remove(b',');
/// In a socket's path, slashes stay.
const PATH: &AsciiSet = &STRICT.remove(b'/');

pub(super) fn url(target: &Target, shown: Password) -> String {
    let scheme = match (&target.endpoint, target.security) {
        (Endpoint::Unix { .. }, _) => Scheme::Unix,
        (Endpoint::Tcp { .. }, Security::Plain) => Scheme::Tcp,
        (Endpoint::Tcp { .. }, Security::Tls) => Scheme::Tls,
    };
    let mut url = format!("{}://{}", scheme.name(), userinfo(target, shown));
    let mut options = Vec::new();
    match (&target.endpoint, target.db) {
        (Endpoint::Tcp { .. }, None) => url.push_str(&target.endpoint.to_string()),
        (Endpoint::Tcp { .. }, Some(db)) => {
            url.push_str(&target.endpoint.to_string());
            url.push('/');
            url.push_str(&db.to_string());
        }
        (Endpoint::Unix { path }, db) => {
            url.push_str(&utf8_percent_encode(&path.to_string_lossy(), PATH).to_string());
            options.extend(db.map(|db| format!("db={db}")));
        }
    }
    let given = target.options().chain(target.passed_over());
    options.extend(
        given.map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, OPTION))),
    );
    if !options.is_empty() {
        url.push('?');
        url.push_str(&options.join("&"));
    }
    url
}

fn userinfo(target: &Target, shown: Password) -> String {
    let user = utf8_percent_encode(target.user().unwrap_or_default(), STRICT);
    match (target.password(), shown) {
        (Some(password), Password::Revealed) => {
            format!("{user}:{}@", utf8_percent_encode(password.reveal(), STRICT))
        }
        (Some(_), Password::Masked) => format!("{user}:{}@", Secret::MASK),
        // A user without a password is often a password without its colon.
        (None, Password::Masked) if target.user().is_some() => format!("{}@", Secret::MASK),
        (None, _) if target.user().is_some() => format!("{user}@"),
        (None, _) => String::new(),
    }
}
