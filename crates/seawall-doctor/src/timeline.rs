//! What happened when, source by source: for the forms of a report that lay the sources over one another.

use std::collections::BTreeMap;
use std::fmt::Debug;

use crate::container::{ContainerNews, News};
use crate::facts::{Fact, Facts, Failure, KernelLine, Line, Look, Place, bytes};
use crate::rule::Need;
use crate::stamp::Stamp;

/// Everything that has a time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeline {
    /// What each source tells, in the order of time; a source that tells nothing with a time in it has no lane.
    pub lanes: Vec<Lane>,
    /// How many calls of applications failed in a second, and how.
    pub failures: BTreeMap<(Stamp, Failure), u64>,
    /// How the servers stood when they were looked at.
    pub samples: Vec<Sample>,
}

/// What one source tells.
#[derive(Clone, Debug, PartialEq)]
pub struct Lane {
    /// What kind of source it is: `server log`, `kernel`, ..
    pub kind: &'static str,
    /// Its name.
    pub source: String,
    /// In the order of time.
    pub events: Vec<Event>,
}

/// Something that a source tells.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event {
    /// When.
    pub at: Stamp,
    /// What, in our words.
    pub says: String,
    /// Where it stands.
    pub place: Place,
}

/// A server at one moment. What is not known is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// When it was looked at.
    pub at: Option<Stamp>,
    /// Which server, or the file that holds what it answered.
    pub source: String,
    /// Which of its processes: what one did, the next one did not go on with.
    pub run: String,
    /// Bytes of memory in use.
    pub memory: Option<f64>,
    /// Bytes that it may use.
    pub memory_max: Option<f64>,
    /// Connections.
    pub clients: Option<f64>,
    /// Connections that it takes.
    pub clients_max: Option<f64>,
    /// The share of one core that it used since the look before, in hundredths.
    pub cpu: Option<f64>,
    /// Bytes a second that came in.
    pub received: Option<f64>,
    /// Bytes a second that went out.
    pub sent: Option<f64>,
    /// Commands a second.
    pub commands: Option<f64>,
}

impl Timeline {
    /// Of all facts, which are sorted.
    pub(crate) fn of(facts: &Facts) -> Self {
        let mut lanes = BTreeMap::new();
        for fact in &facts.server_log {
            tell(&mut lanes, "server log", fact, line(&fact.what.line));
        }
        for fact in &facts.said {
            let kind = match fact.what.text.by {
                Need::ServerLog => "server log",
                Need::Kernel => "kernel",
                // Failed calls are counted, not told one by one.
                _ => continue,
            };
            tell(
                &mut lanes,
                kind,
                fact,
                fact.what.text.words.trim().to_owned(),
            );
        }
        for fact in &facts.journal {
            tell(&mut lanes, "journal", fact, fact.what.clone());
        }
        for fact in &facts.kernel_log {
            tell(&mut lanes, "kernel", fact, kernel(&fact.what));
        }
        for fact in &facts.containers {
            tell(&mut lanes, "containers", fact, container(&fact.what));
        }
        for fact in &facts.provider {
            let event = &fact.what;
            let says = format!(
                "{} {}: {}",
                event.provider,
                event.resource,
                event.act.words()
            );
            tell(&mut lanes, "provider", fact, says);
        }
        for look in &facts.looks {
            of_look(&mut lanes, look);
        }
        let mut failures = BTreeMap::new();
        for fact in &facts.client_log {
            if let Some(at) = fact.at {
                let second = Stamp(at.0.div_euclid(1_000) * 1_000);
                *failures.entry((second, fact.what.failure)).or_default() += 1;
            }
        }
        Self {
            lanes: lanes.into_values().map(Lane::sorted).collect(),
            failures,
            samples: facts.looks.iter().flat_map(samples).collect(),
        }
    }
}

/// What each source tells, in the order of time.
pub fn lanes(facts: &Facts) -> Vec<Lane> {
    Timeline::of(facts).lanes
}

impl Lane {
    fn sorted(mut self) -> Self {
        self.events.sort();
        self
    }
}

