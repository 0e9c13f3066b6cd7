//! Clocks that are seconds off: by how much the clock of an application's log differs from that of a server's, as far as
//! what both tell of proves it.
//!
//! A connection ends at the server before its client can notice; nothing is refused while something listens, and nobody is
//! told LOADING but while data are loaded. Each such event leaves some differences possible and rules out the others. Where
//! no difference at all is among those that are left, the clocks agree as far as anybody can tell, and nothing is moved.
//! Else the smallest that is left is taken: what is proven to be off is put right, and no more.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::evidence::counted;
use crate::facts::{ClientLine, Fact, Facts, Failure, Line, Peer};
use crate::joined::journaled;
use crate::lives::Life;
use crate::stamp::Stamp;

/// More is a matter of zones, in milliseconds.
const SKEW_MAX: i64 = 450_000;

/// So much later than the server's line a client may notice that its connection ended.
const LATE: i64 = 90_000;

/// Who tells times in whole seconds tells them up to a second early.
const COARSE: i64 = 1_000;

/// Fewer refusals than that may be somebody else's.
const REFUSED_MIN: usize = 3;

/// More pairs are no more telling.
const PAIRS_MAX: usize = 1_000;

/// Differences that are possible: how much later the client's clock is than the server's, in milliseconds, both ends within.
type Span = (i64, i64);

/// Some of them, in order, none touching another.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Possible(Vec<Span>);

impl Possible {
    fn all() -> Self {
        Self(vec![(-SKEW_MAX, SKEW_MAX)])
    }

    /// What is also among those.
    fn within(&self, spans: &[Span]) -> Self {
        let both = self.0.iter().flat_map(|one| {
            spans.iter().filter_map(move |other| {
                let (from, to) = (one.0.max(other.0), one.1.min(other.1));
                (from <= to).then_some((from, to))
            })
        });
        let mut merged: Vec<Span> = Vec::new();
        let mut both: Vec<_> = both.collect();
        both.sort_unstable();
        for (from, to) in both {
            match merged.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => merged.push((from, to)),
            }
        }
        Self(merged)
    }

    /// The smallest, and between which ends it lies.
    fn smallest(&self) -> Option<(i64, Span)> {
        let near = |span: &&Span| 0_i64.clamp(span.0, span.1).abs();
        let span = self.0.iter().min_by_key(near)?;
        Some((0_i64.clamp(span.0, span.1), *span))
    }
}

/// What both logs tell of.
#[derive(Debug, Default)]
struct Shared {
    /// A connection's end, and when its client noticed.
    ends: Vec<(Stamp, Stamp)>,
    /// From when until when nothing may have listened; and the calls that were refused.
    down: Vec<(Stamp, Stamp)>,
    refused: Vec<Stamp>,
    /// From when until when data were loaded; and the calls that were told so.
    loads: Vec<(Stamp, Stamp)>,
    loading: Vec<Stamp>,
}

impl Shared {
    /// What it leaves possible, where times may be so coarse.
    fn leaves(&self, coarse: i64) -> Possible {
        let mut possible = Possible::all();
        for (end, noticed) in &self.ends {
            let apart = noticed.0 - end.0;
            possible = possible.within(&[(apart - LATE - coarse, apart + coarse)]);
        }
        for (calls, stretches) in [(&self.refused, &self.down), (&self.loading, &self.loads)] {
            for call in calls {
                let spans: Vec<_> = stretches
                    .iter()
                    .map(|(from, to)| {
                        let least = call.0.saturating_sub(to.0).saturating_sub(coarse);
                        let most = call.0.saturating_sub(from.0).saturating_add(coarse);
                        (least, most)
                    })
                    .collect();
                possible = possible.within(&spans);
            }
        }
        possible
    }

    /// Refusals alone may be those of another server. They are this one's where they last as long as it was down.
    fn is_telling(&self, skew: i64) -> bool {
        let lasts = |(from, to): &(Stamp, Stamp)| {
            let inside =
                |call: &&Stamp| (from.0 - COARSE..=to.0 + COARSE).contains(&(call.0 - skew));
            let mut calls = self.refused.iter().filter(inside);
            let span = calls.next().zip(calls.next_back());
            let known = *from > BEFORE && *to < AFTER;
            known && span.is_some_and(|(first, last)| (last.0 - first.0) * 2 >= to.0 - from.0)
        };
        !self.ends.is_empty() || !self.loading.is_empty() || self.down.iter().any(lasts)
    }

