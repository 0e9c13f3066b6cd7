//! The times of lines, in the forms that logs have them.

use crate::stamp::{Stamp, month};

/// So much of a line's front is looked at for its time.
const FRONT: usize = 96;

/// A line's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// As UTC, where its zone is not told.
    pub(super) at: Stamp,
    /// Its zone is told.
    pub(super) zoned: bool,
    /// Its year is told.
    pub(super) dated: bool,
}

/// The first time in a line's front.
pub(super) fn find(line: &str, now: Stamp) -> Option<Told> {
    let bytes = line.as_bytes();
    let mut tried = 0;
    for start in 0..bytes.len().min(FRONT) {
        let byte = bytes[start];
        let begins = start == 0 || !bytes[start - 1].is_ascii_alphanumeric();
        if !begins || !byte.is_ascii_alphanumeric() {
            continue;
        }
        tried += 1;
        if tried > 24 {
            break;
        }
        let rest = &line[start..];
        let told = if byte.is_ascii_digit() {
            dated(rest).or_else(|| epoch_at(line, start, now))
        } else {
            syslog(rest, now)
        };
        if told.is_some() {
            return told;
        }
    }
    None
}

/// A time of its own, as a field's value: also a number of seconds, or of a thousandth, a millionth or a billionth of one.
pub(super) fn value(text: &str, now: Stamp) -> Option<Told> {
    epoch(text.trim(), now).or_else(|| find(text, now))
}

/// A date that begins here, in one of the forms that name the year.
fn dated(text: &str) -> Option<Told> {
    let mut from = Cursor(text);
    let first = from.number(1..=4)?;
    let (date, _) = if text.as_bytes().get(4).is_some_and(|c| b"-/".contains(c)) {
        let separator = from.one_of("-/")?;
        let month = from.number(2..=2)?;
        from.this(separator)?;
        let day = from.number(2..=2)?;
        ((i64::from(first), month, day), separator)
    } else {
        // `23/Nov/2026`, `23-Nov-2026`, `23 Nov 2026`.
        let separator = from.one_of("/- ")?;
        let month = month(from.take(3)?)?;
        from.this(separator)?;
        let year = from.number(4..=4)?;
        ((i64::from(year), month, first), separator)
    };
    from.one_of("T :_")?;
    let (time, millis) = from.time()?;
    let at = Stamp::of(date, time, millis)?;
    let east = from.zone();
    Some(Told {
        at: at.plus_seconds(-east.unwrap_or(0)),
        zoned: east.is_some(),
        dated: true,
    })
}

/// `Nov 23 02:58:11`: the last one before now.
fn syslog(text: &str, now: Stamp) -> Option<Told> {
    let mut from = Cursor(text);
    let month = month(from.take(3)?)?;
    from.this(' ')?;
    let _ = from.this(' ');
    let day = from.number(1..=2)?;
    from.this(' ')?;
    let (time, millis) = from.time()?;
    // `date` writes `Mon Nov 23 02:58:11 UTC 2026`, C's ctime leaves the zone out.
    let mut year = Cursor(from.0);
    let zone = year.zone();
    let year = year
        .this(' ')
        .and_then(|()| year.number(4..=4))
        .map(i64::from);
    let at = match year {
        Some(year) => Stamp::of((year, month, day), time, millis)?,
        None => yearless((month, day), time, millis, now)?,
    };
    Some(Told {
        at: at.plus_seconds(-zone.unwrap_or(0)),
        zoned: zone.is_some(),
        dated: year.is_some(),
    })
}

/// A time whose year is not told: the last one before now.
pub(super) fn yearless(
    (month, day): (u32, u32),
    time: (u32, u32, u32),
    millis: u32,
    now: Stamp,
) -> Option<Stamp> {
    let this_year: i64 = now.to_string().get(..4)?.parse().ok()?;
    // A day ahead is another time zone; more is last year.
    let limit = now.plus_seconds(86_400);
    let of = |year| Stamp::of((year, month, day), time, millis);
    match of(this_year) {
        Some(at) if at <= limit => Some(at),
        _ => of(this_year - 1),
    }
}

/// A number of seconds at a line's front, or behind `ts=` and the like: elsewhere a number may be anything.
fn epoch_at(line: &str, start: usize, now: Stamp) -> Option<Told> {
    let before = line[..start].trim_end_matches(['"', '[', '(', '<', ':', ' ', '=']);
    let named = [
        "ts",
        "time",
        "timestamp",
        "t",
        "@timestamp",
        "\"ts\"",
        "\"time\"",
    ];
    let field = before.rsplit([' ', '{', ',', '"']).next().unwrap_or("");
    (before.is_empty() || named.contains(&field))
        .then(|| epoch(&line[start..], now))
        .flatten()
}

/// `1795402691`, `1795402691.042`, `1795402691042`, and in micro- and nanoseconds.
fn epoch(text: &str, now: Stamp) -> Option<Told> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let number: i64 = digits.parse().ok()?;
    let part = rest.strip_prefix('.').map_or("", |rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit());
        &rest[..end.unwrap_or(rest.len())]
    });
    let millis = match digits.len() {
        10 => {
            let part = format!("{part:0<3}");
            number
                .checked_mul(1_000)?
                .checked_add(part.get(..3)?.parse().ok()?)?
        }
        13 => number,
        16 => number / 1_000,
        19 => number / 1_000_000,
        _ => return None,
    };
    // Redis was first released in 2009; a year ahead is no time, but a number.
    let plausible = 1_230_768_000_000..now.0.saturating_add(366 * 86_400_000);
    plausible.contains(&millis).then_some(Told {
        at: Stamp(millis),
        zoned: true,
        dated: true,
    })
}

