//! The shapes that values have: how each is read, checked, shown and described.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::secret::Secret;
use crate::span::{parse_seconds, parse_span, show_span};

/// How an option's text is to be understood: other clients give some names other units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// As this page says.
    Own,
    /// A plain number is seconds, as redis-py has it.
    Seconds,
    /// `true` leaves the setting as it is by default, `false` turns it off.
    Switch,
}

/// The text or value does not fit; what would fit is for the caller to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unfit;

/// One shape of values.
pub(super) trait Form {
    type Value;
    /// Reads a text; whether it is in range is for [`check`](Self::check).
    fn read(&self, text: &str, reading: Reading) -> Result<Self::Value, Unfit>;
    /// Whether the value is in range.
    fn fits(&self, value: &Self::Value) -> bool;
    /// The value as a text that [`read`](Self::read) takes; `None` for nothing set. Secrets show their mask.
    fn show(&self, value: &Self::Value) -> Option<String>;
    /// The form and the range of its values, in words.
    fn describe(&self, reading: Reading) -> String;
}

/// What the static table holds of a form.
pub(super) trait Described: Sync {
    fn describe(&self, reading: Reading) -> String;
}

impl<F: Form + Sync> Described for F {
    fn describe(&self, reading: Reading) -> String {
        Form::describe(self, reading)
    }
}

/// Words for "turned off" and "on", those of redis-py among them.
const OFF: [&str; 6] = ["off", "none", "false", "no", "0", "f"];
const ON: [&str; 6] = ["on", "true", "yes", "1", "t", "y"];

fn is_one_of(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// A span of time.
pub(super) struct Span {
    pub(super) min: Duration,
    pub(super) max: Duration,
}

impl Form for Span {
    type Value = Duration;

    fn read(&self, text: &str, reading: Reading) -> Result<Duration, Unfit> {
        match reading {
            Reading::Seconds => parse_seconds(text),
            Reading::Own | Reading::Switch => parse_span(text),
        }
        .ok_or(Unfit)
    }

    fn fits(&self, value: &Duration) -> bool {
        (self.min..=self.max).contains(value)
    }

    fn show(&self, value: &Duration) -> Option<String> {
        Some(show_span(*value))
    }

    fn describe(&self, reading: Reading) -> String {
        let (min, max) = (self.min, self.max);
        match reading {
            Reading::Seconds => {
                format!(
                    "seconds from {} to {}",
                    min.as_secs_f64(),
                    max.as_secs_f64()
                )
            }
            Reading::Own | Reading::Switch => {
                format!("a span from {} to {}", show_span(min), show_span(max))
            }
        }
    }
}

/// A span of time, or `off`.
pub(super) struct SpanOrOff {
    pub(super) span: Span,
    /// What `true` stands for where another client has a switch.
    pub(super) on: Option<Duration>,
}

impl Form for SpanOrOff {
    type Value = Option<Duration>;

    fn read(&self, text: &str, reading: Reading) -> Result<Option<Duration>, Unfit> {
        match reading {
            Reading::Switch if is_one_of(text, &ON) => Ok(self.on),
            Reading::Switch if is_one_of(text, &OFF) => Ok(None),
            Reading::Switch => Err(Unfit),
            _ if is_one_of(text, &["off", "none"]) => Ok(None),
            _ => self.span.read(text, reading).map(Some),
        }
    }

    fn fits(&self, value: &Option<Duration>) -> bool {
        value.as_ref().is_none_or(|span| self.span.fits(span))
    }

    fn show(&self, value: &Option<Duration>) -> Option<String> {
        Some(value.map_or_else(|| "off".to_owned(), show_span))
    }

    fn describe(&self, reading: Reading) -> String {
        match reading {
            Reading::Switch => "`true` or `false`".to_owned(),
            _ => format!("{}, or `off`", Form::describe(&self.span, reading)),
        }
    }
}

/// A whole number that may be zero.
pub(super) struct Count {
    pub(super) min: u32,
    pub(super) max: u32,
}

/// Reads digits alone: `str::parse` would take a plus sign too.
fn whole(text: &str) -> Result<u64, Unfit> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse().map_err(|_| Unfit)
    } else {
        Err(Unfit)
    }
}

impl Form for Count {
    type Value = u32;

    fn read(&self, text: &str, _: Reading) -> Result<u32, Unfit> {
        u32::try_from(whole(text)?).map_err(|_| Unfit)
    }

    fn fits(&self, value: &u32) -> bool {
        (self.min..=self.max).contains(value)
    }

    fn show(&self, value: &u32) -> Option<String> {
        Some(value.to_string())
    }

    fn describe(&self, _: Reading) -> String {
        format!("a whole number from {} to {}", self.min, self.max)
    }
}

