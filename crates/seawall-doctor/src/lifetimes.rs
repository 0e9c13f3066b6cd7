//! The starts of a server, and what each began with, as its log tells.

use crate::facts::{Fact, Facts, Line, Place, ServerLine};
use crate::lives::Life;
use crate::stamp::Stamp;
use crate::text::{Keeps, Said, Text};

/// `keys loaded: 1002, keys expired: 0.`, since 6.2.
const READ: Text = Text::server("Done loading RDB, keys loaded: ").keeping(Keeps::Rest);
/// How old a dump was when it was read, in seconds, since 6.2.
const AGE: Text = Text::server("RDB age ").keeping(Keeps::Word);
const SAVED: Text = Text::server("DB saved on disk");
/// The append-only file began anew at the start: there was none. Since 7.0.
const ANEW: Text = Text::server("Creating AOF base file ");
/// What was read is the append-only file: numbers and age are those of its beginning, and say nothing.
const OF_AOF: &[Text] = &[
    Text::server("DB loaded from append only file"),
    Text::server("DB loaded from base file"),
    Text::server("Reading RDB preamble from AOF file"),
];

/// For the rule that listens for them.
pub(crate) const TEXTS: &[Text] = &[READ, AGE, SAVED, ANEW, OF_AOF[0], OF_AOF[1], OF_AOF[2]];

/// One start.
#[derive(Debug)]
pub(crate) struct Lifetime<'a> {
    /// Its first line.
    pub start: &'a Fact<ServerLine>,
    /// The last line before it in the same log: until then the server lived.
    pub before: Option<&'a Fact<ServerLine>>,
    /// There were data before: a save, or a start that read some.
    pub had_data: Option<&'a Fact<Said>>,
    /// It took connections.
    pub ready: Option<&'a Fact<ServerLine>>,
    /// It read a file, of whatever kind.
    pub loaded: bool,
    /// How many keys it read, and how many of the file had expired.
    pub read: Option<(&'a Fact<Said>, u64, u64)>,
    /// How old the dump was, in seconds.
    pub age: Option<(&'a Fact<Said>, i64)>,
    /// It began the append-only file anew.
    pub anew: Option<&'a Fact<Said>>,
}

/// Where something stands among the lines of one log.
type Key<'a> = (Option<Stamp>, &'a Place);

fn key<T>(fact: &Fact<T>) -> Key<'_> {
    (fact.at, &fact.place)
}

/// That there were data, by the same log, before that line: a save, or a start that read some.
pub(crate) fn had_data<'a, T>(facts: &'a Facts, before: &Fact<T>) -> Option<&'a Fact<Said>> {
    let logs = facts.logs();
    let log = logs.get(&*before.place.source)?;
    let said = facts.said.iter().filter(|fact| tells_of_data(fact));
    said.filter(|fact| logs.get(&*fact.place.source) == Some(log) && key(*fact) < key(before))
        .last()
}

fn tells_of_data(fact: &Fact<Said>) -> bool {
    fact.what.text == SAVED || (fact.what.text == READ && fact.what.number() > Some(0))
}

/// Those of each server, in the order of time.
pub(crate) fn lifetimes(facts: &Facts) -> Vec<Lifetime<'_>> {
    let logs = facts.logs();
    let mut all = Vec::new();
    for life in facts.lives() {
        let words: Vec<_> = facts
            .said
            .iter()
            .filter(|fact| TEXTS.contains(&fact.what.text))
            .filter(|fact| logs[&*fact.place.source] == life.log)
            .collect();
        let starts: Vec<_> = life
            .lines
            .iter()
            .copied()
            .filter(|fact| fact.what.line == Line::Started)
            .collect();
        for (place, start) in starts.iter().enumerate() {
            let next = starts.get(place + 1).map(|next| key(*next));
            all.push(one(&life, &words, start, next));
        }
    }
    all
}

fn one<'a>(
    life: &Life<'a>,
    words: &[&'a Fact<Said>],
    start: &'a Fact<ServerLine>,
    next: Option<Key<'_>>,
) -> Lifetime<'a> {
    let lines = || life.lines.iter().copied();
    let ready = lines().find(|fact| fact.what.line == Line::Ready && key(fact) > key(start));
    let ready = ready.filter(|ready| next.is_none_or(|next| key(ready) < next));
    // What comes once it is ready is no part of the start.
    let end = ready.map(key).or(next);
    let of_it = |at: Key<'_>| at > key(start) && end.is_none_or(|end| at < end);
    let loaded = |fact: &Fact<ServerLine>| matches!(fact.what.line, Line::Loaded(_));
    let mut lifetime = Lifetime {
        start,
        before: lines().rfind(|fact| key(fact) < key(start)),
        had_data: None,
        ready,
        loaded: lines().any(|fact| loaded(fact) && of_it(key(fact))),
        read: None,
        age: None,
        anew: None,
    };
    let mut of_aof = false;
    for fact in words.iter().copied() {
        let text = fact.what.text;
        if key(fact) < key(start) {
            if tells_of_data(fact) {
                lifetime.had_data = Some(fact);
            }
        } else if !of_it(key(fact)) {
            break;
        } else if text == READ {
            lifetime.read = keys(&fact.what.rest).map(|(keys, expired)| (fact, keys, expired));
        } else if text == AGE {
            lifetime.age = fact.what.rest.parse().ok().map(|age| (fact, age));
        } else if text == ANEW {
            lifetime.anew = Some(fact);
        } else if OF_AOF.contains(&text) {
            of_aof = true;
        }
    }
    if of_aof {
        lifetime.loaded = true;
        lifetime.read = None;
        lifetime.age = None;
    }
    lifetime
}

/// `1002, keys expired: 4.`
fn keys(rest: &str) -> Option<(u64, u64)> {
    let mut numbers = rest
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok());
    Some((numbers.next()?, numbers.next()?))
}