/// What is left of a text that is read from its front.
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Option<&'a str> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn one_of(&mut self, these: &str) -> Option<char> {
        let first = self.0.chars().next().filter(|c| these.contains(*c))?;
        self.0 = &self.0[first.len_utf8()..];
        Some(first)
    }

    fn this(&mut self, c: char) -> Option<()> {
        self.0 = self.0.strip_prefix(c)?;
        Some(())
    }

    /// A number of so many digits, and no more.
    fn number(&mut self, digits: std::ops::RangeInclusive<usize>) -> Option<u32> {
        let end = self
            .0
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(self.0.len());
        digits
            .contains(&end)
            .then(|| self.take(end)?.parse().ok())?
    }

    /// `02:58:11`, and a part of a second behind a dot or a comma.
    fn time(&mut self) -> Option<((u32, u32, u32), u32)> {
        let hour = self.number(1..=2)?;
        self.this(':')?;
        let minute = self.number(2..=2)?;
        self.this(':')?;
        let second = self.number(2..=2)?;
        let mut part = Cursor(self.0);
        let mut millis = 0;
        if part.one_of(".,").is_some() {
            let end = part
                .0
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(part.0.len());
            if end > 0 {
                let digits = format!("{:0<3}", part.take(end)?);
                millis = digits.get(..3)?.parse().ok()?;
                self.0 = part.0;
            }
        }
        Some(((hour, minute, second), millis))
    }

    /// Seconds east of UTC, if a zone stands here: `Z`, `+01:00`, ` +0100`, ` UTC`. A name such as CET may be several.
    fn zone(&mut self) -> Option<i64> {
        let rest = self.0.strip_prefix(' ').unwrap_or(self.0);
        for name in ["Z", "UTC", "GMT"] {
            let after = rest.strip_prefix(name);
            if let Some(after) = after
                && !after.starts_with(|c: char| c.is_ascii_alphanumeric())
            {
                self.0 = after;
                return Some(0);
            }
        }
        let mut offset = Cursor(rest);
        let sign = if offset.one_of("+-")? == '-' { -1 } else { 1 };
        let hours: i64 = offset.take(2)?.parse().ok()?;
        let _ = offset.this(':');
        let minutes = offset.take(2).and_then(|two| two.parse::<i64>().ok());
        // `+01` alone is Postgres's; ` - ` and `-23` are something else.
        let minutes = match minutes {
            Some(minutes) => minutes,
            None if sign > 0 => 0,
            None => return None,
        };
        if hours > 15 || minutes > 59 {
            return None;
        }
        self.0 = offset.0;
        Some(sign * (hours * 3_600 + minutes * 60))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now() -> Stamp {
        Stamp::of((2026, 11, 24), (0, 0, 0), 0).expect("a date")
    }

    fn told(line: &str) -> (String, bool) {
        let told = find(line, now()).unwrap_or_else(|| panic!("no time in {line}"));
        (told.at.to_string(), told.zoned)
    }

    #[test]
    fn times_are_found_in_the_forms_of_many_logs() {
        for line in [
            "2026-11-23T02:58:11.042Z ERROR",
            "2026-11-23T03:58:11.042+01:00 x",
            "2026-11-23T02:58:11.042123456+00:00 x",
            "[2026-11-23 03:58:11,042 +0100] [9] [ERROR]",
            "time=\"2026-11-22T21:58:11.042-05:00\" level=error",
            "E, [2026-11-23T02:58:11.042Z #9] ERROR",
            "1795402691.042 host app[9]: x",
            "ts=1795402691042 level=error",
            "{\"ts\":1795402691.042,\"msg\":\"x\"}",
            "[1795402691042] x",
        ] {
            assert_eq!(
                told(line),
                ("2026-11-23T02:58:11.042Z".to_owned(), true),
                "{line}"
            );
        }
        for line in [
            "2026-11-23 02:58:11,042 - root - ERROR",
            "[2026-11-23 02:58:11,042: ERROR/ForkPoolWorker-3] x",
            "2026/11/23 02:58:11.042 dial tcp",
            "23-Nov-2026 02:58:11.042 SEVERE",
            "ERROR 2026-11-23 02:58:11.042 x",
            "Nov 23 02:58:11.042 host app[9]: x",
            "2026-11-23 02:58:11.042 CET [9] LOG",
        ] {
            assert_eq!(
                told(line),
                ("2026-11-23T02:58:11.042Z".to_owned(), false),
                "{line}"
            );
        }
        assert_eq!(
            told("10.0.0.1 - - [23/Nov/2026:03:58:11 +0100] \"GET /\""),
            ("2026-11-23T02:58:11.000Z".to_owned(), true)
        );
    }

    #[test]
    fn what_is_no_time_is_none() {
        for line in [
            "",
            "order 1795402691 failed",
            "2026-13-23T02:58:11Z",
            "10.0.0.1:6379",
            "Nov 31 02:58:11 x",
            "2026-11-23",
            "99999999999 x",
        ] {
            assert_eq!(find(line, now()), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(line in "([0-9]{1,4}|[-/: TZ.,+]|Nov|\u{e9}|ts=){0,24}") {
            let _ = find(&line, now());
            let _ = value(&line, now());
        }
    }
}
