//! Options that take seconds.

use std::ops::RangeInclusive;

/// Reads whole seconds, `5`, or a span, `5s`, `2m`, `1h`; the error says what is wrong with which option.
pub(super) fn seconds(
    option: &str,
    text: &str,
    range: &RangeInclusive<u64>,
) -> Result<u64, String> {
    let (digits, unit) = match text.find(|c: char| !c.is_ascii_digit()) {
        Some(end) => text.split_at(end),
        None => (text, "s"),
    };
    let each = match unit {
        "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3_600),
        _ => None,
    };
    let number: Option<u64> = digits.parse().ok();
    let seconds = number.zip(each).and_then(|(n, each)| n.checked_mul(each));
    seconds
        .filter(|seconds| range.contains(seconds))
        .ok_or_else(|| {
            let (least, most) = (range.start(), range.end());
            let text = crate::output::safe(text);
            format!("{option} {text}: whole seconds from {least} to {most}, or a span: 30s, 2m")
        })
}

/// Whether somebody meant a number, though it may be none: `1.5`, `10sec`.
pub(super) fn is_meant(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
        && text
            .trim_end_matches(|c: char| c.is_ascii_alphabetic())
            .chars()
            .all(|c| c.is_ascii_digit() || c == '.')
        && text.matches('.').count() < 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_whole_in_range_and_may_have_a_unit() {
        let read = |text| seconds("--for", text, &(1..=3_600)).ok();
        let good = [("5", 5), ("90s", 90), ("2m", 120), ("1h", 3_600)];
        for (text, is) in good {
            assert_eq!(read(text), Some(is), "{text}");
        }
        for text in [
            "",
            "0",
            "-1",
            "2.5",
            "2h",
            "s",
            "5 s",
            "5d",
            "99999999999999999999h",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        let told = seconds("--within", "2.5", &(1..=60)).expect_err("it is no whole number");
        assert!(
            told.starts_with("--within 2.5: whole seconds from 1 to 60"),
            "{told}"
        );
        let told = seconds("--for", "redis://:hunter2@a", &(1..=60)).expect_err("it is a URL");
        assert!(!told.contains("hunter2"), "{told}");
    }

    #[test]
    fn a_number_is_told_from_a_source() {
        for text in ["5", "1.5", "10s", "5sec"] {
            assert!(is_meant(text), "{text}");
        }
        for text in ["app.log", "10.0.0.7:6379", "10.0.0.7", "-", "5-app.log", ""] {
            assert!(!is_meant(text), "{text}");
        }
    }
}