/// A whole number from 1 up.
pub(super) struct CountFromOne {
    pub(super) max: u32,
}

impl Form for CountFromOne {
    type Value = NonZeroU32;

    fn read(&self, text: &str, _: Reading) -> Result<NonZeroU32, Unfit> {
        let number = u32::try_from(whole(text)?).map_err(|_| Unfit)?;
        NonZeroU32::new(number).ok_or(Unfit)
    }

    fn fits(&self, value: &NonZeroU32) -> bool {
        value.get() <= self.max
    }

    fn show(&self, value: &NonZeroU32) -> Option<String> {
        Some(value.to_string())
    }

    fn describe(&self, _: Reading) -> String {
        format!("a whole number from 1 to {}", self.max)
    }
}

/// A number of bytes: plain, or with `KiB`, `MiB`, `GiB`. `k` and `MB` are refused, since some mean 1000 and some 1024.
pub(super) struct Bytes {
    pub(super) min: u64,
    pub(super) max: u64,
}

const BYTE_UNITS: [(&str, u64); 4] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

fn show_bytes(value: u64) -> String {
    let whole = BYTE_UNITS
        .iter()
        .find(|(_, unit)| value >= *unit && value.is_multiple_of(*unit));
    let (name, unit) = whole.unwrap_or(&BYTE_UNITS[3]);
    format!("{}{name}", value / unit)
}

impl Form for Bytes {
    type Value = u64;

    fn read(&self, text: &str, _: Reading) -> Result<u64, Unfit> {
        let with_unit = BYTE_UNITS
            .iter()
            .find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)));
        let (number, unit) = with_unit.unwrap_or((text, 1));
        whole(number)?.checked_mul(unit).ok_or(Unfit)
    }

    fn fits(&self, value: &u64) -> bool {
        (self.min..=self.max).contains(value)
    }

    fn show(&self, value: &u64) -> Option<String> {
        Some(show_bytes(*value))
    }

    fn describe(&self, _: Reading) -> String {
        format!(
            "bytes from {} to {}",
            show_bytes(self.min),
            show_bytes(self.max)
        )
    }
}

/// A share of a hundred: 0 to 100 by construction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent(u8);

impl Percent {
    /// `None` above 100.
    pub const fn new(percent: u8) -> Option<Self> {
        if percent <= 100 {
            Some(Self(percent))
        } else {
            None
        }
    }

    /// 0 to 100.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// 0.0 to 1.0.
    pub fn ratio(self) -> f64 {
        f64::from(self.0) / 100.0
    }

    /// For the table of settings, whose numbers are checked when it is compiled.
    pub(super) const fn fixed(percent: u8) -> Self {
        assert!(percent <= 100, "a share is at most 100 %");
        Self(percent)
    }
}

/// A share of a hundred.
pub(super) struct Share;

impl Form for Share {
    type Value = Percent;

    fn read(&self, text: &str, _: Reading) -> Result<Percent, Unfit> {
        let number = whole(text.strip_suffix('%').unwrap_or(text))?;
        u8::try_from(number)
            .ok()
            .and_then(Percent::new)
            .ok_or(Unfit)
    }

    fn fits(&self, _: &Percent) -> bool {
        true
    }

    fn show(&self, value: &Percent) -> Option<String> {
        Some(format!("{}%", value.0))
    }

    fn describe(&self, _: Reading) -> String {
        "whole percent from 0% to 100%".to_owned()
    }
}

/// One of a few words. `also` holds what other clients write for them.
pub(super) struct Choice<T: 'static> {
    pub(super) all: &'static [T],
    pub(super) name: fn(T) -> &'static str,
    pub(super) also: &'static [(&'static str, T)],
}

impl<T: Copy + PartialEq> Form for Choice<T> {
    type Value = T;

    fn read(&self, text: &str, _: Reading) -> Result<T, Unfit> {
        // In a query string, a plus sign stands for a space.
        let text = text.replace(' ', "+");
        let named = self
            .all
            .iter()
            .copied()
            .find(|&word| (self.name)(word) == text);
        let also = || {
            self.also
                .iter()
                .find(|(word, _)| text.eq_ignore_ascii_case(word))
        };
        named
            .or_else(|| also().map(|(_, value)| *value))
            .ok_or(Unfit)
    }

    fn fits(&self, _: &T) -> bool {
        true
    }

    fn show(&self, value: &T) -> Option<String> {
        Some((self.name)(*value).to_owned())
    }

    fn describe(&self, _: Reading) -> String {
        let words: Vec<_> = self
            .all
            .iter()
            .map(|&word| format!("`{}`", (self.name)(word)))
            .collect();
        words
            .join(", ")
            .replacen("`, `", "` or `", usize::from(words.len() == 2))
    }
}

