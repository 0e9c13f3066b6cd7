//! Clocks that tell no zone: what they are off by, and the stretch of time that is asked for.
//!
//! A log without zones is read as UTC. Its zone is estimated from what it shares with another log: a connection that both
//! name, or an end of the server and the calls that failed with it. An estimate is always said, and used only where a single
//! zone fits.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::facts::{Fact, Facts, Failure, Line};
use crate::stamp::Stamp;

/// Zones lie a quarter of an hour apart, between twelve hours behind UTC and fourteen before.
const QUARTER_S: i64 = 900;
const ZONES: std::ops::RangeInclusive<i64> = -14 * 4..=14 * 4;

/// Those that are no whole hours from UTC, to the east or the west. There is no zone of a quarter of an hour, and a log
/// that is off by one has a clock that is.
const FRACTIONS: [i64; 11] = [10, 14, 18, 22, 23, 26, 35, 38, 42, 51, 55];

/// The zones that there are.
fn zones() -> impl Iterator<Item = i64> {
    ZONES.filter(|quarters| quarters % 4 == 0 || FRACTIONS.contains(&quarters.abs()))
}

/// So much later than its cause a client may notice it, and so much earlier by a clock that is a little off, in seconds.
const LATE_S: i64 = 90;
const EARLY_S: i64 = 5;

/// So soon after an end of the server its clients fail, in seconds, and so few of them may be there by chance.
const SOON_S: i64 = 30;
const BURST_MIN: usize = 3;

/// A zone that fits.
struct Estimate {
    quarters: i64,
    evidence: String,
}

/// Moves logs without zones to where they fit the others, and says so.
pub(crate) fn align(facts: &mut Facts) {
    for server in sources(&facts.server_log) {
        if !facts.zoneless.contains(&server) {
            continue;
        }
        let by_signal = by_signal(facts, &server).map(|quarters| {
            (
                quarters,
                "a signal and the shutdown after it are told in UTC and in its own time",
            )
        });
        let found = by_signal.or_else(|| {
            let quarters = by_look(facts, &server)?;
            Some((quarters, "by its INFO the process that answers began then"))
        });
        if let Some((quarters, why)) = found {
            let zone = name_of(quarters * QUARTER_S);
            let words = format!("{server}: its zone is taken as {zone}: {why}");
            shift(facts, &server, -quarters * QUARTER_S, &words);
            facts.zoneless.remove(&server);
        }
    }
    let clients: Vec<_> = sources(&facts.client_log);
    for client in clients {
        for server in sources(&facts.server_log) {
            let zoneless = |source| facts.zoneless.contains(source);
            // A log of several kinds has one clock.
            if client == server || !(zoneless(&client) || zoneless(&server)) {
                continue;
            }
            let whose = if zoneless(&client) { &client } else { &server };
            match estimate(facts, &client, &server) {
                Fit::AsRead => agree(facts, &client, &server),
                Fit::One(found) => {
                    let later = if *whose == client {
                        found.quarters
                    } else {
                        -found.quarters
                    };
                    let zone = name_of(-later * QUARTER_S);
                    let beside = if *whose == client { &server } else { &client };
                    let words = format!(
                        "{whose}: beside {beside} its zone is taken as {zone}, by an estimate: {}",
                        found.evidence
                    );
                    shift(facts, &Arc::clone(whose), later * QUARTER_S, &words);
                    agree(facts, &client, &server);
                    break;
                }
                Fit::Several(zones) => {
                    facts.assumed.insert(format!(
                        "{whose}: beside {server} several zones fit as well as each other ({zones}): none is used; --utc-offset tells the right one"
                    ));
                }
                Fit::None => {}
            }
        }
    }
    // Seconds are put right once hours are.
    for skew in crate::skews::found(facts) {
        shift_by(facts, &skew.source, skew.later);
        facts.assumed.insert(skew.words);
    }
}

