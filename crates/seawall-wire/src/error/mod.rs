//! Errors that a server sends, told apart by their whole first word.

mod addr;
mod family;
mod kind;

use std::fmt;

pub use addr::split_addr;
pub use family::Family;
pub use kind::ErrorKind;

/// An error reply: what kind it is, and the server's own words.
///
/// The message may quote arguments (`unknown command 'X', with args beginning with: ..`), so it is for the caller's
/// eyes; logs, metrics and journals take [`ErrorKind::word`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerError {
    /// What kind of error it is.
    pub kind: ErrorKind,
    /// The whole text, its first word included, the marker `-` not. Bytes that are no UTF-8 are replaced.
    pub message: Box<str>,
}

impl ServerError {
    /// Reads the text of an error reply, without marker and line end.
    ///
    /// ```
    /// use seawall_wire::error::{ErrorKind, ServerError};
    /// let error = ServerError::parse(b"BUSYGROUP Consumer Group name already exists");
    /// assert_eq!(error.kind, ErrorKind::BusyGroup);
    /// ```
    pub fn parse(text: &[u8]) -> Self {
        let message = String::from_utf8_lossy(text);
        Self {
            kind: ErrorKind::parse(&message),
            message: message.into_owned().into(),
        }
    }

    /// Whether the server does not know the command at all: how servers older than a command refuse it.
    pub fn is_unknown_command(&self) -> bool {
        self.kind == ErrorKind::Err && self.message.starts_with("ERR unknown command")
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ServerError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_shows_the_servers_own_words() {
        let error = ServerError::parse(
            b"WRONGTYPE Operation against a key holding the wrong kind of value",
        );
        assert_eq!(error.kind, ErrorKind::WrongType);
        assert_eq!(
            error.to_string(),
            "WRONGTYPE Operation against a key holding the wrong kind of value"
        );
    }

    #[test]
    fn bytes_that_are_no_utf8_are_replaced_and_do_no_harm() {
        let error = ServerError::parse(b"ERR \xff\xfe");
        assert_eq!(error.kind, ErrorKind::Err);
        assert_eq!(&*error.message, "ERR \u{fffd}\u{fffd}");
    }

    #[test]
    fn a_command_that_the_server_does_not_know_is_recognised() {
        assert!(
            ServerError::parse(b"ERR unknown command 'HELLO', with args beginning with: '3' ")
                .is_unknown_command()
        );
        assert!(ServerError::parse(b"ERR unknown command `HELLO`, with args").is_unknown_command());
        assert!(!ServerError::parse(b"ERR syntax error").is_unknown_command());
        assert!(!ServerError::parse(b"ERRR unknown command").is_unknown_command());
    }
}
