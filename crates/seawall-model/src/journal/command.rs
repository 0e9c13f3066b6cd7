use std::fmt;

/// The longest name that is kept, in bytes. The longest of Redis and its modules have about 20.
pub const COMMAND_BYTES_MAX: usize = 32;

/// The name of a command and nothing more: `SET`, `CLIENT|KILL`, `JSON.GET`.
///
/// ASCII letters, digits, `.`, `|`, `_` and `-`, in upper case, at most [`COMMAND_BYTES_MAX`] bytes. Whatever else is
/// offered becomes [`OTHER`](Self::OTHER): an unknown command may be a key that slipped into a command's place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandName {
    bytes: [u8; COMMAND_BYTES_MAX],
    len: u8,
}

impl CommandName {
    /// Stands for every text that is no command's name.
    pub const OTHER: Self = {
        let mut bytes = [0; COMMAND_BYTES_MAX];
        bytes[0] = b'?';
        Self { bytes, len: 1 }
    };

    /// The name in upper case, or [`OTHER`](Self::OTHER).
    pub fn new(name: &[u8]) -> Self {
        let fits = (1..=COMMAND_BYTES_MAX).contains(&name.len());
        let letter = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'|' | b'_' | b'-');
        if !fits || !name.iter().all(letter) {
            return Self::OTHER;
        }
        let mut bytes = [0; COMMAND_BYTES_MAX];
        for (to, from) in bytes.iter_mut().zip(name) {
            *to = from.to_ascii_uppercase();
        }
        Self {
            bytes,
            len: name.len() as u8,
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        // ASCII by construction.
        str::from_utf8(self.as_bytes()).unwrap_or("?")
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl From<&str> for CommandName {
    fn from(name: &str) -> Self {
        Self::new(name.as_bytes())
    }
}

impl fmt::Display for CommandName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for CommandName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_commands_are_kept_in_upper_case() {
        for (given, kept) in [
            ("get", "GET"),
            ("CLIENT|kill", "CLIENT|KILL"),
            ("Json.Get", "JSON.GET"),
        ] {
            assert_eq!(CommandName::from(given).as_str(), kept);
        }
    }

    #[test]
    fn what_is_not_shaped_like_a_command_is_not_kept() {
        for given in [
            "",
            "user:17",
            "a b",
            "GET\r\n",
            "schlüssel",
            &"X".repeat(33),
        ] {
            assert_eq!(CommandName::from(given), CommandName::OTHER, "{given}");
        }
        assert_eq!(
            CommandName::from("X".repeat(32).as_str()).as_str().len(),
            32
        );
    }
}