/// Two logs are in one zone: where that of one is known, so is the other's, and it is a guess no more.
fn agree(facts: &mut Facts, client: &Arc<str>, server: &Arc<str>) {
    if !(facts.zoneless.contains(client) && facts.zoneless.contains(server)) {
        facts.zoneless.remove(client);
        facts.zoneless.remove(server);
    }
    let pair = (Arc::clone(client), Arc::clone(server));
    facts.in_one_zone.insert(pair);
}

/// Redis tells a signal in UTC, and within a second the shutdown after it in local time: quarters of an hour east of UTC.
fn by_signal(facts: &Facts, server: &Arc<str>) -> Option<i64> {
    let own = |fact: &&Fact<_>| fact.place.source == *server;
    let mut told: Vec<_> = facts.server_log.iter().filter(own).collect();
    told.sort_by(|one, other| one.place.cmp(&other.place));
    let pairs = told.windows(2).filter_map(|pair| {
        let is = matches!(pair[0].what.line, Line::Signalled(_))
            && pair[1].what.line == Line::ShuttingDown
            && pair[0].what.pid == pair[1].what.pid;
        let seconds = is.then(|| Some(pair[0].at?.seconds_to(pair[1].at?)))??;
        whole(seconds)
    });
    the_one(pairs)
}

/// A process that answers tells how long it is up, and its log when it began.
fn by_look(facts: &Facts, server: &Arc<str>) -> Option<i64> {
    let starts = facts.server_log.iter().filter(|fact| {
        fact.place.source == *server && fact.what.line == Line::Started && fact.at.is_some()
    });
    the_one(starts.filter_map(|start| {
        let pid = u64::from(start.what.pid?);
        let mut looks = facts.looks.iter();
        let look = looks.find(|look| look.number("process_id") == Some(pid))?;
        whole(look.began()?.seconds_to(start.at?))
    }))
}

/// So many seconds as quarters of an hour, where they are that and a zone has them.
fn whole(seconds: f64) -> Option<i64> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "two times are no further apart than an i64 holds"
    )]
    let quarters = (seconds / QUARTER_S as f64).round() as i64;
    let rest = seconds - (quarters * QUARTER_S) as f64;
    (zones().any(|zone| zone == quarters) && rest.abs() <= 5.0).then_some(quarters)
}

/// Summer and winter in one log are two zones.
fn the_one(zones: impl Iterator<Item = i64>) -> Option<i64> {
    let mut zones: Vec<_> = zones.collect();
    zones.dedup();
    match zones[..] {
        [quarters] => Some(quarters),
        _ => None,
    }
}

/// The same, for whoever leaves out facts by their time.
pub fn aligned(facts: &mut Facts) {
    facts.sort();
    align(facts);
}

enum Fit {
    None,
    AsRead,
    One(Estimate),
    Several(String),
}

