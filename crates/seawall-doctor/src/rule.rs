//! What a rule is: one file, from its code to its tests.

use std::fmt::{self, Write as _};

use crate::facts::Facts;
use crate::finding::Finding;
use crate::text::Text;

/// A rule's code, `SW301`: given once, never used again. Hundreds: 0 client and host, 1 connect, 2 idle, 3 closed by the
/// server, 4 server lost, 5 memory, 6 latency, 7 persistence and data, 8 replication, Sentinel and cluster, 9 security and
/// network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub u16);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SW{:03}", self.0)
    }
}

/// A source that a rule looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// A look at the server: INFO, CONFIG GET, CLIENT LIST, SLOWLOG.
    Server,
    /// The server's log.
    ServerLog,
    /// The application's log.
    ClientLog,
    /// The kernel's log.
    Kernel,
    /// What runs the server's container.
    Containers,
    /// What the server's provider did to it.
    Provider,
    /// The server's host.
    Host,
}

impl Need {
    /// What it is called, and how to get it.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Server => ("the server itself", "seawall doctor redis://HOST:PORT"),
            Self::ServerLog => (
                "the server's log",
                "redis-cli CONFIG GET logfile, then: seawall doctor PATH",
            ),
            Self::ClientLog => ("the application's log", "seawall doctor PATH"),
            Self::Containers => (
                "what runs its container",
                "kubectl get pod,events -o json > pods.json (or docker inspect CONTAINER), then: seawall doctor pods.json",
            ),
            Self::Provider => (
                "its provider's events",
                "aws elasticache describe-events --duration 1440 > events.json, then: seawall doctor events.json",
            ),
            Self::Host => (
                "the server's host",
                "seawall collect --script > collect.sh; sh collect.sh (on the server's host), then: seawall doctor BUNDLE",
            ),
            Self::Kernel => (
                "the kernel's log",
                "journalctl -k -o short-iso > kernel.log (on the server's host), then: seawall doctor kernel.log",
            ),
        }
    }
}

/// One cause, and how it is told from its look-alikes.
#[derive(Debug)]
pub struct Rule {
    /// Its code.
    pub code: Code,
    /// What happened, in a line.
    pub title: &'static str,
    /// For its page: what clients see, how it is told apart, what to do.
    pub explanation: &'static str,
    /// What clients write when it strikes: `seawall explain` finds the rule by these.
    pub messages: &'static [&'static str],
    /// What it looks at. The first is the one that can prove it.
    pub needs: &'static [Need],
    /// The codes of what it brings about: a finding of one of these in its wake is its consequence.
    pub brings: &'static [Code],
    /// The lines that it listens for, in logs of any kind.
    pub texts: &'static [Text],
    /// Where the facts of it are from.
    pub sources: &'static [&'static str],
    /// Looks at the facts. Pure.
    pub check: fn(&Facts) -> Vec<Finding>,
}

impl Rule {
    /// What a rule is that says no more: for `..Rule::PLAIN`.
    pub const PLAIN: Self = Self {
        code: Code(0),
        title: "",
        explanation: "",
        messages: &[],
        needs: &[],
        brings: &[],
        texts: &[],
        sources: &[],
        check: |_| Vec::new(),
    };

    /// What its page says of it, as Markdown without a heading: what happens, what it looks at, what clients write.
    pub fn page(&self) -> String {
        let list = |all: &mut dyn Iterator<Item = String>| all.collect::<Vec<_>>().join(", ");
        let mut page = format!("**{}.** {}\n\n", self.title, self.explanation);
        let looks = list(&mut self.needs.iter().map(|need| need.words().0.to_owned()));
        let _ = writeln!(page, "- Looks at: {looks}; the first can prove it.");
        if !self.messages.is_empty() {
            let messages = list(&mut self.messages.iter().map(|message| format!("`{message}`")));
            let _ = writeln!(page, "- Clients write: {messages}");
        }
        if !self.brings.is_empty() {
            let brings = list(&mut self.brings.iter().map(ToString::to_string));
            let _ = writeln!(page, "- Brings about: {brings}");
        }
        let _ = writeln!(page, "- From: {}", self.sources.join(", "));
        page
    }
}
