//! What is known, and from where.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use crate::container::ContainerNews;
use crate::provider::ProviderEvent;
use crate::rule::Need;
use crate::stamp::Stamp;
use crate::tally::Tally;
use crate::text::{Said, Text};

mod cost;
mod host;
mod look;
mod lost;
mod pair;
mod server;
mod tls;

pub(crate) use cost::reckon;
pub use cost::{Cost, Spent};
pub use host::Host;
pub use look::{Before, CommandStats, Listed, Look};
pub use lost::{Loss, Lost};
pub use server::{
    ClusterNode, Denied, LatencyEvent, NameAnswer, Queue, Role, Watched, addr, flagged,
};
pub use tls::TlsTrouble;

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

/// What a line of a server's log means.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Line {
    /// The process began.
    Started,
    /// It takes connections.
    Ready,
    /// It was told to end, by a signal of that name.
    Signalled(String),
    /// It was told to end, by SHUTDOWN or after the signal.
    ShuttingDown,
    /// It ends in order.
    Farewell,
    /// It crashed by that signal.
    Crashed(u32),
    /// The allocator gave it nothing.
    AllocationFailed,
    /// It closed a client over its output buffer limit.
    OutputLimit(Peer),
    /// It closed a client over its query buffer limit.
    QueryLimit(Peer),
    /// It closed a client to save memory (maxmemory-clients).
    Evicted(Peer),
    /// It could not accept a connection.
    AcceptFailed(String),
    /// The limit of open files made maxclients smaller.
    MaxclientsReduced(u64),
    /// It could not fork for a save.
    ForkFailed(String),
    /// A save in the background failed.
    SaveFailed,
    /// Writing or flushing the append-only file takes too long.
    FsyncSlow,
    /// The append-only file could not be written.
    AofFailed(String),
    /// Data was read from disk in so many milliseconds.
    Loaded(u64),
    /// A replica wanted more than the backlog holds: everything is sent anew.
    FullResync(String),
    /// The connection between replica and primary broke.
    ReplicationLost(String),
    /// A client spoke HTTP.
    SpokeHttp,
    /// A client did not speak TLS on the port of TLS.
    TlsMismatch(String),
}

/// A line of a server's log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerLine {
    /// The process.
    pub pid: Option<u32>,
    /// Whether that is a Sentinel.
    pub sentinel: bool,
    /// What it means.
    pub line: Line,
}

/// How a call failed, as its client told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failure {
    /// Nothing listened.
    Refused,
    /// No connection in time.
    ConnectTimeout,
    /// Reset.
    Reset,
    /// Closed in order.
    Closed,
    /// No reply in time.
    ReadTimeout,
    /// A write failed.
    WriteFailed,
    /// No connection was free in the client's pool.
    PoolExhausted,
    /// The host's name has no address.
    NameUnknown,
    /// The server said that it has no room.
    MaxClients,
    /// The server said LOADING.
    Loading,
    /// The server said READONLY.
    ReadOnly,
    /// The server said OOM.
    OutOfMemory,
    /// The server said MISCONF.
    SaveFailed,
    /// The server said NOAUTH or WRONGPASS.
    Auth,
    /// The server said NOPERM, or a socket's permissions refused.
    Denied,
    /// The cluster is down, or its redirections do not end.
    Cluster,
    /// The server said BUSY: a script runs.
    Busy,
    /// This host has no port left to connect from.
    NoLocalPort,
    /// There is no way to the server's host.
    Unreachable,
    /// TLS failed.
    Tls,
    /// What came was no reply: two readers of one connection, or another protocol.
    Protocol,
    /// The client had no connection, and gave the call up.
    NotConnected,
    /// What a rule listens for, and nobody else knows.
    Other,
}

impl Failure {
    /// What it is, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Refused => "connection refused",
            Self::ConnectTimeout => "no connection in time",
            Self::Reset => "reset",
            Self::Closed => "closed by the server",
            Self::ReadTimeout => "no reply in time",
            Self::WriteFailed => "write failed",
            Self::PoolExhausted => "pool exhausted",
            Self::NameUnknown => "name unknown",
            Self::MaxClients => "maxclients",
            Self::Loading => "LOADING",
            Self::ReadOnly => "READONLY",
            Self::OutOfMemory => "OOM",
            Self::SaveFailed => "MISCONF",
            Self::Auth => "refused login",
            Self::Denied => "NOPERM",
            Self::Cluster => "cluster down",
            Self::Busy => "BUSY",
            Self::NoLocalPort => "no local port left",
            Self::Unreachable => "host unreachable",
            Self::Tls => "TLS failed",
            Self::Protocol => "no reply of Redis's",
            Self::NotConnected => "not connected",
            Self::Other => "another error",
        }
    }
}

