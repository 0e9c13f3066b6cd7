use std::fmt;

use clap::Args;
use seawall_doctor::Facts;
use seawall_doctor::clocks::{self, BadTime};
use seawall_doctor::stamp::Stamp;

/// So long before and after `--around`, in seconds.
const AROUND_S: i64 = 900;

/// Which stretch of time is looked at, and how clocks without a zone are read.
#[derive(Debug, Default, Args)]
pub(crate) struct Stretch {
    /// Look no further than a quarter of an hour before and after this time: 2026-11-23T02:58Z, 02:58 (the last one)
    #[arg(long, value_name = "TIME", conflicts_with_all = ["since", "until"])]
    around: Option<String>,
    /// Leave out what was before this time, or longer ago than this span: 2h, 15m
    #[arg(long, value_name = "TIME|SPAN")]
    since: Option<String>,
    /// Leave out what was after this time
    #[arg(long, value_name = "TIME|SPAN")]
    until: Option<String>,
    /// The zone of logs that tell none: +01:00; UTC unless what they share with others shows another
    #[arg(long, value_name = "OFFSET", allow_hyphen_values = true)]
    utc_offset: Option<String>,
}

/// What was asked for, read once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked {
    window: Option<(Stamp, Stamp)>,
    east: Option<i64>,
}

/// Which option has no time in it, and why.
#[derive(Debug)]
pub(crate) struct NoTime {
    option: &'static str,
    why: BadTime,
}

impl NoTime {
    /// What may stand there.
    pub(crate) fn hint(&self) -> &'static str {
        self.why.hint()
    }
}

impl fmt::Display for NoTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.option, self.why)
    }
}

impl Stretch {
    /// Reads what was typed.
    pub(crate) fn asked(&self, now: Stamp) -> Result<Asked, NoTime> {
        let time = |option, text: &Option<String>| {
            let read = text.as_deref().map(|text| clocks::moment(text, now));
            read.transpose().map_err(|why| NoTime { option, why })
        };
        let east = self.utc_offset.as_deref().map(clocks::offset);
        let window = if let Some(around) = time("--around", &self.around)? {
            Some((
                around.plus_seconds(-AROUND_S),
                around.plus_seconds(AROUND_S),
            ))
        } else if self.since.is_some() || self.until.is_some() {
            let since = time("--since", &self.since)?.unwrap_or(Stamp(i64::MIN / 4));
            let until = time("--until", &self.until)?.unwrap_or(Stamp(i64::MAX / 4));
            if since > until {
                let (since, until) = (self.since.as_deref(), self.until.as_deref());
                let why = BadTime::reversed(since.unwrap_or(""), until.unwrap_or(""));
                return Err(NoTime {
                    option: "--since, --until",
                    why,
                });
            }
            Some((since, until))
        } else {
            None
        };
        Ok(Asked {
            window,
            east: east.transpose().map_err(|why| NoTime {
                option: "--utc-offset",
                why,
            })?,
        })
    }
}

impl Asked {
    /// Puts the facts where they belong, and leaves out the others.
    pub(crate) fn apply(self, facts: &mut Facts) {
        if let Some(east) = self.east {
            clocks::set_zone(facts, east);
        }
        if let Some((from, to)) = self.window {
            clocks::aligned(facts);
            clocks::only(facts, from, to);
        }
    }
}