fn estimate(facts: &Facts, client: &Arc<str>, server: &Arc<str>) -> Fit {
    let of_client: Vec<_> = facts
        .client_log
        .iter()
        .filter(|fact| fact.place.source == *client)
        .collect();
    let of_server: Vec<_> = facts
        .server_log
        .iter()
        .filter(|fact| fact.place.source == *server)
        .collect();
    // By address: the server closed this very connection.
    let mut closed: BTreeMap<&str, Option<Stamp>> = BTreeMap::new();
    for fact in &of_server {
        if let Line::OutputLimit(peer) | Line::QueryLimit(peer) | Line::Evicted(peer) =
            &fact.what.line
        {
            closed.insert(&peer.addr, fact.at);
        }
    }
    let pairs: Vec<_> = of_client
        .iter()
        .filter_map(|fact| {
            let local = fact.what.local.as_deref()?;
            Some(((*closed.get(local)?)?, fact.at?))
        })
        .collect();
    if !pairs.is_empty() {
        let scored = zones().map(|quarters| {
            let fits =
                |(cause, noticed): &&(Stamp, Stamp)| follows(*cause, *noticed, quarters, LATE_S);
            (quarters, pairs.iter().filter(fits).count())
        });
        let all = pairs.len();
        return best(&scored.collect::<Vec<_>>(), |count| {
            format!("{count} of {all} connections that both name then end within {LATE_S} s")
        });
    }
    // By what the server's ends did to everybody.
    let mut ends: Vec<_> = of_server
        .iter()
        .filter(|fact| {
            matches!(
                fact.what.line,
                Line::Farewell | Line::Crashed(_) | Line::AllocationFailed | Line::ShuttingDown
            )
        })
        .filter_map(|fact| fact.at)
        .collect();
    ends.sort();
    ends.dedup_by_key(|at| at.0.div_euclid(10_000));
    let lost: Vec<_> = of_client
        .iter()
        .filter(|fact| {
            matches!(
                fact.what.failure,
                Failure::Refused | Failure::Reset | Failure::Closed | Failure::Loading
            )
        })
        .filter_map(|fact| fact.at)
        .collect();
    // Once may be by chance; a whole hour hardly is. Fractions of one are rare, and need more.
    let scored = zones().map(|quarters| {
        let struck = |end: &&Stamp| {
            let near = lost
                .iter()
                .filter(|at| follows(**end, **at, quarters, SOON_S));
            near.take(BURST_MIN).count() == BURST_MIN
        };
        let count = ends.iter().filter(struck).count();
        let enough = count > 1 || quarters % 4 == 0;
        (quarters, if enough { count } else { 0 })
    });
    let all = ends.len();
    best(&scored.collect::<Vec<_>>(), |count| {
        format!("{count} of {all} ends of the server then have calls that failed within {SOON_S} s")
    })
}

/// Whether the client noticed it in time, if its log is put that many quarters of an hour later.
fn follows(cause: Stamp, noticed: Stamp, quarters: i64, late_s: i64) -> bool {
    let after = cause.seconds_to(noticed.plus_seconds(quarters * QUARTER_S));
    (-(EARLY_S as f64)..=late_s as f64).contains(&after)
}

fn best(scored: &[(i64, usize)], words: impl Fn(usize) -> String) -> Fit {
    let most = scored.iter().map(|(_, count)| *count).max().unwrap_or(0);
    if most == 0 {
        return Fit::None;
    }
    let fits: Vec<_> = scored
        .iter()
        .filter(|(_, count)| *count == most)
        .map(|(quarters, _)| *quarters)
        .collect();
    if fits == [0] {
        return Fit::AsRead;
    }
    // As it was read fits as well as any: nothing speaks for another zone.
    if fits.contains(&0) {
        return Fit::None;
    }
    if let [quarters] = fits[..] {
        let evidence = words(most);
        return Fit::One(Estimate { quarters, evidence });
    }
    let first = fits.iter().take(4);
    let names: Vec<_> = first
        .map(|quarters| name_of(-quarters * QUARTER_S))
        .collect();
    Fit::Several(names.join(", "))
}

fn sources<T>(facts: &[Fact<T>]) -> Vec<Arc<str>> {
    let mut all: Vec<_> = facts
        .iter()
        .map(|fact| Arc::clone(&fact.place.source))
        .collect();
    all.sort();
    all.dedup();
    all
}

