//! Whether the server stayed up: the first that an operator asks.

use std::collections::BTreeMap;

use crate::container::News;
use crate::facts::{Facts, Look, Reach, addr, flagged, span};
use crate::lives::Life;
use crate::stamp::Stamp;

/// Whether the server stayed up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Uptime {
    /// It did, as far as the facts reach; in words.
    Stayed(String),
    /// It did not; in words.
    Ended(String),
    /// Nothing tells; in words, why.
    Unknown(String),
}

/// What the facts tell of it, the surest first.
pub(crate) fn uptime(facts: &Facts) -> Uptime {
    let lives = facts.lives();
    let told = lives.iter().filter_map(|life| Some((ended(life)?, life)));
    // Of several servers the one that ended last.
    if let Some(((_, words), life)) = told.max_by_key(|((at, _), _)| *at) {
        let whose = match lives.len() {
            1 => String::new(),
            _ => format!(", of {}", life.log),
        };
        return Uptime::Ended(format!("no{whose}: {words}"));
    }
    if let Some(words) = container_ended(facts).or_else(|| another_run(facts)) {
        return Uptime::Ended(format!("no: {words}"));
    }
    if let Some(look) = facts.looks.iter().find(|look| look.reach == Reach::Refused) {
        return Uptime::Ended(format!("no: nothing listens at {}", look.source));
    }
    let mut runs: Vec<_> = facts.looks.iter().filter_map(run_in_words).collect();
    runs.dedup();
    if !runs.is_empty() {
        return Uptime::Stayed(format!("yes: {}", runs.join("; ")));
    }
    if let Some(words) = covered(facts, &lives) {
        return Uptime::Stayed(words);
    }
    Uptime::Unknown(match facts.looks.first() {
        Some(look) if look.is_sentinel() => format!("unknown: {}", of_sentinel(look)),
        Some(look) if look.reach == Reach::Answered => format!(
            "unknown: {} answers, and does not say since when (INFO had no answer)",
            look.source
        ),
        Some(look) => format!("unknown: {} did not tell", look.source),
        None => "unknown: no server was looked at, and no log tells".to_owned(),
    })
}

/// When one server ended last, and how, if its log tells of an end.
fn ended(life: &Life<'_>) -> Option<(Option<Stamp>, String)> {
    let sudden = life.sudden_ends();
    let farewell = life.last_end();
    if let Some((last, start)) = sudden.last()
        && farewell.is_none_or(|(fact, _)| fact.at <= last.at)
    {
        let words = format!(
            "it began again{} without a farewell{} ({})",
            start.at.map_or_else(String::new, |at| format!(" at {at}")),
            times(sudden.len()),
            start.place
        );
        return Some((start.at, words));
    }
    let (fact, how) = farewell?;
    let at = fact.at.map_or_else(String::new, |at| format!(" at {at}"));
    let back = match life.start_after(fact) {
        Some(start) => match (start.at, fact.at) {
            (Some(start), Some(end)) => {
                format!(", and began again {:.0} s later", end.seconds_to(start))
            }
            _ => ", and began again".to_owned(),
        },
        None => ", and is not seen to come back".to_owned(),
    };
    Some((fact.at, format!("{how}{at}{back} ({})", fact.place)))
}

fn times(count: usize) -> String {
    match count {
        1 => String::new(),
        count => format!(", the last of {count} times"),
    }
}

/// The last end of a server's container.
fn container_ended(facts: &Facts) -> Option<String> {
    let ends = facts.containers.iter().filter_map(|fact| {
        let News::Ended { reason, exit } = &fact.what.news else {
            return None;
        };
        fact.what.container.serves.then_some((fact, reason, exit))
    });
    let (fact, reason, exit) = ends.max_by_key(|(fact, ..)| fact.at)?;
    let at = fact.at.map_or_else(String::new, |at| format!(" at {at}"));
    Some(format!(
        "{} ended{at}: {reason}, exit code {exit} ({})",
        fact.what.container.label(),
        fact.place.source
    ))
}

/// Two looks at one server found two of its runs.
fn another_run(facts: &Facts) -> Option<String> {
    let mut runs: BTreeMap<_, &str> = BTreeMap::new();
    for look in &facts.looks {
        let (Some(run), Reach::Answered) = (look.info.get("run_id"), &look.reach) else {
            continue;
        };
        if look.is_sentinel() {
            continue;
        }
        if let Some(before) = runs.insert(&look.source, run)
            && before != run
        {
            return Some(format!(
                "{} is another run than it was before (run_id {}, then {})",
                look.source,
                short(before),
                short(run)
            ));
        }
    }
    None
}

