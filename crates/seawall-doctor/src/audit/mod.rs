//! Prevention: what would break connections one day, graded. Nothing in here says what happened.
//!
//! These are no rules: a server without persistence, or whose clients may send KEYS, is well, and the doctor has nothing to say
//! about it. Who asks for an audit wants to hear it. What the rules call a risk is told as well.

mod client;
mod clients;
mod commands;
mod host;
mod limits;
mod memory;
mod persistence;
pub mod report;

use std::fmt;
use std::sync::Arc;

use crate::facts::{Cost, Facts, Look, Place, Reach};
use crate::finding::Verdict;
use crate::judge::diagnose;

pub use client::{Client, Misread, Misreads};
pub use host::Host;

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Connections will break, or data go, in an ordinary day's trouble.
    Critical,
    /// It makes trouble worse, or comes with load.
    Warn,
    /// Worth knowing.
    Info,
}

impl Severity {
    /// Its name in every output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warn => "warn",
            Self::Info => "info",
        }
    }
}

/// What an audit has to say of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Which check: kebab-case, or the code of the rule that calls it a risk.
    pub check: String,
    /// How much it matters.
    pub severity: Severity,
    /// Observation and mechanism.
    pub claim: String,
    /// Where it stands, and what stands there.
    pub place: String,
    /// What to do.
    pub advice: String,
}

/// The grade: how much there is to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// Nothing but what is worth knowing.
    A,
    /// One warning or two.
    B,
    /// More of them.
    C,
    /// Something critical.
    D,
    /// Several critical things.
    F,
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// What is audited.
#[derive(Debug, Default)]
pub struct Audited {
    /// What is known of servers.
    pub facts: Facts,
    /// What the client is configured with, as far as was told.
    pub client: Client,
    /// The host that the server runs on, where that is this one.
    pub host: Option<Host>,
}

/// What an audit says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// What matters most first.
    pub remarks: Vec<Remark>,
    /// What could not be looked at: what, and how to have it looked at.
    pub unseen: Vec<(String, String)>,
    /// The checks that found nothing to say.
    pub passed: Vec<&'static str>,
    /// What the looks at servers cost those servers.
    pub costs: Vec<(Arc<str>, Cost)>,
}

impl Audit {
    /// How much there is to say.
    pub fn grade(&self) -> Grade {
        let count = |severity| {
            let of = |remark: &&Remark| remark.severity == severity;
            self.remarks.iter().filter(of).count()
        };
        match (count(Severity::Critical), count(Severity::Warn)) {
            (0, 0) => Grade::A,
            (0, 1..=2) => Grade::B,
            (0, _) => Grade::C,
            (1, _) => Grade::D,
            _ => Grade::F,
        }
    }
}

/// Rules that speak of what a check of ours speaks of: told once.
const SAME: &[(&str, &str)] = &[
    ("SW105", "maxclients"),
    ("SW106", "open-files"),
    ("SW107", "backlog"),
    ("SW201", "pool-age"),
    ("SW205", "keepalive"),
    ("SW501", "maxmemory"),
    ("SW502", "maxmemory-policy"),
    ("SW503", "maxmemory-policy"),
    ("SW506", "maxmemory"),
    ("SW512", "maxmemory-policy"),
    ("SW601", "big-replies"),
    ("SW610", "transparent-huge-pages"),
    ("SW708", "persistence"),
    ("SW710", "persistence"),
];

impl Audit {
    /// Whether a check of ours has looked at what this rule calls a risk.
    fn judged(&self, rule: &str) -> bool {
        let Some((_, check)) = SAME.iter().find(|(code, _)| *code == rule) else {
            return false;
        };
        self.passed.contains(check) || self.remarks.iter().any(|remark| remark.check == *check)
    }
}

/// One check: what it is called, and what it has to say. `None` where it cannot tell.
struct Check {
    name: &'static str,
    look: fn(&Audited) -> Option<Vec<Remark>>,
    /// How to have it looked at where it cannot tell.
    wants: &'static str,
}

