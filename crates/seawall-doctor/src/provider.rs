//! What a provider did to a server that it runs: `ElastiCache`'s events, Azure's and Google's activity.

use std::fmt;

/// Who runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provider {
    /// `ElastiCache` and `MemoryDB`.
    Aws,
    /// Azure Cache for Redis.
    Azure,
    /// Memorystore.
    Gcp,
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Aws => "AWS",
            Self::Azure => "Azure",
            Self::Gcp => "Google Cloud",
        })
    }
}

/// What it did, or saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Act {
    /// A replica became the primary.
    Failover,
    /// Somebody asked for a failover, to test it or by hand.
    FailoverAsked,
    /// A node fails, and is made anew.
    NodeLost,
    /// It is back.
    NodeRecovered,
    /// A node was started anew.
    Restarted,
    /// Maintenance begins, or is about to.
    MaintenanceBegan,
    /// It is over.
    MaintenanceEnded,
    /// Its size or its number of nodes changes.
    Scaled,
    /// A parameter was changed.
    Configured,
    /// A snapshot was begun or made.
    Snapshot,
    /// It was deleted.
    Deleted,
}

impl Act {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Failover => "a replica became the primary",
            Self::FailoverAsked => "somebody asked for a failover",
            Self::NodeLost => "a node failed and is made anew",
            Self::NodeRecovered => "the node is back",
            Self::Restarted => "a node was started anew",
            Self::MaintenanceBegan => "maintenance began",
            Self::MaintenanceEnded => "maintenance was over",
            Self::Scaled => "its size was changed",
            Self::Configured => "its configuration was changed",
            Self::Snapshot => "a snapshot was made",
            Self::Deleted => "it was deleted",
        }
    }

    /// Whether connections break by it.
    pub fn breaks(self) -> bool {
        !matches!(
            self,
            Self::NodeRecovered | Self::MaintenanceEnded | Self::Configured | Self::Snapshot
        )
    }
}

/// Something that a provider did.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProviderEvent {
    /// Who.
    pub provider: Provider,
    /// To which of its resources, by its name.
    pub resource: String,
    /// What.
    pub act: Act,
}
