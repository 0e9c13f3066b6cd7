//! What a rule found.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::facts::Place;
use crate::mend::Change;
use crate::rule::Code;
use crate::stamp::Stamp;

/// So much evidence of one kind is kept: nobody reads more, and a flood of lines proves what its first prove.
pub const SHOWN_MAX: usize = 50;

/// What part a finding has in what happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It made the connections break.
    Cause,
    /// It made it worse.
    Contributing,
    /// Something else brought it about.
    Consequence,
    /// It did nothing yet.
    Risk,
    /// It did not happen.
    RuledOut,
}

impl Verdict {
    /// Its name in every output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cause => "cause",
            Self::Contributing => "contributing",
            Self::Consequence => "consequence",
            Self::Risk => "risk",
            Self::RuledOut => "ruled_out",
        }
    }
}

/// How sure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// A record names this connection or process, and this cause.
    Proved,
    /// Two independent sources.
    Strong,
    /// One direct source, or two weak ones.
    Likely,
    /// The configuration alone: never the cause.
    Possible,
}

impl Confidence {
    /// Its name in every output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Proved => "proved",
            Self::Strong => "strong",
            Self::Likely => "likely",
            Self::Possible => "possible",
        }
    }
}

/// A fact that speaks for a finding, or against it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Evidence {
    /// Where it stands.
    pub place: Place,
    /// What it says, in our words: never a key, a value or a password.
    pub says: String,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fix {
    /// What it does, or the command that does it.
    pub action: String,
    /// What it may cost.
    pub risk: String,
    /// How to take it back; empty where there is nothing to take back.
    pub undo: String,
    /// The same as a change of a live server's setting, where it is one that the doctor can make.
    pub change: Option<Change>,
}

/// What a rule found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule's code.
    pub code: Code,
    /// The rule's title, with what is particular.
    pub title: String,
    /// What part it has.
    pub verdict: Verdict,
    /// How sure it is.
    pub confidence: Confidence,
    /// From when until when; `None` where no time is known.
    pub window: Option<(Stamp, Stamp)>,
    /// Whom it struck: connections, processes.
    pub subjects: BTreeSet<String>,
    /// Observation, mechanism, certainty: a sentence or two.
    pub claim: String,
    /// What speaks for it: the first of it, no more than [`SHOWN_MAX`].
    pub supports: Vec<Evidence>,
    /// How much more of it there is.
    pub more: u64,
    /// What speaks against it.
    pub contradicts: Vec<Evidence>,
    /// What to do, the better first; a stop-gap after it.
    pub fixes: Vec<Fix>,
    /// How to see that it is mended.
    pub check: String,
    /// The code that brought it about, if another finding did.
    pub behind: Option<Code>,
    /// Data are lost by it and no call fails: it is not held against the times at which calls failed.
    pub silent: bool,
    /// Of how many failed calls it is the cause that stands nearest before them.
    pub explains: u64,
    /// Another cause explains many times as many failed calls, and is sure enough.
    pub minor: bool,
}

impl Finding {
    /// A finding with nothing said yet but what it is.
    pub fn new(
        code: Code,
        title: impl Into<String>,
        verdict: Verdict,
        confidence: Confidence,
    ) -> Self {
        Self {
            code,
            title: title.into(),
            verdict,
            confidence,
            window: None,
            subjects: BTreeSet::new(),
            claim: String::new(),
            supports: Vec::new(),
            more: 0,
            contradicts: Vec::new(),
            fixes: Vec::new(),
            check: String::new(),
            behind: None,
            silent: false,
            explains: 0,
            minor: false,
        }
    }

    /// It did not happen, and here is why we say so.
    pub fn ruled_out(
        code: Code,
        title: impl Into<String>,
        place: Place,
        says: impl Into<String>,
    ) -> Self {
        Self::new(code, title, Verdict::RuledOut, Confidence::Strong).supported(place, says)
    }

    /// Adds what is claimed.
    #[must_use]
    pub fn claims(mut self, claim: impl Into<String>) -> Self {
        self.claim = claim.into();
        self
    }

    /// Adds what speaks for it.
    #[must_use]
    pub fn supported(mut self, place: Place, says: impl Into<String>) -> Self {
        if self.supports.len() >= SHOWN_MAX {
            self.more += 1;
            return self;
        }
        self.supports.push(Evidence {
            place,
            says: says.into(),
        });
        self
    }

    /// Adds what speaks against it, and makes it one less sure.
    #[must_use]
    pub fn contradicted(mut self, place: Place, says: impl Into<String>) -> Self {
        self.contradict(place, says);
        self
    }

