use crate::WireError;

/// Whether a line asks nothing: white space, up to a NUL.
pub(crate) fn is_blank(line: &[u8]) -> bool {
    line.iter()
        .take_while(|byte| **byte != 0)
        .all(|byte| is_space(*byte))
}

/// White space as C has it.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0B | 0x0C | b'\r')
}

/// What ends a word outside of quotes; vertical tabs and form feeds part words only where one could begin.
fn ends_word(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// The words of an inline request, unquoted.
pub(super) fn words(line: &[u8]) -> Result<Vec<Vec<u8>>, WireError> {
    let line = line.split(|byte| *byte == 0).next().unwrap_or_default();
    let mut words = Vec::new();
    let mut at = 0;
    loop {
        while line.get(at).is_some_and(|byte| is_space(*byte)) {
            at += 1;
        }
        if at == line.len() {
            return Ok(words);
        }
        let (word, next) = word(line, at)?;
        words.push(word);
        at = next;
    }
}

/// The word that begins at `at`, and where it ends. A quote inside a word opens a quoted part, which ends the word.
fn word(line: &[u8], mut at: usize) -> Result<(Vec<u8>, usize), WireError> {
    let mut word = Vec::new();
    loop {
        match line.get(at) {
            None => return Ok((word, at)),
            Some(byte) if ends_word(*byte) => return Ok((word, at)),
            Some(b'"') => return quoted(line, at, b'"', double_escape, word),
            Some(b'\'') => return quoted(line, at, b'\'', single_escape, word),
            Some(byte) => word.push(*byte),
        }
        at += 1;
    }
}

/// What a backslash and what follows it stand for: the byte, and how many bytes it took. `None`: the backslash is
/// itself.
type Escape = fn(&[u8]) -> Option<(u8, usize)>;

fn quoted(
    line: &[u8],
    open: usize,
    quote: u8,
    escape: Escape,
    mut word: Vec<u8>,
) -> Result<(Vec<u8>, usize), WireError> {
    let mut at = open + 1;
    loop {
        let rest = line.get(at..).unwrap_or_default();
        match rest {
            [] => {
                return Err(WireError::UnbalancedQuotes {
                    offset: open as u64,
                });
            }
            [byte, behind @ ..] if *byte == quote => {
                return match behind.first() {
                    Some(next) if !is_space(*next) => {
                        Err(WireError::UnbalancedQuotes { offset: at as u64 })
                    }
                    _ => Ok((word, at + 1)),
                };
            }
            [byte, ..] => {
                let (byte, used) = escape(rest).unwrap_or((*byte, 1));
                word.push(byte);
                at += used;
            }
        }
    }
}

fn double_escape(rest: &[u8]) -> Option<(u8, usize)> {
    match *rest {
        [b'\\', b'x', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            Some((hex(high) << 4 | hex(low), 4))
        }
        [b'\\', letter, ..] => Some((
            match letter {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'b' => 0x08,
                b'a' => 0x07,
                itself => itself,
            },
            2,
        )),
        _ => None,
    }
}

fn single_escape(rest: &[u8]) -> Option<(u8, usize)> {
    rest.starts_with(b"\\'").then_some((b'\'', 2))
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        letter => letter.to_ascii_lowercase() - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &[u8]) -> Vec<Vec<u8>> {
        words(line).expect("balanced")
    }

    #[test]
    fn words_are_parted_by_white_space() {
        assert_eq!(split(b"  PING \t x\r\n"), [b"PING".to_vec(), b"x".to_vec()]);
        assert_eq!(
            split(b"a\x0bb \x0cc\n"),
            [b"a\x0bb".to_vec(), b"c".to_vec()]
        );
        assert!(split(b" \r\n").is_empty());
    }

    #[test]
    fn double_quotes_know_escapes_and_single_quotes_only_their_own() {
        assert_eq!(
            split(br#"SET "a b" "\x41\n\"\q\xZZ""#),
            [&b"SET"[..], b"a b", b"A\n\"qxZZ"]
        );
        assert_eq!(
            split(br"SET 'a\n' 'it\'s'"),
            [&b"SET"[..], br"a\n", b"it's"]
        );
        assert_eq!(split(br#"foo"bar" '' """#), [&b"foobar"[..], b"", b""]);
    }

    #[test]
    fn quotes_must_be_closed_and_end_their_word() {
        for (line, offset) in [
            (&br#"SET "a"#[..], 4),
            (b"SET 'a", 4),
            (br#"SET "a"b"#, 6),
            (b"'a''b'", 2),
        ] {
            assert_eq!(
                words(line),
                Err(WireError::UnbalancedQuotes { offset }),
                "{}",
                line.escape_ascii()
            );
        }
    }

    #[test]
    fn a_nul_ends_the_request() {
        assert_eq!(split(b"PING\0 more \"\r\n"), [b"PING".to_vec()]);
        assert!(words(b"SET \"a\0\"\r\n").is_err());
        assert!(is_blank(b"  \0PING") && !is_blank(b"\x01"));
    }
}
