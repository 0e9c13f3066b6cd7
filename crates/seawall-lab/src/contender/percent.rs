use super::Malformed;

/// Whether a byte stands for itself. Everything else is written `%XX`: what separates fields (space), alternatives
/// (`|`) and array elements (`,`, `[`, `]`), the escape itself, and whatever a terminal or a pipe could mangle.
const fn stands_for_itself(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'%' | b'|' | b',' | b'[' | b']')
}

/// Appends `bytes` to `line`, each byte either as itself or as `%XX`.
pub fn encode_into(line: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in bytes {
        if stands_for_itself(byte) {
            line.push(byte);
        } else {
            line.extend([
                b'%',
                DIGITS[usize::from(byte >> 4)],
                DIGITS[usize::from(byte & 15)],
            ]);
        }
    }
}

/// Reads back what [`encode_into`] wrote. Lenient in one way only: any byte may be written as `%XX`, in either case.
///
/// # Errors
/// A `%` that is not followed by two hex digits, or a byte that ought to have been encoded.
pub fn decode(field: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, after)) = rest.split_first() {
        if first != b'%' {
            if !stands_for_itself(first) {
                return Err(Malformed::Percent {
                    at: field.len() - rest.len(),
                });
            }
            bytes.push(first);
            rest = after;
            continue;
        }
        let (Some(high), Some(low)) = (
            after.first().copied().and_then(hex),
            after.get(1).copied().and_then(hex),
        ) else {
            return Err(Malformed::Percent {
                at: field.len() - rest.len(),
            });
        };
        bytes.push(high << 4 | low);
        rest = &after[2..];
    }
    Ok(bytes)
}

/// Reads text: what is no UTF-8 becomes the replacement character, since it is only shown.
pub(super) fn decode_text(field: &[u8]) -> Result<String, Malformed> {
    decode(field).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encode(bytes: &[u8]) -> String {
        let mut line = Vec::new();
        encode_into(&mut line, bytes);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn what_separates_fields_is_encoded_and_the_rest_stays_readable() {
        assert_eq!(encode(b"user:1=a b|c%"), "user:1=a%20b%7Cc%25");
        assert_eq!(encode("\r\n\u{e9}".as_bytes()), "%0D%0A%C3%A9");
        assert_eq!(decode(b"%0d%7c").unwrap(), b"\r|");
    }

    #[test]
    fn half_an_escape_and_a_bare_separator_are_refused() {
        assert_eq!(decode(b"ab%4"), Err(Malformed::Percent { at: 2 }));
        assert_eq!(decode(b"%zz"), Err(Malformed::Percent { at: 0 }));
        assert_eq!(decode(b"a|b"), Err(Malformed::Percent { at: 1 }));
    }

    proptest! {
        #[test]
        fn every_byte_string_comes_back(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let line = encode(&bytes);
            prop_assert!(line.bytes().all(|b| b.is_ascii_graphic()));
            prop_assert_eq!(decode(line.as_bytes()).unwrap(), bytes);
        }
    }
}