    fn words(&self) -> String {
        let mut parts = Vec::new();
        if !self.ends.is_empty() {
            parts.push(counted(
                self.ends.len(),
                "connection ends in both",
                "connections end in both",
            ));
        }
        if !self.refused.is_empty() {
            parts.push(format!(
                "{} calls were refused, which happens only while the server is down",
                self.refused.len()
            ));
        }
        if !self.loading.is_empty() {
            parts.push(format!("{} were told LOADING", self.loading.len()));
        }
        parts.join("; ")
    }
}

/// How much later a log is put, in milliseconds, and why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Skew {
    pub(crate) source: Arc<str>,
    pub(crate) later: i64,
    pub(crate) words: String,
}

/// What is proven to be off: at most one server's log decides on a client's.
pub(crate) fn found(facts: &Facts) -> Vec<Skew> {
    let lives = facts.lives();
    let mut clients: BTreeMap<&Arc<str>, Vec<&Fact<ClientLine>>> = BTreeMap::new();
    for fact in &facts.client_log {
        clients.entry(&fact.place.source).or_default().push(fact);
    }
    let mut found = Vec::new();
    for (client, lines) in clients {
        // A log of several kinds has one clock.
        let others = lives
            .iter()
            .filter(|life| life.lines.iter().all(|line| line.place.source != *client));
        let skews = others.filter_map(|life| skew(facts, client, &lines, life, lives.len() == 1));
        // Whoever proves most, by the fewest that are left possible.
        let best = skews.min_by_key(|(_, (from, to))| to - from);
        found.extend(best.map(|(skew, _)| skew));
    }
    found
}

fn skew(
    facts: &Facts,
    client: &Arc<str>,
    lines: &[&Fact<ClientLine>],
    life: &Life<'_>,
    alone: bool,
) -> Option<(Skew, Span)> {
    let shared = shared(facts, lines, life, alone)?;
    let (least, _) = shared.leaves(COARSE).smallest()?;
    if least == 0 {
        return None;
    }
    // What is told to the millisecond is taken by it, where that is possible.
    let exact = shared.leaves(0).smallest();
    let (taken, (from, to)) = exact.or_else(|| shared.leaves(COARSE).smallest())?;
    if !shared.is_telling(taken) {
        return None;
    }
    let seconds = |millis: i64| millis.abs() as f64 / 1_000.0;
    let (whose, least, most) = if taken < 0 {
        ("behind", to, from)
    } else {
        ("ahead of", from, to)
    };
    let least = seconds(least);
    let most = if most.abs() >= SKEW_MAX {
        String::new()
    } else {
        format!(", and by {:.1} s at most", seconds(most))
    };
    let words = format!(
        "{client}: its clock is {whose} that of {}, by {least:.1} s at least{most}: {}; its times are taken as {:.1} s {}",
        life.lines.first()?.place.source,
        shared.words(),
        seconds(taken),
        if taken < 0 { "later" } else { "earlier" },
    );
    let source = Arc::clone(client);
    // What follows upon something is told after it, not with it.
    let later = if taken < 0 {
        1 - taken.max(from + 1)
    } else {
        -(taken + 1).min(to)
    };
    Some((
        Skew {
            source,
            later,
            words,
        },
        (from, to),
    ))
}

fn shared(
    facts: &Facts,
    lines: &[&Fact<ClientLine>],
    life: &Life<'_>,
    alone: bool,
) -> Option<Shared> {
    let mut shared = Shared {
        ends: ends(facts, lines, life),
        ..Shared::default()
    };
    // A refusal names no process: it is this server's where there is no other.
    let servers = lines.iter().filter_map(|fact| fact.what.server.as_deref());
    let mut servers: Vec<_> = servers.collect();
    servers.sort_unstable();
    servers.dedup();
    if alone && servers.len() <= 1 {
        (shared.down, shared.loads) = stretches(facts, life);
        let from = life.lines.iter().find_map(|line| line.at)?;
        let to = life.lines.iter().rev().find_map(|line| line.at)?;
        let near = (Stamp(from.0 - SKEW_MAX), Stamp(to.0 + SKEW_MAX));
        let of = |failure: Failure| -> Vec<Stamp> {
            let calls = lines.iter().filter(|fact| fact.what.failure == failure);
            let times = calls.filter_map(|fact| fact.at);
            let mut times: Vec<_> = times.filter(|at| (near.0..=near.1).contains(at)).collect();
            times.sort_unstable();
            times.dedup();
            times
        };
        let refused = of(Failure::Refused);
        let ever_down = life.lines.iter().any(|line| is_end(&line.what.line));
        if refused.len() >= REFUSED_MIN && (ever_down || shared.down.len() > 2) {
            shared.refused = refused;
        }
        let loading = of(Failure::Loading);
        if shared.loads.len() > 2 {
            shared.loading = loading;
        }
    }
    let any = !shared.ends.is_empty() || !shared.refused.is_empty() || !shared.loading.is_empty();
    any.then_some(shared)
}