const ASK: &str = "seawall doctor --audit redis://HOST:PORT";
const TELL: &str =
    "--client timeout=..,connect_timeout=..,pool=..,processes=..,max_idle=..,keepalive=..";
const HOST: &str = "run it on the server's host";

/// All of them, in the order of a connection's life.
const CHECKS: &[Check] = &[
    clients::CONNECT_TIMEOUT,
    clients::READ_TIMEOUT,
    clients::CONNECTIONS,
    clients::POOL_AGE,
    clients::KEEPALIVE,
    limits::MAXCLIENTS,
    limits::OUTPUT_BUFFERS,
    limits::BACKLOG,
    limits::FILES,
    memory::MAXMEMORY,
    memory::POLICY,
    memory::OVERCOMMIT,
    memory::HUGE_PAGES,
    persistence::PERSISTENCE,
    commands::BIG_REPLIES,
];

/// Audits.
pub fn audit(audited: Audited) -> Audit {
    let mut audit = Audit {
        remarks: Vec::new(),
        unseen: Vec::new(),
        passed: Vec::new(),
        costs: audited.facts.costs(),
    };
    for check in CHECKS {
        match (check.look)(&audited) {
            None => audit
                .unseen
                .push((check.name.to_owned(), check.wants.to_owned())),
            Some(remarks) if remarks.is_empty() => audit.passed.push(check.name),
            Some(remarks) => audit.remarks.extend(remarks),
        }
    }
    for unseen in &audited.facts.unseen {
        audit.unseen.push((
            format!("{}: {}", unseen.what, unseen.why),
            unseen.how.clone(),
        ));
    }
    let risks = risks(audited.facts)
        .into_iter()
        .filter(|risk| !audit.judged(&risk.check));
    let risks: Vec<_> = risks.collect();
    audit.remarks.extend(risks);
    audit
        .remarks
        .sort_by(|one, other| (one.severity, &one.check).cmp(&(other.severity, &other.check)));
    audit
}

/// What the rules call a risk.
fn risks(facts: Facts) -> Vec<Remark> {
    let diagnosis = diagnose(facts);
    let risks = diagnosis
        .findings
        .into_iter()
        .filter(|finding| finding.verdict == Verdict::Risk);
    risks
        .map(|finding| Remark {
            check: finding.code.to_string(),
            severity: Severity::Warn,
            place: finding
                .supports
                .first()
                .map_or_else(String::new, |one| format!("{}: {}", one.place, one.says)),
            claim: format!("{}. {}", finding.title, finding.claim),
            advice: finding
                .fixes
                .first()
                .map_or_else(String::new, |fix| fix.action.clone()),
        })
        .collect()
}

impl Check {
    /// A remark of this check's.
    fn says(
        &self,
        severity: Severity,
        place: impl fmt::Display,
        claim: impl Into<String>,
        advice: impl Into<String>,
    ) -> Remark {
        Remark {
            check: self.name.to_owned(),
            severity,
            claim: claim.into(),
            place: place.to_string(),
            advice: advice.into(),
        }
    }
}

/// The looks at servers that told something.
fn looks(audited: &Audited) -> impl Iterator<Item = &Look> {
    audited
        .facts
        .looks
        .iter()
        .filter(|look| matches!(look.reach, Reach::Answered | Reach::Pasted))
}

/// What `check` says of every look that tells what it needs.
fn of_looks(
    audited: &Audited,
    check: impl Fn(&Look) -> Option<Vec<Remark>>,
) -> Option<Vec<Remark>> {
    let told: Vec<_> = looks(audited).filter_map(check).collect();
    (!told.is_empty()).then(|| told.concat())
}

fn config(look: &Look) -> Place {
    look.place("CONFIG GET")
}

fn info(look: &Look) -> Place {
    look.place("INFO")
}
