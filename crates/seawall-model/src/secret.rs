use std::fmt;
use std::sync::Arc;

/// A text that must not be seen: a password.
///
/// `Debug` and `Display` print `***` whatever it holds, its length included. The only way to its text is
/// [`reveal`](Self::reveal), so that every place that uses it can be found by that word.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// What stands in its place in logs, errors and URLs.
    pub const MASK: &'static str = "***";

    /// Wraps `text`.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The text itself, for AUTH and for nothing that is written down.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::MASK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_neither_its_text_nor_its_length() {
        for text in ["", "x", "a long and winding password"] {
            let secret = Secret::from(text);
            assert_eq!(
                format!("{secret} {secret:?} {secret:#?} {:?}", Some(&secret)),
                "*** *** *** Some(***)"
            );
            assert_eq!(secret.reveal(), text);
        }
    }
}