    /// As [`contradicted`](Self::contradicted), of a finding that is held by another.
    pub(crate) fn contradict(&mut self, place: Place, says: impl Into<String>) {
        self.contradicts.push(Evidence {
            place,
            says: says.into(),
        });
        self.confidence = match self.confidence {
            Confidence::Proved => Confidence::Strong,
            Confidence::Strong => Confidence::Likely,
            Confidence::Likely | Confidence::Possible => Confidence::Possible,
        };
    }

    /// Widens its window so that this moment lies in it.
    #[must_use]
    pub fn at(mut self, at: Option<Stamp>) -> Self {
        if let Some(at) = at {
            self.window = Some(match self.window {
                None => (at, at),
                Some((from, to)) => (from.min(at), to.max(at)),
            });
        }
        self
    }

    /// The same for each of these moments.
    #[must_use]
    pub(crate) fn at_each(self, moments: impl IntoIterator<Item = Option<Stamp>>) -> Self {
        moments.into_iter().fold(self, Self::at)
    }

    /// Adds whom it struck.
    #[must_use]
    pub fn struck(mut self, subject: impl Into<String>) -> Self {
        self.subjects.insert(subject.into());
        self
    }

    /// Whom it struck, in one line.
    pub fn whom(&self) -> String {
        let all: Vec<_> = self.subjects.iter().map(String::as_str).collect();
        all.join(", ")
    }

    /// Adds what to do.
    #[must_use]
    pub fn fix(mut self, action: impl Into<String>, risk: &str, undo: impl Into<String>) -> Self {
        let action = action.into();
        self.fixes.push(Fix {
            change: Change::of(&action),
            action,
            risk: risk.to_owned(),
            undo: undo.into(),
        });
        self
    }

    /// Says that data are lost by it and no call fails.
    #[must_use]
    pub fn silently(mut self) -> Self {
        self.silent = true;
        self
    }

    /// Adds how to see that it is mended.
    #[must_use]
    pub fn checked_by(mut self, check: &str) -> Self {
        check.clone_into(&mut self.check);
        self
    }

    /// What makes it the same trouble in another run: the code, and whom it struck, by what stays the same of that.
    ///
    /// Servers are told apart by their addresses, clients by the names that they gave themselves. Times, ids, processes and
    /// addresses of clients are not in it, nor the numbers in their names.
    pub fn fingerprint(&self) -> String {
        let lasting: BTreeSet<_> = self.subjects.iter().map(|one| lasting(one)).collect();
        let lasting: Vec<_> = lasting.into_iter().filter(|one| !one.is_empty()).collect();
        format!("{}:{}", self.code, lasting.join(","))
    }
}

/// What of a subject is the same in another run.
fn lasting(subject: &str) -> String {
    let client = subject.starts_with("id=");
    let words = subject.split_whitespace().filter_map(|word| {
        if word.starts_with("id=") || word.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        if let Some(name) = word
            .strip_prefix('(')
            .and_then(|name| name.strip_suffix(')'))
        {
            return Some(without_numbers(name));
        }
        if client || word.parse::<IpAddr>().is_ok() {
            return None;
        }
        Some(without_client_port(word).to_owned())
    });
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// Ports from here on are given to clients; nobody's server is told to listen there.
const CLIENT_PORTS: u16 = 32_768;

fn without_client_port(word: &str) -> &str {
    match word.rsplit_once(':') {
        Some((host, port)) if port.parse().is_ok_and(|port: u16| port >= CLIENT_PORTS) => host,
        _ => word,
    }
}

/// `metrics:pod-7:12` is `metrics:pod`, and `web-7d9f8b6c5-x2x9z` is `web`: what has a digit in it is another one tomorrow.
fn without_numbers(name: &str) -> String {
    let parts = name.split_inclusive(['-', ':', '.', '_', '/', '@']);
    let kept: String = parts
        .filter(|part| !part.bytes().any(|byte| byte.is_ascii_digit()))
        .collect();
    kept.trim_end_matches(['-', ':', '.', '_', '/', '@'])
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_between_runs_is_not_in_a_print() {
        let known = [
            ("id=8821 10.0.0.7:51234 (metrics:pod-7:12)", "metrics:pod"),
            ("id=9 10.0.0.7:6379", ""),
            ("id=9 [::1]:51234 (7)", ""),
            ("process 4711", "process"),
            ("10.0.0.2:6379", "10.0.0.2:6379"),
            ("cache.internal:6379", "cache.internal:6379"),
            ("unix:/run/redis.sock", "unix:/run/redis.sock"),
            ("replica 10.0.0.9:40001", "replica 10.0.0.9"),
            ("10.0.0.9", ""),
            ("fd00::1", ""),
            (
                "pod shop/redis-0 container redis",
                "pod shop/redis-0 container redis",
            ),
            ("10.0.0.7:51234 (web-7d9f8b6c5-x2x9z)", "10.0.0.7 web"),
        ];
        for (subject, expected) in known {
            assert_eq!(lasting(subject), expected, "{subject}");
        }
    }
}
