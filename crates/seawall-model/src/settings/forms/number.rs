use std::num::NonZeroU32;

use super::{Form, Reading, Unfit};

/// A whole number that may be zero.
pub(in crate::settings) struct Count {
    pub(in crate::settings) min: u32,
    pub(in crate::settings) max: u32,
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
pub(in crate::settings) struct CountFromOne {
    pub(in crate::settings) max: u32,
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
pub(in crate::settings) struct Bytes {
    pub(in crate::settings) min: u64,
    pub(in crate::settings) max: u64,
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
    pub(in crate::settings) const fn fixed(percent: u8) -> Self {
        assert!(percent <= 100, "a share is at most 100 %");
        Self(percent)
    }
}

/// A share of a hundred.
pub(in crate::settings) struct Share;

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
}
