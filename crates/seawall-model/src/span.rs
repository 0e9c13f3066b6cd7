//! Spans of time as people write them: `250ms`, `5s`, `2m`.

use std::time::Duration;

/// Units, the longest first, with their nanoseconds.
const UNITS: [(&str, u64); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];
const SECOND: u64 = 1_000_000_000;

/// Reads a number with its unit (`250ms`, `1.5s`, `2m`, `1h`, `1d`, `10us`, `5ns`) or a plain `0`.
///
/// `None` if it is not one, is finer than a nanosecond or does not fit: a plain number is refused, since nobody can
/// tell whether its writer meant seconds or milliseconds.
pub fn parse_span(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| c.is_ascii_alphabetic());
    let (number, unit) = text.split_at(split.unwrap_or(text.len()));
    if unit.is_empty() {
        return (number == "0").then_some(Duration::ZERO);
    }
    let (_, nanos) = UNITS.iter().find(|(name, _)| *name == unit)?;
    decimal(number, *nanos)
}

/// Reads a plain number of seconds (`5`, `0.25`), as redis-py takes it, or a number with a unit.
pub fn parse_seconds(text: &str) -> Option<Duration> {
    decimal(text, SECOND).or_else(|| parse_span(text))
}

/// Shows a span in the largest unit that needs no fraction: `500ms`, `90s`, `2m`. [`parse_span`] reads it back.
pub fn show_span(span: Duration) -> String {
    let nanos = span.as_nanos();
    if nanos == 0 {
        return "0s".to_owned();
    }
    let fits = |(_, unit): &&(&str, u64)| nanos.is_multiple_of(u128::from(*unit));
    // The last unit is one nanosecond, which always fits.
    let (name, unit) = UNITS.iter().find(fits).unwrap_or(&UNITS[6]);
    format!("{}{name}", nanos / u128::from(*unit))
}

/// A decimal number times `unit`, exactly: floats would turn 0.1 into something else.
fn decimal(text: &str, unit: u64) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let fraction = fraction.trim_end_matches('0');
    if text.is_empty() || text == "." || !digits(whole) || !digits(fraction) || fraction.len() > 15
    {
        return None;
    }
    let whole: u128 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let mut nanos = whole.checked_mul(u128::from(unit))?;
    if !fraction.is_empty() {
        let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
        let scaled = fraction
            .parse::<u128>()
            .ok()?
            .checked_mul(u128::from(unit))?;
        if !scaled.is_multiple_of(scale) {
            return None;
        }
        nanos = nanos.checked_add(scaled / scale)?;
    }
    u64::try_from(nanos).ok().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_with_their_unit() {
        for (text, nanos) in [
            ("250ms", 250_000_000),
            ("5s", 5_000_000_000),
            ("0.1s", 100_000_000),
            (".5s", 500_000_000),
            ("2m", 120_000_000_000),
            ("1.5h", 5_400_000_000_000),
            ("1d", 86_400_000_000_000),
            ("7us", 7_000),
            ("3ns", 3),
            ("0", 0),
            ("0s", 0),
        ] {
            assert_eq!(
                parse_span(text),
                Some(Duration::from_nanos(nanos)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in [
            "",
            "5",
            "s",
            ".s",
            "-1s",
            "+1s",
            "1e3s",
            "1 s",
            "1S",
            "5 minutes",
            "1.5ns",
            "0x1s",
            "99999999999999999999d",
            "1.2.3s",
            "١s",
            "nan",
            "inf",
        ] {
            assert_eq!(parse_span(text), None, "{text}");
        }
    }

    #[test]
    fn plain_numbers_are_seconds_where_redis_py_has_them_so() {
        assert_eq!(parse_seconds("5"), Some(Duration::from_secs(5)));
        assert_eq!(parse_seconds("0.25"), Some(Duration::from_millis(250)));
        assert_eq!(parse_seconds("5."), Some(Duration::from_secs(5)));
        assert_eq!(parse_seconds("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(parse_seconds("None"), None);
    }

    #[test]
    fn spans_are_shown_in_the_largest_whole_unit() {
        for (span, text) in [
            (Duration::ZERO, "0s"),
            (Duration::from_millis(1500), "1500ms"),
            (Duration::from_secs(90), "90s"),
            (Duration::from_secs(120), "2m"),
            (Duration::from_secs(86_400), "1d"),
            (Duration::from_nanos(1), "1ns"),
        ] {
            assert_eq!(show_span(span), text);
            assert_eq!(parse_span(text), Some(span));
        }
    }
}