/// A connection by the number that its server gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Connection {
    /// `CLIENT ID`.
    pub id: u64,
    /// The server's run id, hashed: every process counts anew.
    pub run: Option<u64>,
}

/// A line of an application's log that tells of a failed call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientLine {
    /// How it failed.
    pub failure: Failure,
    /// The server, as the text names it.
    pub server: Option<String>,
    /// The client's own address: the one by which the server knows the connection.
    pub local: Option<String>,
    /// For how many milliseconds the connection had rested before.
    pub idle: Option<u64>,
    /// The command that failed, in upper case.
    pub command: Option<String>,
    /// The process, worker or container that told it.
    pub process: Option<String>,
    /// The connection, as the server knows it.
    pub connection: Option<Connection>,
}

impl ClientLine {
    /// A failure of which nothing more is known.
    pub fn new(failure: Failure) -> Self {
        Self {
            failure,
            server: None,
            local: None,
            idle: None,
            command: None,
            process: None,
            connection: None,
        }
    }
}

/// A line of the kernel's log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KernelLine {
    /// It killed a process for lack of memory.
    OomKilled {
        /// The process.
        pid: u32,
        /// Its name.
        name: String,
        /// Its cgroup had no more, not the host.
        cgroup: bool,
    },
    /// A port's queue of new connections was full.
    SynFlood {
        /// That port.
        port: u16,
    },
}

/// An entry of SLOWLOG.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slow {
    /// When it began.
    pub at: Stamp,
    /// How long it ran.
    pub micros: u64,
    /// The command's name; never its arguments.
    pub command: String,
    /// Who sent it.
    pub addr: String,
}

/// How a server took to being looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// It answered.
    Answered,
    /// Somebody pasted what it once answered.
    Pasted,
    /// Nothing listens there.
    Refused,
    /// The host's name has no address, or the name service is away: its words.
    NameUnknown(String),
    /// The network, or this host, says that there is no way there: its words.
    Unreachable(String),
    /// Nothing answered in time.
    Silent {
        /// The connection was established before that.
        connected: bool,
    },
    /// It answered with an error and said no more.
    TurnedAway(String),
    /// What listens there is no Redis.
    NotRedis(String),
    /// TLS could not be agreed on.
    Tls(TlsTrouble),
}

impl Reach {
    /// Why there was no talking to it; `None` where there was.
    pub fn away(&self) -> Option<String> {
        Some(match self {
            Self::Answered | Self::Pasted => return None,
            Self::Refused => "nothing listens there".to_owned(),
            Self::Silent { connected: true } => "connected, and no answer in time".to_owned(),
            Self::Silent { connected: false } => "no connection in time".to_owned(),
            Self::NameUnknown(words) | Self::Unreachable(words) => words.clone(),
            Self::TurnedAway(words) => format!("it turned the doctor away: {words}"),
            Self::NotRedis(words) => format!("that is no Redis: {words}"),
            Self::Tls(trouble) => trouble.to_string(),
        })
    }
}

/// A span in the largest unit that fits.
pub fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// How often: `once`, `5 times`.
pub fn times(count: usize) -> String {
    match count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        _ => format!("{count} times"),
    }
}

/// Bytes in the largest unit that fits.
pub fn bytes(count: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1_000.0 && unit + 1 < units.len() {
        value /= 1_000.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{count} B")
    } else {
        format!("{value:.1} {}", units[unit])
    }
}

/// So many facts of one meaning are kept of one file, the newest: more prove nothing more, and a file has no end.
pub(crate) const KEPT_MAX: usize = 10_000;

/// The facts of a file, as they come, by what they mean: a flood of one meaning drives out no other.
#[derive(Clone, Debug)]
pub(crate) struct Kept<K, T> {
    by_meaning: HashMap<K, VecDeque<Fact<T>>>,
    passed_over: u64,
}

impl<K, T> Default for Kept<K, T> {
    fn default() -> Self {
        Self {
            by_meaning: HashMap::new(),
            passed_over: 0,
        }
    }
}

impl<K: Eq + Hash, T> Kept<K, T> {
    pub(crate) fn push(&mut self, meaning: K, fact: Fact<T>) {
        let facts = self.by_meaning.entry(meaning).or_default();
        if facts.len() >= KEPT_MAX {
            facts.pop_front();
            self.passed_over += 1;
        }
        facts.push_back(fact);
    }

    /// All of them, in no order ([`diagnose`](crate::diagnose) brings one); what was passed over is said.
    pub(crate) fn end(&mut self, source: &str, facts: &mut Facts) -> Vec<Fact<T>> {
        if self.passed_over > 0 {
            facts.assumed.insert(format!(
                "{source}: of each meaning the last {KEPT_MAX} lines are looked at; {} were passed over",
                self.passed_over
            ));
        }
        let kept = std::mem::take(&mut self.by_meaning);
        kept.into_values().flatten().collect()
    }
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