/// The ends of connections that both name, by the server's number of them or by an address that each names once.
fn ends(facts: &Facts, lines: &[&Fact<ClientLine>], life: &Life<'_>) -> Vec<(Stamp, Stamp)> {
    let mut by_address: BTreeMap<&str, Vec<Stamp>> = BTreeMap::new();
    for fact in lines {
        if let (Some(local), Some(at)) = (fact.what.local.as_deref(), fact.at) {
            by_address.entry(local).or_default().push(at);
        }
    }
    let closed = life.lines.iter().filter_map(|fact| match &fact.what.line {
        Line::OutputLimit(peer) | Line::QueryLimit(peer) | Line::Evicted(peer) => {
            Some((*fact, peer, fact.at?))
        }
        _ => None,
    });
    let closed: Vec<_> = closed.take(PAIRS_MAX).collect();
    let mut pairs = Vec::new();
    for (fact, peer, end) in &closed {
        let own = |told: &Fact<ClientLine>| lines.iter().any(|line| line.place == told.place);
        let noticed = journaled(facts, fact, peer)
            .filter(|told| own(told))
            .and_then(|told| told.at)
            .or_else(|| once(&by_address, &closed, peer));
        let near = |noticed: &Stamp| (noticed.0 - end.0).abs() <= SKEW_MAX + LATE;
        pairs.extend(noticed.filter(near).map(|noticed| (*end, noticed)));
    }
    pairs
}

/// When the client at that address noticed, where the address was used once: ports come again.
fn once<T>(
    by_address: &BTreeMap<&str, Vec<Stamp>>,
    closed: &[(T, &Peer, Stamp)],
    peer: &Peer,
) -> Option<Stamp> {
    let named = closed
        .iter()
        .filter(|(_, other, _)| other.addr == peer.addr);
    match by_address.get(&*peer.addr)?[..] {
        [noticed] if named.count() == 1 => Some(noticed),
        _ => None,
    }
}

fn is_end(line: &Line) -> bool {
    matches!(
        line,
        Line::Farewell | Line::Crashed(_) | Line::AllocationFailed
    )
}

/// Before a log begins, and after it ends.
const BEFORE: Stamp = Stamp(i64::MIN / 4);
const AFTER: Stamp = Stamp(i64::MAX / 4);

type Stretches = Vec<(Stamp, Stamp)>;

