//! What runs a server's process besides a host: containers, as Kubernetes and Docker tell of them.

use std::fmt;

/// Who runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Runner {
    /// `kubectl get pod,events -o json`.
    Kubernetes,
    /// `docker inspect`.
    Docker,
}

impl fmt::Display for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kubernetes => "Kubernetes",
            Self::Docker => "Docker",
        })
    }
}

/// A container, as its runner names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Container {
    /// Who runs it.
    pub runner: Runner,
    /// `namespace/pod`; empty for Docker.
    pub pod: String,
    /// Its name; empty where a record is about the whole pod.
    pub name: String,
    /// The pod's uid, or the container's id: a cgroup is named by it. Empty where it is not told.
    pub id: String,
    /// Its image or its name is Redis's or Valkey's, and no exporter's.
    pub serves: bool,
    /// The memory that it may have.
    pub memory_limit: Option<u64>,
    /// How often it was started anew.
    pub restarts: u64,
}

impl Container {
    /// How an operator finds it again: `pod shop/redis-0 container redis`.
    pub fn label(&self) -> String {
        match (self.pod.is_empty(), self.name.is_empty()) {
            (true, _) => format!("container {}", self.name),
            (false, true) => format!("pod {}", self.pod),
            (false, false) => format!("pod {} container {}", self.pod, self.name),
        }
    }

    /// Whether both are one: a record about a pod is about its containers too.
    pub fn is(&self, other: &Self) -> bool {
        let name = self.name == other.name || self.name.is_empty() || other.name.is_empty();
        self.runner == other.runner && self.pod == other.pod && name
    }
}

/// What a container's probe was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Probe {
    /// Its failures restart the container.
    Liveness,
    /// Its failures take it out of its service.
    Readiness,
    /// Its failures restart the container as long as it has not begun.
    Startup,
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Liveness => "liveness",
            Self::Readiness => "readiness",
            Self::Startup => "startup",
        })
    }
}

/// Why a container ended, in its runner's words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Its cgroup had no memory left.
    OomKilled,
    /// It ended by itself, well.
    Completed,
    /// It ended otherwise.
    Error,
    /// Another reason, by its name.
    Other(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OomKilled => "OOMKilled",
            Self::Completed => "Completed",
            Self::Error => "Error",
            Self::Other(name) => name,
        })
    }
}

/// What became of a container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum News {
    /// It ended.
    Ended {
        /// Why.
        reason: Reason,
        /// Its exit code: 128 and a signal's number where a signal ended it.
        exit: i64,
    },
    /// A probe failed, so often.
    ProbeFailed {
        /// Which.
        probe: Probe,
        /// How often, up to its last time.
        count: u64,
    },
    /// Its runner told it to end.
    Stopping {
        /// Since a probe failed.
        probe: Option<Probe>,
    },
    /// Its node had too little of something, and it had to go: of what.
    Evicted(String),
    /// It ends again and again, and is started later each time.
    BackOff,
    /// The node's kernel killed a process for lack of memory.
    NodeOom,
    /// The node went away.
    NodeNotReady,
}

/// Something that became of a container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContainerNews {
    /// Of which.
    pub container: Container,
    /// What.
    pub news: News,
}
