//! What a server tells besides INFO: its latency monitor, whom it refused, its role, its cluster, what a Sentinel watches.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::stamp::Stamp;

/// An event of the latency monitor (LATENCY LATEST).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LatencyEvent {
    /// What: `command`, `fork`, `aof-fsync-always`, `expire-cycle`, ..
    pub event: String,
    /// When it was last seen.
    pub at: Stamp,
    /// How long that took.
    pub last_ms: u64,
    /// The longest so far.
    pub max_ms: u64,
}

/// An entry of ACL LOG.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Denied {
    /// When it happened last, where the time of the look is known.
    pub at: Option<Stamp>,
    /// How often it happened within a minute.
    pub count: u64,
    /// `auth`, `command`, `key` or `channel`.
    pub reason: String,
    /// `toplevel`, `multi`, `lua` or `module`.
    pub context: String,
    /// The command, where that was refused; never a key or a channel.
    pub command: Option<String>,
    /// Who.
    pub user: String,
    /// From where.
    pub addr: String,
    /// How long ago, in milliseconds.
    pub age_ms: u64,
}

/// What ROLE says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// It takes writes.
    Primary {
        /// How far its stream of changes is, in bytes.
        offset: u64,
        /// Its replicas' addresses, with how far they have acknowledged it.
        replicas: Vec<(String, u64)>,
    },
    /// It follows another.
    Replica {
        /// Whom.
        primary: String,
        /// `connect`, `connecting`, `sync` or `connected`.
        state: String,
        /// How far it is, in bytes.
        offset: Option<u64>,
    },
    /// It is a Sentinel, and watches these.
    Sentinel(Vec<String>),
}

/// A row of CLUSTER NODES.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClusterNode {
    /// Its id.
    pub id: String,
    /// `host:port`, as it is announced.
    pub addr: String,
    /// `myself`, `master`, `slave`, `fail?`, `fail`, `handshake`, `noaddr`, ..
    pub flags: Vec<String>,
    /// The id of the node that it follows.
    pub primary: Option<String>,
    /// Since when a ping to it has no answer.
    pub unanswered_since: Option<Stamp>,
    /// The bus link to it stands.
    pub linked: bool,
    /// How many slots it serves.
    pub slots: u32,
    /// Slots that leave it or come to it.
    pub moving: Vec<u32>,
}

impl ClusterNode {
    /// Whether it has that flag.
    pub fn is(&self, flag: &str) -> bool {
        self.flags.iter().any(|known| known == flag)
    }
}

/// A primary that a Sentinel watches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Watched {
    /// The name by which clients ask for it.
    pub name: String,
    /// What SENTINEL MASTERS says of it: `ip`, `port`, `flags`, `quorum`, `down-after-milliseconds`, ..
    pub primary: BTreeMap<String, String>,
    /// What SENTINEL REPLICAS says of each.
    pub replicas: Vec<BTreeMap<String, String>>,
    /// What SENTINEL SENTINELS says of each of the others.
    pub sentinels: Vec<BTreeMap<String, String>>,
    /// What SENTINEL CKQUORUM says: `Ok` if a failover would find enough of them.
    pub quorum: Option<Result<String, String>>,
}

impl Watched {
    /// What SENTINEL MASTERS says of one, and nothing more yet.
    pub fn new(name: String, primary: BTreeMap<String, String>) -> Self {
        Self {
            name,
            primary,
            replicas: Vec::new(),
            sentinels: Vec::new(),
            quorum: None,
        }
    }

    /// `ip:port` of the primary.
    pub fn addr(&self) -> String {
        addr(&self.primary)
    }

    /// Whether a field of the primary, `flags`, has that word.
    pub fn is(&self, flag: &str) -> bool {
        flagged(&self.primary, flag)
    }
}

/// How long a queue is that an operator asked for by its name (LLEN).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Queue {
    /// Its name, as the operator gave it.
    pub name: String,
    /// How many wait in it.
    pub length: u64,
    /// How many did before, and for how long ago that was where it is known.
    pub earlier: Option<(u64, Option<Duration>)>,
}

impl Queue {
    /// Whether more wait than before. `None` if it was looked at once.
    pub fn grew(&self) -> Option<bool> {
        let (before, _) = self.earlier?;
        Some(self.length > before)
    }

    /// Takes a later length of the queue of that name.
    pub(crate) fn note(queues: &mut Vec<Self>, name: &str, length: u64, after: Option<Duration>) {
        if let Some(known) = queues.iter_mut().find(|queue| queue.name == name) {
            let first = known.earlier.map_or(known.length, |(first, _)| first);
            known.earlier = Some((first, after));
            known.length = length;
        } else if queues.len() < QUEUES_MAX {
            queues.push(Self {
                name: name.to_owned(),
                length,
                earlier: None,
            });
        }
    }
}

/// Nobody watches more.
const QUEUES_MAX: usize = 64;

/// What a name stands for, as a name service answered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NameAnswer {
    /// The name.
    pub name: String,
    /// An address, or another name.
    pub address: String,
}

/// `ip:port` of an instance that a Sentinel tells of.
pub fn addr(instance: &BTreeMap<String, String>) -> String {
    let part = |name: &str| instance.get(name).map_or("?", String::as_str);
    format!("{}:{}", part("ip"), part("port"))
}

/// Whether an instance that a Sentinel tells of has that flag: `s_down`, `o_down`, `disconnected`, ..
pub fn flagged(instance: &BTreeMap<String, String>, flag: &str) -> bool {
    let flags = instance.get("flags").map_or("", String::as_str);
    flags.split(',').any(|known| known == flag)
}
