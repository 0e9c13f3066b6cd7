//! What is known, and from where.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::container::ContainerNews;
use crate::provider::ProviderEvent;
use crate::rule::Need;
use crate::stamp::Stamp;
use crate::tally::Tally;
use crate::text::{Said, Text};

mod calls;
mod cost;
mod host;
mod kept;
mod logs;
mod look;
mod lost;
mod pair;
mod reach;
mod server;
mod tls;
mod words;

pub use calls::{ClientLine, Connection, Failure};
pub(crate) use cost::reckon;
pub use cost::{Cost, Spent};
pub use host::{Holder, Host};
pub(crate) use kept::Kept;
pub use logs::{KernelLine, Line, ServerLine};
pub use look::{Before, CommandStats, Listed, Look};
pub use lost::{Loss, Lost};
pub(crate) use reach::NO_PASSWORD_SET;
pub use reach::Reach;
pub use server::{
    ClusterNode, Denied, LatencyEvent, NameAnswer, Queue, Role, Watched, addr, flagged,
};
pub use tls::TlsTrouble;
pub use words::{bytes, span, times};

/// Where a fact stands: a file and its line, or a server and its command.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, or the server's address.
    pub source: Arc<str>,
    /// The line, from 1, or the command.
    pub spot: Spot,
}

/// Where in a source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spot {
    /// A line, from 1.
    Line(u64),
    /// A command of Redis's.
    Command(&'static str),
    /// An entry of a document, by its name.
    Entry(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.spot {
            Spot::Line(line) => write!(f, "{}:{line}", self.source),
            Spot::Command(command) => write!(f, "{} {command}", self.source),
            Spot::Entry(entry) => write!(f, "{} {entry}", self.source),
        }
    }
}

/// Something that was said, when and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fact<T> {
    /// When, where that is known.
    pub at: Option<Stamp>,
    /// Where it stands.
    pub place: Place,
    /// What it says.
    pub what: T,
}

/// A client, as a server's log line or CLIENT LIST names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer {
    /// `CLIENT ID`.
    pub id: Option<u64>,
    /// `host:port`.
    pub addr: String,
    /// `CLIENT SETNAME`.
    pub name: String,
    /// `N` normal, `P` in a subscription, `S` a replica, `O` in MONITOR, ..
    pub flags: String,
    /// The last command, with its subcommand.
    pub command: String,
    /// Seconds without a command.
    pub idle: u64,
    /// Bytes that wait to be read by it.
    pub output_bytes: u64,
    /// Bytes that it has sent, and that are not executed.
    pub query_bytes: u64,
    /// Commands that it has queued since MULTI.
    pub queued: u64,
    /// The database that it is in.
    pub database: Option<u32>,
}

impl Peer {
    /// How an operator finds it again.
    pub fn label(&self) -> String {
        let id = self.id.map_or_else(String::new, |id| format!("id={id} "));
        let name = if self.name.is_empty() {
            String::new()
        } else {
            format!(" ({})", self.name)
        };
        format!("{id}{}{name}", self.addr)
    }

    /// Whether it only listens.
    pub fn subscribes(&self) -> bool {
        self.flags.contains('P')
    }

    /// Whether it is a replica.
    pub fn replicates(&self) -> bool {
        self.flags.contains('S')
    }
}

/// An entry of SLOWLOG.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slow {
    /// When it ended, in whole seconds.
    pub at: Stamp,
    /// How long it ran.
    pub micros: u64,
    /// The command's name; never its arguments.
    pub command: String,
    /// Who sent it.
    pub addr: String,
}

/// What could not be looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unseen {
    /// What.
    pub what: String,
    /// Why not, and what that leaves open.
    pub why: String,
    /// How to get it.
    pub how: String,
}

/// Everything that is known. Sorted, so that which source came first changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Looks at servers.
    pub looks: Vec<Look>,
    /// Lines of servers' logs.
    pub server_log: Vec<Fact<ServerLine>>,
    /// Lines of applications' logs.
    pub client_log: Vec<Fact<ClientLine>>,
    /// How many failures applications' logs tell of: also those of which too many were there to be kept.
    pub failures: u64,
    /// Each log's failures by kind, counted: also those of which too many were there to be kept.
    pub tallies: BTreeMap<(Arc<str>, Failure), Tally>,
    /// What clients' journals tell of their servers, in our words.
    pub journal: Vec<Fact<String>>,
    /// Lines of kernels' logs.
    pub kernel_log: Vec<Fact<KernelLine>>,
    /// Lines of any log that a rule listens for: see [`said`](Self::said).
    pub said: Vec<Fact<Said>>,
    /// From when until when each log tells.
    pub spans: BTreeMap<Arc<str>, (Stamp, Stamp)>,
    /// What became of containers.
    pub containers: Vec<Fact<ContainerNews>>,
    /// What name services answered.
    pub names: Vec<Fact<NameAnswer>>,
    /// What providers did to the servers that they run.
    pub provider: Vec<Fact<ProviderEvent>>,
    /// Logs whose times have no zone, and are taken as UTC.
    pub zoneless: BTreeSet<Arc<str>>,
    /// Logs of an application and of a server that are known to be in one zone, whichever that is.
    pub in_one_zone: BTreeSet<(Arc<str>, Arc<str>)>,
    /// Hosts.
    pub hosts: Vec<Host>,
    /// What could not be looked at.
    pub unseen: Vec<Unseen>,
    /// What was inferred to read them: a time zone, a year.
    pub assumed: BTreeSet<String>,
    /// Which kinds of source there were at all, even if they said nothing.
    pub had: BTreeSet<Need>,
}