/// What a Sentinel tells of the servers that it watches: it is none of them.
fn of_sentinel(look: &Look) -> String {
    let mut words = format!("{} is a Sentinel, and no server", look.source);
    for watched in &look.watched {
        let down = |instance: &BTreeMap<String, String>| {
            flagged(instance, "s_down") || flagged(instance, "o_down")
        };
        let state = if down(&watched.primary) {
            ", which it holds to be down"
        } else {
            ""
        };
        words = format!(
            "{words}; the primary of {} is {}{state}",
            watched.name,
            watched.addr()
        );
        let gone: Vec<_> = watched
            .replicas
            .iter()
            .filter(|one| down(one))
            .map(addr)
            .collect();
        if !gone.is_empty() {
            words = format!("{words}, and {} is down", gone.join(", "));
        }
    }
    words
}

fn run_in_words(look: &Look) -> Option<String> {
    if !matches!(look.reach, Reach::Answered | Reach::Pasted) || look.is_sentinel() {
        return None;
    }
    let seconds = look.number("uptime_in_seconds")?;
    let run = look.info.get("run_id").map_or("?", |id| short(id));
    let role = look.info.get("role").map_or("?", String::as_str);
    Some(format!("run_id {run}, up {}, {role}", span(seconds)))
}

/// The first eight characters, whatever they are.
fn short(id: &str) -> &str {
    let end = id.char_indices().nth(8).map_or(id.len(), |(at, _)| at);
    &id[..end]
}

/// Logs that tell of no end, and from when until when they would have.
fn covered(facts: &Facts, lives: &[Life<'_>]) -> Option<String> {
    let source = &lives.first()?.lines.first()?.place.source;
    let (from, to) = facts.spans.get(source)?;
    Some(format!("yes: {source} tells of no end from {from} to {to}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::{Given, file};
    use crate::testing::{log, pasted};

    const START: &str =
        "1:C 23 Nov 2026 02:00:11.042 * oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo\n";
    const READY: &str = "1:M 23 Nov 2026 02:00:11.142 * Ready to accept connections\n";

    fn later(text: &str) -> String {
        text.replace("02:00", "02:58")
    }

    fn named(name: &str, text: &str) -> Facts {
        let now = Stamp::of((2026, 11, 24), (0, 0, 0), 0).expect("a date");
        let (_, facts) = file(name, text.as_bytes(), Given { now }).expect("it is in memory");
        facts
    }

    #[test]
    fn two_servers_that_began_once_each_have_not_ended() {
        let mut facts = named("one.log", &format!("{START}{READY}"));
        facts.add(named("two.log", &later(&format!("{START}{READY}"))));
        facts.sort();
        assert!(
            matches!(uptime(&facts), Uptime::Stayed(_)),
            "{:?}",
            uptime(&facts)
        );
    }

    #[test]
    fn a_log_in_two_files_is_one_servers() {
        let mut facts = named("redis.log", &later(&format!("{START}{READY}")));
        facts.add(named("redis.log.1", &format!("{START}{READY}")));
        facts.sort();
        let Uptime::Ended(words) = uptime(&facts) else {
            panic!("it began twice");
        };
        assert!(words.contains("02:58:11"), "{words}");
    }

    #[test]
    fn a_sentinels_restart_is_not_the_servers() {
        let sentinel = |text: &str| text.replace("1:C", "1:X").replace("1:M", "1:X");
        let text = format!("{}{}", sentinel(START), later(&sentinel(START)));
        let facts = log(&text);
        assert!(
            matches!(uptime(&facts), Uptime::Unknown(_)),
            "{:?}",
            uptime(&facts)
        );
    }

    #[test]
    fn a_log_without_an_end_says_from_when_until_when() {
        let facts = log(&format!("{START}{READY}{}", later(READY)));
        let Uptime::Stayed(words) = uptime(&facts) else {
            panic!("it did not end");
        };
        assert!(
            words.contains("02:00:11") && words.contains("02:58:11"),
            "{words}"
        );
    }

    #[test]
    fn an_id_of_any_letters_is_told() {
        let facts =
            pasted("# Server\nredis_version:7.0.15\nuptime_in_seconds:90\nrun_id:éééééééééé\n");
        assert!(matches!(uptime(&facts), Uptime::Stayed(words) if words.contains("éééééééé,")));
    }
}