/// `UTC+01:00`, for seconds east of it.
pub fn name_of(seconds: i64) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    format!("UTC{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

const OFFSET: &str = "an offset from UTC: +01:00, -0530, Z";

/// Seconds east of UTC: `+01:00`, `-0530`, `+1`, `UTC+2`, `Z`.
pub fn offset(text: &str) -> Result<i64, BadTime> {
    let bad = || BadTime::of(text, OFFSET);
    let rest = text.strip_prefix("UTC").unwrap_or(text);
    if rest.is_empty() || rest == "Z" {
        return Ok(0);
    }
    let (sign, rest) = match rest.split_at_checked(1) {
        Some(("+", rest)) => (1, rest),
        Some(("-", rest)) => (-1, rest),
        _ => return Err(bad()),
    };
    let (hours, minutes) = match (rest.split_once(':'), rest.len()) {
        (Some(both), _) => both,
        (None, 4) if rest.is_ascii() => rest.split_at(2),
        (None, 1 | 2) => (rest, "0"),
        _ => return Err(bad()),
    };
    let number = |text: &str| text.parse::<u8>().ok().map(i64::from);
    match (number(hours), number(minutes)) {
        (Some(hours @ 0..=14), Some(minutes @ 0..=59)) => Ok(sign * (hours * 3_600 + minutes * 60)),
        _ => Err(bad()),
    }
}

/// Reads the logs without zones as that many seconds east of UTC.
pub fn set_zone(facts: &mut Facts, east: i64) {
    let zoneless: Vec<_> = facts.zoneless.iter().cloned().collect();
    for source in zoneless {
        let words = format!(
            "{source}: its times are taken as {}, as was told",
            name_of(east)
        );
        shift(facts, &source, -east, &words);
        facts.zoneless.remove(&source);
    }
}

/// Puts what a log tells that much later, and says `words` in place of what was assumed of its zone.
fn shift(facts: &mut Facts, source: &Arc<str>, seconds: i64, words: &str) {
    shift_by(facts, source, seconds * 1_000);
    let before = format!("{source}: its times are taken as UTC");
    facts.assumed.retain(|known| !known.starts_with(&before));
    facts.assumed.insert(words.to_owned());
}

/// Puts what a log tells so many milliseconds later.
fn shift_by(facts: &mut Facts, source: &Arc<str>, millis: i64) {
    fn of<T>(facts: &mut [Fact<T>], source: &Arc<str>, millis: i64, is: impl Fn(&Fact<T>) -> bool) {
        for fact in facts {
            if fact.place.source == *source && is(fact) {
                fact.at = fact.at.map(|at| at.plus_millis(millis));
            }
        }
    }
    // A signal's line tells UTC, whatever the others do.
    let signalled = |line: &Line| matches!(line, Line::Signalled(_));
    of(&mut facts.server_log, source, millis, |fact| {
        !signalled(&fact.what.line)
    });
    of(&mut facts.client_log, source, millis, |_| true);
    of(&mut facts.kernel_log, source, millis, |_| true);
    of(&mut facts.said, source, millis, |_| true);
    of(&mut facts.journal, source, millis, |_| true);
    if let Some((from, to)) = facts.spans.get_mut(source) {
        (*from, *to) = (from.plus_millis(millis), to.plus_millis(millis));
    }
    for ((of, _), tally) in &mut facts.tallies {
        if of == source {
            tally.shift(millis);
        }
    }
}

/// A time or a span that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {wanted}")]
pub struct BadTime {
    text: String,
    wanted: &'static str,
}

impl BadTime {
    fn of(text: &str, wanted: &'static str) -> Self {
        // A URL in a wrong place may have a password in it.
        let shown = if text.contains('@') { "(a URL)" } else { text };
        let text = shown.chars().filter(|c| !c.is_control()).take(60).collect();
        Self { text, wanted }
    }

    /// A stretch that ends before it begins.
    pub fn reversed(since: &str, until: &str) -> Self {
        Self::of(
            &format!("{since} .. {until}"),
            "a stretch of time: it ends before it begins",
        )
    }

    /// What may stand there.
    pub fn hint(&self) -> &'static str {
        if self.wanted == OFFSET {
            return "the zone that the logs were written in, as hours east of UTC";
        }
        "times are UTC unless they tell their zone: 2026-11-23T02:58:11Z, 2026-11-23T03:58+01:00, 02:58 (the last one), or a span before now: 15m, 2h, 3d"
    }
}

/// A time as a person writes it: a date with a time, a time of day (the last one), or a span before now.
pub fn moment(text: &str, now: Stamp) -> Result<Stamp, BadTime> {
    let bad = || BadTime::of(text, "a time or a span");
    let plain = text.trim();
    if plain == "now" {
        return Ok(now);
    }
    if let Some(seconds) = span(plain) {
        return Ok(now.plus_seconds(-seconds));
    }
    // Seconds may be left out.
    let whole = with_seconds(plain);
    if let Some(at) = crate::read::moment(&whole, now) {
        return Ok(at);
    }
    let today = now.to_string();
    let (date, _) = today.split_once('T').ok_or_else(bad)?;
    let at = crate::read::moment(&format!("{date}T{whole}"), now).ok_or_else(bad)?;
    Ok(if at > now {
        at.plus_seconds(-86_400)
    } else {
        at
    })
}