/// From when until when nothing may have listened, and data may have been loaded. What was before the log and comes after it
/// is not known: both may be.
fn stretches(facts: &Facts, life: &Life<'_>) -> (Stretches, Stretches) {
    let mut down = Vec::new();
    let mut loads = Vec::new();
    // When the process is known to have lived, and when it began.
    let (mut alive, mut began) = (BEFORE, BEFORE);
    let mut up = false;
    for fact in &life.lines {
        let Some(at) = fact.at else { continue };
        match &fact.what.line {
            Line::Started => {
                if alive == BEFORE {
                    loads.push((BEFORE, at));
                }
                down.push((alive, at));
                began = at;
                up = false;
            }
            Line::Ready if !up => {
                // It listens before it loads, and says so only afterwards.
                match down.last_mut() {
                    Some(last) => last.1 = at,
                    None => down.push((BEFORE, at)),
                }
                loads.push((began, at));
                up = true;
            }
            _ if alive == BEFORE => {
                down.push((BEFORE, at));
                loads.push((BEFORE, at));
                up = true;
            }
            _ => {}
        }
        alive = at;
    }
    // Its log goes on with lines that mean nothing, which it wrote all the same.
    let ended = life
        .lines
        .last()
        .is_some_and(|last| is_end(&last.what.line));
    let spans = life
        .lines
        .iter()
        .filter_map(|line| facts.spans.get(&line.place.source));
    let last = spans.map(|(_, to)| *to).max();
    alive = last.filter(|last| !ended && *last > alive).unwrap_or(alive);
    down.push((alive, AFTER));
    loads.push((if up { alive } else { began }, AFTER));
    (down, loads)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clocks::align;
    use crate::testing::{application, log, together};

    const DAY: i64 = 1_795_392_000_000;

    /// A server that ended and was started anew, at these times of the day in milliseconds.
    fn server(lives: &[(i64, i64)]) -> String {
        let line = |writer: String, millis: i64, words: &str| {
            let words_of = Stamp(DAY + millis).to_string();
            format!("{writer} 23 Nov 2026 {} {words}\n", &words_of[11..23])
        };
        let ready = "* Ready to accept connections";
        let mut lines = vec![line("10:M".to_owned(), 0, ready)];
        let mut last = 0;
        for ((end, up), pid) in lives.iter().zip(10..) {
            let next = pid + 1;
            let bye = "# Redis is now ready to exit, bye bye...";
            lines.push(line(format!("{pid}:M"), *end, bye));
            let starting = "* oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo";
            lines.push(line(format!("{next}:C"), up - 5, starting));
            lines.push(line(format!("{next}:M"), *up, ready));
            last = *up;
        }
        lines.push(line(
            "11:M".to_owned(),
            last + 600_000,
            "* DB saved on disk",
        ));
        lines.concat()
    }

    fn calls(times: &[i64], words: &str) -> String {
        let lines = times
            .iter()
            .map(|at| format!("{} {words}\n", Stamp(DAY + at)));
        lines.collect()
    }

    const REFUSED: &str =
        "redis.exceptions.ConnectionError: Error 111 connecting to cache:6379. Connection refused.";

    fn aligned(server: &str, client: &str) -> Facts {
        let mut facts = together([log(server), application(client)]);
        align(&mut facts);
        facts
    }

    fn said(facts: &Facts) -> Vec<&String> {
        let said = facts.assumed.iter();
        said.filter(|words| words.contains("its clock is"))
            .collect()
    }

    #[test]
    fn refusals_are_put_into_the_outage_and_that_is_said() {
        let server = server(&[(10_000, 20_000)]);
        let client = calls(&[6_500, 9_000, 12_000, 15_500], REFUSED);
        let facts = aligned(&server, &client);
        let first = facts.client_log[0].at.expect("a time");
        assert_eq!(first, Stamp(DAY + 10_001));
        assert_eq!(facts.spans["app.log"].0, first);
        let tally = facts.tallies.values().next().expect("they are counted");
        assert_eq!(tally.window.expect("times").0, first);
        let said = said(&facts);
        assert!(
            said[0].starts_with("app.log: its clock is behind that of redis.log, by 3.5 s at least, and by 4.5 s at most: 4 calls were refused"),
            "{said:?}"
        );
        assert!(
            said[0].ends_with("its times are taken as 3.5 s later"),
            "{said:?}"
        );
        // Ahead: the last of them came when it was up again.
        let facts = aligned(&server, &calls(&[14_000, 18_000, 23_000], REFUSED));
        assert_eq!(facts.client_log[2].at, Some(Stamp(DAY + 19_999)));
        // Once more changes nothing.
        let mut again = facts.clone();
        align(&mut again);
        assert_eq!(again, facts);
    }

    #[test]
    fn what_fits_and_what_may_be_anybodys_is_left_alone() {
        let server = server(&[(10_000, 20_000)]);
        for times in [
            // As they should be, and a second early, as who tells whole seconds has it.
            vec![10_500, 14_000, 19_000],
            vec![9_100, 12_000, 18_000],
            // Two, and such as last for no outage.
            vec![5_000, 12_000],
            vec![5_000, 5_100, 5_200],
            // More than one outage would hold.
            vec![1_000, 9_000, 19_000],
        ] {
            let facts = aligned(&server, &calls(&times, REFUSED));
            assert_eq!(said(&facts), Vec::<&String>::new(), "{times:?}");
            assert_eq!(facts.client_log[0].at, Some(Stamp(DAY + times[0])));
        }
        // Of two servers nobody knows whose they are.
        let mut two = together([
            log(&server),
            application(&calls(&[6_500, 9_000, 15_500], REFUSED)),
        ]);
        let mut other = log(&server);
        other.rename("redis.log", "other.log");
        two.add(other);
        two.sort();
        align(&mut two);
        assert_eq!(said(&two), Vec::<&String>::new());
    }

    #[test]
    fn a_connection_that_ends_in_both_ends_at_the_server_first() {
        let server = "9:M 23 Nov 2026 02:58:11.000 # Client id=8 addr=10.0.0.7:51234 name= flags=P omem=33600000 cmd=subscribe scheduled to be closed ASAP for overcoming of output buffer limits.\n";
        let client = "2026/11/23 02:58:04 redis: read tcp 10.0.0.7:51234->10.0.0.2:6379: read: connection reset by peer\n";
        let facts = aligned(server, client);
        let told = facts.client_log[0].at.expect("a time").to_string();
        assert_eq!(told, "2026-11-23T02:58:11.001Z");
        let said = said(&facts);
        assert!(said[0].contains("behind that of redis.log, by 7.0 s at least, and by 97.0 s at most: 1 connection ends in both"), "{said:?}");
        // A port that comes again proves nothing.
        let facts = aligned(&server.repeat(2), client);
        assert_eq!(
            facts.client_log[0].at.map(|at| at.to_string()).as_deref(),
            Some("2026-11-23T02:58:04.000Z")
        );
    }

    #[test]
    fn what_is_told_loading_was_told_while_data_were_loaded() {
        let server = "9:C 23 Nov 2026 02:58:00.000 * oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo
9:M 23 Nov 2026 02:58:30.000 * Ready to accept connections
9:M 23 Nov 2026 02:59:30.000 # Redis is now ready to exit, bye bye...
";
        let client = "2026-11-23T02:58:50Z redis.exceptions.BusyLoadingError: Redis is loading the dataset in memory\n";
        let facts = aligned(server, client);
        assert_eq!(
            facts.client_log[0].at.map(|at| at.to_string()).as_deref(),
            Some("2026-11-23T02:58:29.999Z")
        );
    }

    proptest! {
        #[test]
        fn an_estimate_moves_nothing_across_a_proven_order(
            outages in proptest::collection::vec((60_000_i64..400_000, 2_000_i64..60_000), 1..5),
            shares in proptest::collection::vec((0_usize..5, 0.0_f64..1.0), 3..30),
            skew in -400_000_i64..400_000,
        ) {
            let mut lives = Vec::new();
            let mut at = 500_000;
            for (up, down) in outages {
                lives.push((at + up, at + up + down));
                at += up + down;
            }
            let mut times: Vec<_> = shares
                .iter()
                .map(|(which, share)| {
                    let (end, ready) = lives[which % lives.len()];
                    end + ((ready - end) as f64 * share) as i64
                })
                .collect();
            times.sort_unstable();
            times.dedup();
            let told: Vec<_> = times.iter().map(|at| at + skew).collect();
            let before = aligned(&server(&lives), "2026-11-23T00:00:00Z redis.exceptions.ConnectionError: Connection closed by server.\n");
            prop_assert_eq!(said(&before).len(), 0);
            let facts = aligned(&server(&lives), &calls(&told, REFUSED));
            let put: Vec<_> = facts.client_log.iter().filter_map(|fact| Some(fact.at?.0 - DAY)).collect();
            // All of them by the same, so that none overtakes another.
            let moved: Vec<_> = put.iter().zip(&told).map(|(put, told)| put - told).collect();
            prop_assert!(moved.windows(2).all(|pair| pair[0] == pair[1]));
            let moved = moved[0];
            let fits = |by: i64| {
                told.iter().all(|at| {
                    let at = at + by;
                    let down = lives.iter().any(|(end, ready)| (end - COARSE..=ready + COARSE).contains(&at));
                    // Of what was before the log and came after it nothing is known.
                    down || at <= COARSE || at >= lives[lives.len() - 1].1 + 600_000 - COARSE
                })
            };
            if moved != 0 {
                // What is refused is refused while nothing listens, and less would not have done.
                prop_assert!(fits(moved));
                prop_assert!(!fits(0));
                prop_assert!(moved.abs() <= skew.abs() + 1);
                prop_assert_eq!(said(&facts).len(), 1);
            }
        }
    }
}
