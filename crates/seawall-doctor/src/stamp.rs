//! Moments of the wall clock, as logs and servers tell them.

use std::fmt;

/// Milliseconds since 1970, UTC as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(pub i64);

impl Stamp {
    /// From a date and a time of day. `None` if there is no such date.
    pub fn of(date: (i64, u32, u32), time: (u32, u32, u32), millis: u32) -> Option<Self> {
        let (year, month, day) = date;
        let (hour, minute, second) = time;
        let in_month = days_in(year, month)?;
        if day == 0 || day > in_month || hour > 23 || minute > 59 || second > 60 || millis > 999 {
            return None;
        }
        let seconds = days_from_civil(year, month, day) * 86_400
            + i64::from(hour) * 3_600
            + i64::from(minute) * 60
            + i64::from(second);
        Some(Self(seconds * 1_000 + i64::from(millis)))
    }

    /// How many seconds lie between the two.
    pub fn seconds_to(self, other: Self) -> f64 {
        other.0.saturating_sub(self.0) as f64 / 1_000.0
    }

    /// This much later, or earlier.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        self.plus_millis(seconds.saturating_mul(1_000))
    }

    /// So many milliseconds later, or earlier.
    #[must_use]
    pub fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }
}

/// `2026-11-23T02:58:11.042Z`.
impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, millis) = (self.0.div_euclid(86_400_000), self.0.rem_euclid(86_400_000));
        let (year, month, day) = civil_from_days(days);
        let seconds = millis / 1_000;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
            seconds / 3_600,
            seconds / 60 % 60,
            seconds % 60,
            millis % 1_000
        )
    }
}

/// The number of a month by its English name of three letters.
pub(crate) fn month(name: &str) -> Option<u32> {
    let names = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let at = names.iter().position(|known| *known == name)?;
    u32::try_from(at + 1).ok()
}

fn days_in(year: i64, month: u32) -> Option<u32> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    Some(match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    })
}

/// Days since 1970 of a date of the Gregorian calendar, whose year is taken to begin in March.
fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = i64::from((month + 9) % 12);
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_known_moment_is_told_as_it_was_given() {
        let stamp = Stamp::of((2026, 11, 23), (2, 58, 11), 42).expect("a date");
        assert_eq!(stamp.0, 1_795_402_691_042);
        assert_eq!(stamp.to_string(), "2026-11-23T02:58:11.042Z");
    }

    #[test]
    fn what_is_no_date_is_none() {
        assert_eq!(Stamp::of((2026, 2, 29), (0, 0, 0), 0), None);
        assert_eq!(Stamp::of((2026, 13, 1), (0, 0, 0), 0), None);
        assert!(Stamp::of((2024, 2, 29), (23, 59, 60), 0).is_some());
    }

    proptest! {
        #[test]
        fn every_moment_is_read_back_from_its_text(millis in -2_000_000_000_000_i64..5_000_000_000_000) {
            let text = Stamp(millis).to_string();
            let number = |from: usize, to: usize| text[from..to].parse::<u32>().expect("a number");
            let date = (text[0..4].parse().expect("a year"), number(5, 7), number(8, 10));
            let time = (number(11, 13), number(14, 16), number(17, 19));
            prop_assert_eq!(Stamp::of(date, time, number(20, 23)), Some(Stamp(millis)));
        }
    }
}