fn with_seconds(text: &str) -> String {
    if text.len() == 10 && text.as_bytes()[4] == b'-' {
        return format!("{text}T00:00:00");
    }
    let Some(colon) = text.find(':') else {
        return text.to_owned();
    };
    let after = colon + 3;
    let more = text.get(after..).unwrap_or("");
    match text.get(..after) {
        Some(front) if !more.starts_with(':') => format!("{front}:00{more}"),
        _ => text.to_owned(),
    }
}

/// `90s`, `15m`, `2h`, `3d`, `1h30m`, in seconds.
fn span(text: &str) -> Option<i64> {
    let mut rest = text.strip_prefix('-').unwrap_or(text);
    let mut seconds = 0_i64;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: i64 = rest[..end].parse().ok()?;
        let unit = match rest[end..].chars().next()? {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        rest = &rest[end + 1..];
        rest = rest.strip_prefix("in").unwrap_or(rest);
        seconds = seconds.checked_add(number.checked_mul(unit)?)?;
    }
    (!text.is_empty()).then_some(seconds)
}

/// Keeps the facts of a stretch of time, and those without a time. Looks at servers are of now, and stay.
pub fn only(facts: &mut Facts, from: Stamp, to: Stamp) {
    fn of<T>(facts: &mut Vec<Fact<T>>, from: Stamp, to: Stamp) -> usize {
        let inside = |at: Stamp| (from..=to).contains(&at);
        facts.retain(|fact| fact.at.is_none_or(inside));
        facts.iter().filter(|fact| fact.at.is_none()).count()
    }
    let timeless = of(&mut facts.server_log, from, to)
        + of(&mut facts.client_log, from, to)
        + of(&mut facts.kernel_log, from, to)
        + of(&mut facts.containers, from, to)
        + of(&mut facts.provider, from, to);
    of(&mut facts.said, from, to);
    of(&mut facts.journal, from, to);
    for look in &mut facts.looks {
        look.slow.retain(|slow| (from..=to).contains(&slow.at));
    }
    facts.failures = facts.client_log.len() as u64;
    for tally in facts.tallies.values_mut() {
        tally.only(from, to);
    }
    facts.tallies.retain(|_, tally| tally.count > 0);
    let kept = match timeless {
        0 => String::new(),
        many => format!("; {many} lines without a time are looked at too"),
    };
    facts.assumed.insert(format!(
        "no more is looked at than from {from} to {to}{kept}"
    ));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::facts::{Look, Reach};
    use crate::testing::{application, log};

    fn now() -> Stamp {
        Stamp::of((2026, 11, 24), (1, 0, 0), 0).expect("a date")
    }

    const STOP: &str = "9:M 23 Nov 2026 02:58:11.150 # Redis is now ready to exit, bye bye...\n";

    fn refused(hour: u32, times: usize) -> Facts {
        let line = format!(
            "2026-11-23 {hour:02}:58:12,042 ERROR Error 111 connecting to cache:6379. Connection refused.\n"
        );
        application(&line.repeat(times))
    }

    fn hour_of(facts: &Facts) -> String {
        facts.client_log[0].at.expect("a time").to_string()[11..13].to_owned()
    }

    #[test]
    fn a_zone_is_estimated_from_the_servers_end_and_said() {
        let mut facts = log(STOP);
        facts.add(refused(3, 5));
        align(&mut facts);
        assert_eq!(hour_of(&facts), "02");
        let said: Vec<_> = facts
            .assumed
            .iter()
            .filter(|words| words.starts_with("app.log"))
            .collect();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(
            said[0].contains("UTC+01:00, by an estimate: 1 of 1 ends"),
            "{said:?}"
        );
        // The tallies come along.
        let tally = facts.tallies.values().next().expect("one kind");
        assert_eq!(
            tally.window.expect("times").0,
            facts.client_log[0].at.expect("a time")
        );
    }

    #[test]
    fn what_fits_as_it_is_and_what_fits_in_several_zones_is_left() {
        let mut facts = log(STOP);
        facts.add(refused(2, 5));
        align(&mut facts);
        assert_eq!(hour_of(&facts), "02");
        let mut facts = log(STOP);
        facts.add(refused(3, 5));
        facts.add(refused(5, 5));
        align(&mut facts);
        assert_eq!(hour_of(&facts), "03");
        assert!(
            facts
                .assumed
                .iter()
                .any(|words| words.contains("several zones fit")),
            "{:?}",
            facts.assumed
        );
        // Too few to be more than chance.
        let mut facts = log(STOP);
        facts.add(refused(3, 2));
        align(&mut facts);
        assert_eq!(hour_of(&facts), "03");
    }

    #[test]
    fn a_process_that_answers_tells_the_zone_of_its_log() {
        let zone = |pid: u64, seconds: u32| {
            let mut facts = log(&format!(
                "9:C 23 Nov 2026 03:58:{seconds:02}.042 * oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo\n"
            ));
            let at = Stamp::of((2026, 11, 23), (3, 0, 0), 0);
            let mut look = Look::new("cache:6379", at, Reach::Answered);
            for (field, value) in [("process_id", pid), ("uptime_in_seconds", 110)] {
                look.info.insert(field.to_owned(), value.to_string());
            }
            facts.looks.push(look);
            align(&mut facts);
            facts.server_log[0].at.expect("a time").to_string()[11..13].to_owned()
        };
        assert_eq!(zone(9, 10), "02");
        // Of another process, and of one of that number on another host.
        assert_eq!([zone(8, 10), zone(9, 40)], ["03", "03"]);
    }

    #[test]
    fn a_zone_that_what_happened_confirms_is_a_guess_no_more() {
        let signal = "9:signal-handler (1795402691) Received SIGTERM scheduling shutdown...\n\
9:M 23 Nov 2026 02:58:11.142 # User requested shutdown...\n";
        let mut facts = log(&format!("{signal}{STOP}"));
        facts.add(refused(2, 5));
        align(&mut facts);
        assert!(facts.zoneless.is_empty(), "{:?}", facts.zoneless);
        // Neither tells its zone: they are in the same one, whichever that is.
        let mut facts = log(STOP);
        facts.add(refused(2, 5));
        align(&mut facts);
        assert_eq!(facts.zoneless.len(), 2);
        assert_eq!(facts.in_one_zone.len(), 1);
    }

    #[test]
    fn a_zone_that_is_told_is_never_estimated() {
        let mut facts = log(STOP);
        let line = "2026-11-23T05:58:12Z Error 111 connecting to cache:6379. Connection refused.\n";
        facts.add(application(&line.repeat(5)));
        align(&mut facts);
        // The server's log tells none: it is the one that moves.
        assert_eq!(hour_of(&facts), "05");
        assert_eq!(
            facts.server_log[0].at.expect("a time").to_string(),
            "2026-11-23T05:58:11.150Z"
        );
        let mut facts = log(&STOP.replace("9:M", "2026-11-23T02:58:11.150123456Z 9:M"));
        facts.add(application(&line.repeat(5)));
        align(&mut facts);
        assert_eq!(
            facts.server_log[0].at.expect("a time").to_string(),
            "2026-11-23T02:58:11.150Z"
        );
    }

    #[test]
    fn a_signal_tells_the_zone_of_its_own_log() {
        let text = "9:signal-handler (1795402691) Received SIGTERM scheduling shutdown...
9:M 23 Nov 2026 03:58:11.042 # User requested shutdown...
9:M 23 Nov 2026 03:58:11.150 # Redis is now ready to exit, bye bye...
";
        let mut facts = log(text);
        align(&mut facts);
        let times: Vec<_> = facts
            .server_log
            .iter()
            .map(|fact| fact.at.expect("a time").to_string())
            .collect();
        assert_eq!(
            times,
            [
                "2026-11-23T02:58:11.000Z",
                "2026-11-23T02:58:11.042Z",
                "2026-11-23T02:58:11.150Z"
            ]
        );
        assert!(
            facts
                .assumed
                .iter()
                .any(|words| words.contains("UTC+01:00")),
            "{:?}",
            facts.assumed
        );
        assert!(facts.zoneless.is_empty());
    }

    #[test]
    fn a_connection_that_both_name_is_enough() {
        let closed = "9:M 23 Nov 2026 02:58:11.000 # Client id=8 addr=10.0.0.7:51234 name= flags=P omem=33600000 cmd=subscribe scheduled to be closed ASAP for overcoming of output buffer limits.\n";
        let mut facts = log(closed);
        facts.add(application("2026/11/22 21:58:40 redis: read tcp 10.0.0.7:51234->10.0.0.2:6379: read: connection reset by peer\n"));
        align(&mut facts);
        assert_eq!(hour_of(&facts), "02");
        assert!(
            facts
                .assumed
                .iter()
                .any(|words| words.contains("UTC-05:00")),
            "{:?}",
            facts.assumed
        );
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        let at = |text: &str| moment(text, now()).map(|at| at.to_string());
        for (text, told) in [
            ("2026-11-23T02:58:11Z", "2026-11-23T02:58:11.000Z"),
            ("2026-11-23 02:58", "2026-11-23T02:58:00.000Z"),
            ("2026-11-23T03:58+01:00", "2026-11-23T02:58:00.000Z"),
            ("2026-11-23", "2026-11-23T00:00:00.000Z"),
            ("02:58", "2026-11-23T02:58:00.000Z"),
            ("00:58:11", "2026-11-24T00:58:11.000Z"),
            ("15m", "2026-11-24T00:45:00.000Z"),
            ("1h30m", "2026-11-23T23:30:00.000Z"),
            ("2d", "2026-11-22T01:00:00.000Z"),
            ("now", "2026-11-24T01:00:00.000Z"),
        ] {
            assert_eq!(at(text).as_deref(), Ok(told), "{text}");
        }
        for text in [
            "",
            "yesterday",
            "25:00",
            "2026-13-01",
            "15",
            "m",
            "99999999999999999999d",
        ] {
            let error = at(text).expect_err(text);
            assert!(error.to_string().contains("is not a time"), "{error}");
        }
        assert_eq!(offset("+01:00"), Ok(3_600));
        assert_eq!(offset("-0530"), Ok(-19_800));
        assert_eq!(offset("UTC+2"), Ok(7_200));
        for text in ["", "1", "+25", "+01:99", "CET", "+é:00"] {
            assert_eq!(offset(text).is_ok(), text.is_empty(), "{text}");
        }
    }

    #[test]
    fn a_stretch_of_time_leaves_out_what_is_around_it() {
        let mut facts = log(&format!("{STOP}{}", STOP.replace("02:58", "05:58")));
        facts.add(refused(2, 3));
        facts.add(refused(9, 4));
        let at = |text| moment(text, now()).expect("a time");
        only(&mut facts, at("2026-11-23T02:00"), at("2026-11-23T03:00"));
        assert_eq!(
            (
                facts.server_log.len(),
                facts.client_log.len(),
                facts.failures
            ),
            (1, 3, 3)
        );
        assert_eq!(
            facts.tallies.values().map(|tally| tally.count).sum::<u64>(),
            3
        );
    }

    #[test]
    fn logs_without_a_zone_are_put_where_they_are_told_to_be() {
        let mut facts = log(STOP);
        set_zone(&mut facts, 3_600);
        assert_eq!(
            facts.server_log[0].at.expect("a time").to_string(),
            "2026-11-23T01:58:11.150Z"
        );
        assert!(facts.zoneless.is_empty());
        assert_eq!(facts.assumed.len(), 1);
    }

    proptest! {
        #[test]
        fn no_words_make_it_panic(text in "([0-9]{1,20}|[-+:TZdhmsw ]|UTC|\u{e9}){0,8}") {
            let _ = moment(&text, now());
            let _ = offset(&text);
        }
    }
}