type Lanes = BTreeMap<(&'static str, String), Lane>;

fn add(lanes: &mut Lanes, kind: &'static str, source: &str, event: Event) {
    let key = (kind, source.to_owned());
    let lane = lanes.entry(key).or_insert_with(|| Lane {
        kind,
        source: source.to_owned(),
        events: Vec::new(),
    });
    lane.events.push(event);
}

fn tell<T>(lanes: &mut Lanes, kind: &'static str, fact: &Fact<T>, says: String) {
    if let Some(at) = fact.at {
        let place = fact.place.clone();
        add(lanes, kind, &fact.place.source, Event { at, says, place });
    }
}

fn of_look(lanes: &mut Lanes, look: &Look) {
    let mut event = |at, says, command| {
        let place = look.place(command);
        add(lanes, "server", &look.source, Event { at, says, place });
    };
    for slow in &look.slow {
        let says = format!("{} ran for {} ms", slow.command, slow.micros / 1_000);
        event(slow.at, says, "SLOWLOG");
    }
    for spike in &look.latency {
        let says = format!("{} took {} ms", spike.event, spike.last_ms);
        event(spike.at, says, "LATENCY LATEST");
    }
    if let (Some(at), Some(up)) = (taken_at(look), look.number("uptime_in_seconds")) {
        let began = at.plus_seconds(-i64::try_from(up).unwrap_or(i64::MAX));
        event(began, "the process began".to_owned(), "INFO");
    }
}

/// When it was: a pasted INFO has the server's own clock in it, since 6.2.
fn taken_at(look: &Look) -> Option<Stamp> {
    let micros = || i64::try_from(look.number("server_time_usec")?).ok();
    look.at.or_else(|| Some(Stamp(micros()? / 1_000)))
}

fn samples(look: &Look) -> Vec<Sample> {
    let mut all = Vec::new();
    if look.info.is_empty() {
        return all;
    }
    let at = taken_at(look);
    if let Some(before) = &look.before {
        let mut then = Look::new(&before.source, None, look.reach.clone());
        then.info.clone_from(&before.info);
        let mut sample = standing(&then);
        let millis = i64::try_from(before.span.as_millis()).ok();
        let earlier = || Some(Stamp(at?.0.checked_sub(millis?)?));
        sample.at = earlier().or_else(|| taken_at(&then));
        all.push(sample);
    }
    let mut sample = standing(look);
    sample.at = at;
    let rates = [
        (&mut sample.received, "total_net_input_bytes"),
        (&mut sample.sent, "total_net_output_bytes"),
        (&mut sample.commands, "total_commands_processed"),
    ];
    for (rate, field) in rates {
        *rate = look.rate(field).or(*rate);
    }
    sample.cpu = cpu(look);
    all.push(sample);
    all
}

/// What one INFO tells of its moment.
fn standing(look: &Look) -> Sample {
    let number = |field: &str| look.number(field).map(|number| number as f64);
    let limit = |field: &str| number(field).filter(|limit| *limit > 0.0);
    let kilobytes = |field: &str| look.decimal(field).map(|rate| rate * 1_024.0);
    Sample {
        at: None,
        source: look.source.to_string(),
        run: look.word("run_id").unwrap_or_default().to_owned(),
        memory: number("used_memory"),
        memory_max: limit("maxmemory").or_else(|| limit("total_system_memory")),
        clients: number("connected_clients"),
        clients_max: limit("maxclients")
            .or_else(|| look.setting("maxclients").map(|room| room as f64)),
        cpu: None,
        received: kilobytes("instantaneous_input_kbps"),
        sent: kilobytes("instantaneous_output_kbps"),
        commands: number("instantaneous_ops_per_sec"),
    }
}

fn cpu(look: &Look) -> Option<f64> {
    let before = look.before.as_ref()?;
    let used = |field: &str| -> Option<f64> {
        let then: f64 = before.info.get(field)?.parse().ok()?;
        Some(look.decimal(field)? - then)
    };
    let seconds = before.span.as_secs_f64();
    let used = used("used_cpu_user")? + used("used_cpu_sys")?;
    // Another process has used less than the one before it.
    (seconds > 0.0 && used >= 0.0 && look.rose("total_commands_processed").is_some())
        .then(|| used / seconds * 100.0)
}

fn line(line: &Line) -> String {
    match line {
        Line::Started => "the process began".to_owned(),
        Line::Ready => "ready for connections".to_owned(),
        Line::Signalled(signal) => format!("told to end by {signal}"),
        Line::Farewell => "ended in order".to_owned(),
        Line::Crashed(signal) => format!("crashed by signal {signal}"),
        Line::OutputLimit(peer) => {
            let unread = bytes(peer.output_bytes);
            format!("closed {} at {unread} unread", peer.label())
        }
        Line::QueryLimit(peer) => format!("closed {} over its query buffer", peer.label()),
        Line::Evicted(peer) => format!("evicted {}", peer.label()),
        Line::Loaded(millis) => format!("data loaded in {millis} ms"),
        other => name_of(other),
    }
}

fn kernel(line: &KernelLine) -> String {
    match line {
        KernelLine::OomKilled { pid, name, .. } => {
            format!("killed process {pid} ({name}) for lack of memory")
        }
        KernelLine::SynFlood { port } => format!("queue of new connections of port {port} full"),
    }
}

fn container(told: &ContainerNews) -> String {
    let what = match &told.news {
        News::Ended { reason, exit } => format!("ended: {reason}, exit code {exit}"),
        News::ProbeFailed { probe, count } => format!("{probe} probe failed, {count} in all"),
        other => name_of(other),
    };
    format!("{}: {what}", told.container.label())
}

/// `OutputLimit(..)` is "output limit": the name of a variant says what it is, and nothing of what is in it.
fn name_of(variant: &impl Debug) -> String {
    let text = format!("{variant:?}");
    let name = text.split(|c: char| !c.is_alphanumeric()).next();
    let mut words = String::new();
    for c in name.unwrap_or_default().chars() {
        if c.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(c.to_lowercase());
    }
    words
}
