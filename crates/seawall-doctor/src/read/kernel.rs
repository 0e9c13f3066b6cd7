//! The kernel's log: dmesg and `journalctl -k`.

use std::mem::{Discriminant, discriminant};
use std::sync::{Arc, OnceLock};

use super::{Hit, Searcher};
use crate::facts::{Fact, Facts, Kept, KernelLine, Place, Spot};
use crate::rule::Need;
use crate::stamp::Stamp;
use crate::text::{Listened, Said, Text};

const KILLED: &str = "Killed process ";
const FLOODED: &str = "ossible SYN flooding on port ";

/// Whether this is a line of such a log.
pub(super) fn is(line: &str) -> bool {
    line.contains(" kernel: ") || boot_seconds(line).is_some() || meaning(line).is_some()
}

/// `[12345.678901] ..`
fn boot_seconds(line: &str) -> Option<f64> {
    let (seconds, _) = line.strip_prefix('[')?.split_once(']')?;
    let (whole, part) = seconds.trim().split_once('.')?;
    (part.len() == 6 && whole.chars().all(|c| c.is_ascii_digit()))
        .then(|| seconds.trim().parse().ok())?
}

pub(super) struct Kernel {
    source: Arc<str>,
    found: Kept<Discriminant<KernelLine>, KernelLine>,
    said: Kept<Text, Said>,
    timeless: bool,
}

impl Kernel {
    pub(super) fn new(name: &str) -> Self {
        Self {
            source: name.into(),
            found: Kept::default(),
            said: Kept::default(),
            timeless: false,
        }
    }
}

impl Searcher for Kernel {
    fn source(&self) -> Arc<str> {
        Arc::clone(&self.source)
    }

    fn listened(&self) -> &'static Listened {
        static LISTENED: OnceLock<Listened> = OnceLock::new();
        Listened::once(&LISTENED, Need::Kernel, [KILLED, FLOODED])
    }

    fn time(&self, line: &str) -> Option<Stamp> {
        iso(line)
    }

    fn line(&mut self, hit: &Hit<'_>) {
        let at = iso(&hit.line);
        self.timeless |= at.is_none();
        let place = Place {
            source: Arc::clone(&self.source),
            spot: Spot::Line(hit.number),
        };
        for what in self.listened().said(&hit.line, None) {
            let place = place.clone();
            self.said.push(what.text, Fact { at, place, what });
        }
        if let Some(what) = meaning(&hit.line) {
            self.found
                .push(discriminant(&what), Fact { at, place, what });
        }
    }

    fn end(&mut self, facts: &mut Facts) {
        facts.had.insert(Need::Kernel);
        if self.timeless {
            facts.assumed.insert(format!(
                "{}: its lines have no date (journalctl -k -o short-iso gives one): they are joined by process, not by time",
                self.source
            ));
        }
        let found = self.found.end(&self.source, facts);
        facts.kernel_log.extend(found);
        let said = self.said.end(&self.source, facts);
        facts.said.extend(said);
    }
}

/// `2026-11-23T02:58:11+0100 ..` or with a colon in its zone.
pub(super) fn iso(line: &str) -> Option<Stamp> {
    let number = |from: usize, to: usize| line.get(from..to)?.parse::<u32>().ok();
    let sign = |at: usize, sign: &[&str]| line.get(at..=at).is_some_and(|c| sign.contains(&c));
    if !(sign(4, &["-"]) && sign(7, &["-"]) && sign(10, &["T", " "]) && sign(13, &[":"])) {
        return None;
    }
    let date = (line.get(..4)?.parse().ok()?, number(5, 7)?, number(8, 10)?);
    let time = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let rest = line.get(19..)?;
    let (millis, rest) = match rest.strip_prefix(['.', ',']) {
        Some(part) => {
            let end = part
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(part.len());
            let padded = format!("{:0<3}", &part[..end]);
            (padded.get(..3)?.parse().ok()?, &part[end..])
        }
        None => (0, rest),
    };
    let at = Stamp::of(date, time, millis)?;
    Some(at.plus_seconds(-zone(rest)))
}

/// Seconds east of UTC.
fn zone(rest: &str) -> i64 {
    let digits: String = rest
        .chars()
        .skip(1)
        .take_while(|c| c.is_ascii_digit() || *c == ':')
        .filter(char::is_ascii_digit)
        .collect();
    let sign = match rest.chars().next() {
        Some('+') => 1,
        Some('-') => -1,
        _ => return 0,
    };
    let (Some(hours), Some(minutes)) = (digits.get(..2), digits.get(2..4)) else {
        return 0;
    };
    let parse = |text: &str| text.parse::<i64>().unwrap_or(0);
    sign * (parse(hours) * 3_600 + parse(minutes) * 60)
}

fn meaning(line: &str) -> Option<KernelLine> {
    if let Some(place) = line.find(KILLED) {
        let rest = &line[place + KILLED.len()..];
        let (pid, rest) = rest.split_once([' ', ','])?;
        let name = rest.split_once('(')?.1.split_once(')')?.0;
        return Some(KernelLine::OomKilled {
            pid: pid.parse().ok()?,
            name: name.to_owned(),
            cgroup: line.contains("emory cgroup out of memory"),
        });
    }
    let place = line.find(FLOODED)?;
    let rest = &line[place + FLOODED.len()..];
    let port = rest.split(['.', ' ']).next()?;
    // Newer kernels write the address before it.
    let port = port.rsplit(':').next()?;
    Some(KernelLine::SynFlood {
        port: port.parse().ok()?,
    })
}