impl Facts {
    /// Adds what another source tells.
    pub fn add(&mut self, other: Self) {
        self.looks.extend(other.looks);
        self.server_log.extend(other.server_log);
        self.client_log.extend(other.client_log);
        self.failures += other.failures;
        for (key, tally) in &other.tallies {
            self.tallies.entry(key.clone()).or_default().add(tally);
        }
        self.journal.extend(other.journal);
        self.kernel_log.extend(other.kernel_log);
        self.said.extend(other.said);
        self.zoneless.extend(other.zoneless);
        for (source, (from, to)) in other.spans {
            let span = self.spans.entry(source).or_insert((from, to));
            *span = (span.0.min(from), span.1.max(to));
        }
        self.containers.extend(other.containers);
        self.provider.extend(other.provider);
        self.hosts.extend(other.hosts);
        self.names.extend(other.names);
        self.unseen.extend(other.unseen);
        self.assumed.extend(other.assumed);
        self.had.extend(other.had);
    }

    /// Gives a source another name.
    pub(crate) fn rename(&mut self, from: &str, to: &str) {
        fn of<T>(facts: &mut [Fact<T>], from: &str, to: &Arc<str>) {
            for fact in facts.iter_mut().filter(|fact| *fact.place.source == *from) {
                fact.place.source = Arc::clone(to);
            }
        }
        let to: Arc<str> = to.into();
        of(&mut self.server_log, from, &to);
        of(&mut self.client_log, from, &to);
        of(&mut self.kernel_log, from, &to);
        of(&mut self.said, from, &to);
        if let Some(span) = self.spans.remove(from) {
            self.spans.insert(Arc::clone(&to), span);
        }
        if self.zoneless.remove(from) {
            self.zoneless.insert(Arc::clone(&to));
        }
        let tallies = std::mem::take(&mut self.tallies).into_iter();
        self.tallies = tallies
            .map(|((source, failure), tally)| {
                let is = *source == *from;
                let source = if is { Arc::clone(&to) } else { source };
                ((source, failure), tally)
            })
            .collect();
        let assumed = std::mem::take(&mut self.assumed).into_iter();
        self.assumed = assumed
            .map(|words| match words.strip_prefix(from) {
                Some(rest) if rest.starts_with(": ") => format!("{to}{rest}"),
                _ => words,
            })
            .collect();
    }

    /// What the looks at servers cost those servers.
    pub(crate) fn costs(&self) -> Vec<(Arc<str>, Cost)> {
        let asked = self.looks.iter().filter(|look| look.cost.commands > 0);
        asked
            .map(|look| (Arc::clone(&look.source), look.cost.clone()))
            .collect()
    }

    /// Notes that a log tells its times without a zone.
    pub(crate) fn without_zone(&mut self, source: &Arc<str>, why: &str) {
        self.zoneless.insert(Arc::clone(source));
        self.assumed
            .insert(format!("{source}: its times are taken as UTC ({why})"));
    }

    /// Says in which zone the times of logs without one are, in seconds east of UTC.
    pub(crate) fn in_zone(&mut self, east: i64) {
        let zoneless = std::mem::take(&mut self.zoneless);
        let shift = |place: &Place, at: &mut Option<Stamp>| {
            if zoneless.contains(&place.source) {
                *at = at.map(|at| at.plus_seconds(-east));
            }
        };
        for fact in &mut self.server_log {
            shift(&fact.place, &mut fact.at);
        }
        for fact in &mut self.said {
            shift(&fact.place, &mut fact.at);
        }
        for source in &zoneless {
            if let Some((from, to)) = self.spans.get_mut(source) {
                (*from, *to) = (from.plus_seconds(-east), to.plus_seconds(-east));
            }
            let start = format!("{source}: its times are taken as UTC");
            self.assumed.retain(|words| !words.starts_with(&start));
        }
    }

    /// Puts everything into its order.
    pub(crate) fn sort(&mut self) {
        pair::pair(&mut self.looks);
        self.looks.sort();
        self.server_log.sort();
        self.client_log.sort();
        self.journal.sort();
        self.kernel_log.sort();
        self.said.sort();
        self.containers.sort();
        self.containers.dedup();
        self.names.sort();
        self.names.dedup();
        self.provider.sort();
        self.provider.dedup();
        self.hosts.sort();
        self.hosts.dedup();
        self.unseen.sort();
        self.unseen.dedup();
    }

    /// The lines of servers' logs that mean something to `pick`.
    pub fn lines<'a, T>(
        &'a self,
        pick: impl Fn(&'a Line) -> Option<T>,
    ) -> impl Iterator<Item = (&'a Fact<ServerLine>, T)> {
        self.server_log
            .iter()
            .filter_map(move |fact| pick(&fact.what.line).map(|picked| (fact, picked)))
    }

    /// The lines in which that text of a rule's stands.
    pub fn said(&self, text: &Text) -> impl Iterator<Item = &Fact<Said>> {
        self.said.iter().filter(move |fact| fact.what.text == *text)
    }

    /// The failures of that kind that applications told of.
    pub fn failures(&self, failure: Failure) -> impl Iterator<Item = &Fact<ClientLine>> {
        self.client_log
            .iter()
            .filter(move |fact| fact.what.failure == failure)
    }
}
