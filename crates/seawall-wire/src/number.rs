use crate::{WireError, examined};

/// What a line of length says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    Known(u64),
    /// `-1`: how RESP2 spells null.
    Null,
    /// `?`: the parts follow one by one.
    Streamed,
}

/// Something read, and where what follows it begins; `None`: not all of it is there yet.
pub(crate) type Read<T> = Result<Option<(T, usize)>, WireError>;

/// More digits than these cannot be a length or an integer of 64 bits; and as many always fit a `u64`.
const DIGITS_MAX: usize = 19;

/// Reads the length behind the marker at `at`.
///
/// Every byte is judged as soon as it is there, so a bad line is refused at the same byte however it was cut.
#[inline]
pub(crate) fn length(view: &[u8], at: usize) -> Read<Length> {
    let bad = WireError::BadLength {
        marker: view[at],
        offset: at as u64,
    };
    let start = at + 1;
    match view.get(start) {
        None => Ok(None),
        Some(b'?') => Ok(line_end(view, start + 1, bad)?.map(|next| (Length::Streamed, next))),
        Some(b'-') => match view.get(start + 1) {
            None => Ok(None),
            Some(b'1') => Ok(line_end(view, start + 2, bad)?.map(|next| (Length::Null, next))),
            Some(_) => Err(bad),
        },
        Some(_) => match digits(view, start, bad)? {
            Some((len, _)) if i64::try_from(len).is_err() => Err(bad),
            other => Ok(other.map(|(len, next)| (Length::Known(len), next))),
        },
    }
}

/// Reads the integer behind the marker at `at`.
#[inline]
pub(crate) fn integer(view: &[u8], at: usize) -> Read<i64> {
    let bad = WireError::BadNumber {
        marker: view[at],
        offset: at as u64,
    };
    let sign = view.get(at + 1).copied();
    let start = at + 1 + usize::from(matches!(sign, Some(b'-' | b'+')));
    let Some((size, next)) = digits(view, start, bad)? else {
        return Ok(None);
    };
    let value = match sign {
        Some(b'-') => 0_i64.checked_sub_unsigned(size),
        _ => i64::try_from(size).ok(),
    };
    Ok(Some((value.ok_or(bad)?, next)))
}

/// Expects the line to end at `at`; says where the next begins, or `None` if that is not there yet.
#[inline]
pub(crate) fn line_end(
    view: &[u8],
    at: usize,
    otherwise: WireError,
) -> Result<Option<usize>, WireError> {
    examined::note(2);
    match view.get(at..).unwrap_or_default() {
        [b'\r', b'\n', ..] => Ok(Some(at + 2)),
        [] | [b'\r'] => Ok(None),
        _ => Err(otherwise),
    }
}

/// One to nineteen digits and the line end.
#[inline]
fn digits(view: &[u8], start: usize, otherwise: WireError) -> Read<u64> {
    let mut value = 0;
    let mut at = start;
    loop {
        examined::note(1);
        match view.get(at) {
            None => return Ok(None),
            Some(digit @ b'0'..=b'9') if at - start < DIGITS_MAX => {
                value = value * 10 + u64::from(digit - b'0');
                at += 1;
            }
            Some(_) if at > start => {
                return Ok(line_end(view, at, otherwise)?.map(|next| (value, next)));
            }
            Some(_) => return Err(otherwise),
        }
    }
}

/// A double as RESP3 spells it: digits with an optional fraction and exponent, `inf`, `-inf` or `nan`, in any case
/// (servers before 7.2 let the C library spell them).
pub(crate) fn double(text: &[u8]) -> Option<f64> {
    if text
        .iter()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'))
    {
        return std::str::from_utf8(text).ok()?.parse().ok();
    }
    let (size, sign) = match text {
        [b'-', rest @ ..] => (rest, -1.0),
        [b'+', rest @ ..] => (rest, 1.0),
        _ => (text, 1.0),
    };
    if size.eq_ignore_ascii_case(b"inf") {
        Some(f64::INFINITY * sign)
    } else if size.eq_ignore_ascii_case(b"nan") {
        Some(f64::NAN)
    } else {
        None
    }
}

/// Whether this is a whole number of any size: an optional sign and digits.
pub(crate) fn is_big_number(text: &[u8]) -> bool {
    let size = text
        .strip_prefix(b"-")
        .or_else(|| text.strip_prefix(b"+"))
        .unwrap_or(text);
    !size.is_empty() && size.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length_of(line: &str) -> Option<Length> {
        let line = format!("${line}\r\n");
        length(line.as_bytes(), 0)
            .ok()
            .map(|read| read.expect("the line is whole").0)
    }

    #[test]
    fn lengths_have_no_sign_and_fit_63_bits() {
        assert_eq!(length_of("0"), Some(Length::Known(0)));
        assert_eq!(
            length_of("9223372036854775807"),
            Some(Length::Known(i64::MAX as u64))
        );
        assert_eq!(length_of("-1"), Some(Length::Null));
        assert_eq!(length_of("?"), Some(Length::Streamed));
        for bad in [
            "",
            "+1",
            "-2",
            "-0",
            "-10",
            "-",
            "1 ",
            " 1",
            "1a",
            "??",
            "9223372036854775808",
            "99999999999999999999",
        ] {
            assert_eq!(length_of(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_line_of_zeros_without_end_is_refused_early() {
        assert!(matches!(
            length(b"$00000000000000000000", 0),
            Err(WireError::BadLength { .. })
        ));
    }

    #[test]
    fn integers_reach_both_ends_of_64_bits_and_no_further() {
        let value = |line: &str| {
            integer(format!(":{line}\r\n").as_bytes(), 0)
                .ok()
                .map(|read| read.expect("whole").0)
        };
        assert_eq!(value("-9223372036854775808"), Some(i64::MIN));
        assert_eq!(value("9223372036854775807"), Some(i64::MAX));
        assert_eq!(
            (value("+5"), value("-0"), value("007")),
            (Some(5), Some(0), Some(7))
        );
        for bad in [
            "",
            "-",
            "+",
            "--1",
            "1.5",
            "0x1",
            "9223372036854775808",
            "-9223372036854775809",
        ] {
            assert_eq!(value(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn doubles_are_taken_as_servers_spell_them() {
        assert_eq!(double(b"1.5e-3"), Some(0.0015));
        assert_eq!(double(b"-INF"), Some(f64::NEG_INFINITY));
        assert_eq!(double(b"inf"), Some(f64::INFINITY));
        assert!(double(b"-nan").is_some_and(f64::is_nan));
        for bad in [
            &b""[..],
            b"-",
            b".",
            b"e5",
            b"1e",
            b"infinity",
            b"1_0",
            b"0x1p3",
            b"1 ",
            b"--1",
            b"\xff",
        ] {
            assert_eq!(double(bad), None, "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn big_numbers_are_digits_with_at_most_one_sign() {
        assert!(
            is_big_number(b"3492890328409238509324850943850943825024385") && is_big_number(b"-1")
        );
        assert!(
            !is_big_number(b"")
                && !is_big_number(b"-")
                && !is_big_number(b"1.0")
                && !is_big_number(b"+-1")
        );
    }
}