/// A text, or nothing.
pub(super) struct Text {
    pub(super) bytes_max: usize,
    pub(super) allows: Allows,
}

/// Which characters a [`Text`] may have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Allows {
    /// All but control characters.
    Printable,
    /// What CLIENT SETNAME takes: `!` to `~`.
    Graphic,
    /// What a host name has.
    Host,
}

impl Form for Text {
    type Value = Option<Arc<str>>;

    fn read(&self, text: &str, _: Reading) -> Result<Self::Value, Unfit> {
        Ok(Some(text.into()))
    }

    fn fits(&self, value: &Self::Value) -> bool {
        let allowed = |c: char| match self.allows {
            Allows::Printable => !c.is_control(),
            Allows::Graphic => c.is_ascii_graphic(),
            Allows::Host => c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':'),
        };
        value.as_ref().is_none_or(|text| {
            (1..=self.bytes_max).contains(&text.len()) && text.chars().all(allowed)
        })
    }

    fn show(&self, value: &Self::Value) -> Option<String> {
        value.as_ref().map(ToString::to_string)
    }

    fn describe(&self, _: Reading) -> String {
        let of = match self.allows {
            Allows::Printable => "a text",
            Allows::Graphic => "a text of visible ASCII characters",
            Allows::Host => "a host name or address",
        };
        format!("{of}, at most {} bytes", self.bytes_max)
    }
}

/// A password, or nothing.
pub(super) struct Hidden;

impl Form for Hidden {
    type Value = Option<Secret>;

    fn read(&self, text: &str, _: Reading) -> Result<Self::Value, Unfit> {
        Ok(Some(Secret::from(text)))
    }

    fn fits(&self, _: &Self::Value) -> bool {
        true
    }

    fn show(&self, value: &Self::Value) -> Option<String> {
        value.as_ref().map(ToString::to_string)
    }

    fn describe(&self, _: Reading) -> String {
        "a text".to_owned()
    }
}

/// A file or folder, or nothing.
pub(super) struct FilePath;

impl Form for FilePath {
    type Value = Option<Arc<Path>>;

    fn read(&self, text: &str, _: Reading) -> Result<Self::Value, Unfit> {
        Ok(Some(Path::new(text).into()))
    }

    fn fits(&self, value: &Self::Value) -> bool {
        let fit = |path: &Arc<Path>| {
            let bytes = path.as_os_str().as_encoded_bytes();
            !bytes.is_empty() && !bytes.contains(&0)
        };
        value.as_ref().is_none_or(fit)
    }

    fn show(&self, value: &Self::Value) -> Option<String> {
        value.as_ref().map(|path| path.display().to_string())
    }

    fn describe(&self, _: Reading) -> String {
        "a path".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_in_binary_units_only() {
        let form = Bytes {
            min: 1,
            max: u64::MAX,
        };
        for (text, value) in [
            ("1MiB", 1 << 20),
            ("512", 512),
            ("64KiB", 65_536),
            ("7B", 7),
        ] {
            assert_eq!(form.read(text, Reading::Own), Ok(value));
        }
        for text in [
            "1MB",
            "1k",
            "-1",
            "+1",
            "",
            "1 MiB",
            "99999999999999999999",
            "99999999999GiB",
        ] {
            assert_eq!(form.read(text, Reading::Own), Err(Unfit), "{text}");
        }
        assert_eq!(show_bytes(1 << 20), "1MiB");
        assert_eq!(show_bytes(1000), "1000B");
        assert_eq!(show_bytes(0), "0B");
    }

    #[test]
    fn a_share_is_whole_percent() {
        for text in ["20", "20%"] {
            assert_eq!(Share.read(text, Reading::Own), Ok(Percent(20)));
        }
        for text in ["101", "0.2", "-1", "%", "256"] {
            assert_eq!(Share.read(text, Reading::Own), Err(Unfit), "{text}");
        }
        assert!((Percent(25).ratio() - 0.25).abs() < f64::EPSILON);
    }

    #[test]
    fn a_switch_turns_a_span_off_or_leaves_its_default() {
        let on = Some(Duration::from_secs(30));
        let form = SpanOrOff {
            span: Span {
                min: Duration::ZERO,
                max: Duration::MAX,
            },
            on,
        };
        assert_eq!(form.read("True", Reading::Switch), Ok(on));
        assert_eq!(form.read("0", Reading::Switch), Ok(None));
        assert_eq!(form.read("5s", Reading::Switch), Err(Unfit));
        assert_eq!(form.read("off", Reading::Own), Ok(None));
        assert_eq!(form.read("false", Reading::Own), Err(Unfit));
    }
}
