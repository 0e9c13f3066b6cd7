//! What a server is asked, in which order, and what a refusal leaves open.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use seawall_wire::Value;

use super::Manner;
use super::conversation::{Conversation, Trouble};
use crate::facts::{Before, Facts, Look, Queue, Unseen, Watched, reckon};
use crate::read::reply;
use crate::settings::{FORMER, SETTINGS};
use crate::stamp::Stamp;

/// So many entries of SLOWLOG and of ACL LOG are asked for.
const ENTRIES_MAX: &str = "128";

/// So long a look that took the server long is made to last, where that makes it a hundredth of the time: the whole of it,
/// with what comes before and after, stays below a second.
const LASTS_MAX: Duration = Duration::from_millis(850);

/// A Sentinel is asked about no more primaries than this.
const WATCHED_MAX: usize = 64;

/// Asks everything. What is refused is said.
pub(super) fn ask_all(
    conversation: &mut Conversation,
    look: &mut Look,
    facts: &mut Facts,
    manner: Manner,
    queues: &[String],
) {
    let mut interview = Interview {
        conversation,
        facts,
        name: look.source.to_string(),
        manner,
    };
    interview.info(look);
    let first = Instant::now();
    if look.word("redis_mode") == Some("sentinel") {
        interview.sentinel(look);
    } else {
        interview.server(look, manner.now, !queues.is_empty());
        interview.queues(look, queues, None);
    }
    if look.info.is_empty() {
        return;
    }
    let between = manner.between.max(interview.paced(look));
    let rest = (first + between).saturating_duration_since(Instant::now());
    interview.conversation.rest(rest);
    interview.info_again(look, first);
    interview.queues(look, queues, Some(first.elapsed()));
}

/// Asks for no more than INFO: which process it is, since when, and what it has counted.
pub(super) fn info_alone(conversation: &mut Conversation, look: &mut Look) {
    if let Ok(info) = info_of(conversation) {
        look.info = info;
    }
}

fn info_of(conversation: &mut Conversation) -> Result<BTreeMap<String, String>, Trouble> {
    let mut info = text(&conversation.ask(&["INFO", "everything"])?);
    // Servers before 6.2 have no such section, and answer with nothing.
    if info.is_empty() {
        info = text(&conversation.ask(&["INFO", "all"])?);
    }
    Ok(reply::fields(&info))
}

pub(super) struct Interview<'a> {
    pub(super) conversation: &'a mut Conversation,
    pub(super) facts: &'a mut Facts,
    pub(super) name: String,
    pub(super) manner: Manner,
}

impl Interview<'_> {
    fn info(&mut self, look: &mut Look) {
        let leaves = "uptime, memory and counters stay unknown";
        match info_of(self.conversation) {
            Ok(info) => look.info = info,
            Err(trouble) => {
                self.refused(&["INFO"], &trouble, leaves);
                return;
            }
        }
        if look.info.is_empty() {
            self.facts.unseen.push(Unseen {
                what: format!("INFO of {}", self.name),
                why: format!("answered with none of its fields: {leaves}"),
                how: "redis-cli INFO: does a proxy answer in the server's place?".to_owned(),
            });
        }
    }

    fn info_again(&mut self, look: &mut Look, first: Instant) {
        let mut later = look.clone();
        self.info(&mut later);
        if later.info.is_empty() || later.info == look.info {
            return;
        }
        look.cost.spent = reckon(self.conversation.asked(), &look.info, &later.info);
        let earlier = std::mem::replace(&mut look.info, later.info);
        look.before = Some(Before {
            source: look.source.clone(),
            info: earlier,
            span: first.elapsed(),
        });
    }

    /// How long the look is to last, so that it takes a hundredth of the server's time.
    fn paced(&mut self, look: &Look) -> Duration {
        let most = LASTS_MAX.min(self.manner.within / 4);
        // What the answers took, the way there and back included, is the most that it can be.
        let waited = self.conversation.cost().waited;
        if waited * 100 <= self.manner.between || self.manner.between >= most {
            return Duration::ZERO;
        }
        let Ok(counted) = self.conversation.ask(&["INFO", "commandstats"]) else {
            return Duration::ZERO;
        };
        let counted = reply::fields(&text(&counted));
        let spent = reckon(self.conversation.asked(), &look.info, &counted);
        let took: Duration = spent.iter().map(|one| one.took).sum();
        most.min(took * 100)
    }

    fn server(&mut self, look: &mut Look, now: Stamp, named: bool) {
        self.settings(look);
        self.clients(look, now, named);
        if let Some(entries) = self.ask(
            &["SLOWLOG", "GET", ENTRIES_MAX],
            "slow commands stay unknown",
        ) {
            look.slow = elements(&entries).iter().filter_map(reply::slow).collect();
        }
        let major = major(look);
        let leaves = "what held the server up stays unknown";
        if let Some(events) = self.ask(&["LATENCY", "LATEST"], leaves) {
            look.latency = elements(&events)
                .iter()
                .filter_map(reply::latency)
                .collect();
        }
        if major >= 4
            && let Some(stats) = self.ask(&["MEMORY", "STATS"], "what fills memory stays unknown")
        {
            look.memory = reply::memory(&stats);
        }
        if major >= 6
            && let Some(log) = self.ask(
                &["ACL", "LOG", ENTRIES_MAX],
                "whom the ACL refused stays unknown",
            )
        {
            look.denied = elements(&log)
                .iter()
                .filter_map(|entry| reply::denied(entry, Some(now)))
                .collect();
        }
        if let Some(role) = self.ask(&["ROLE"], "its replicas stay unknown") {
            look.role = reply::role(&role);
        }
        if look.number("cluster_enabled") == Some(1) {
            self.cluster(look);
        }
    }

    fn settings(&mut self, look: &mut Look) {
        let leaves = "limits and timeouts stay unknown";
        // Several names at once are understood since 7.0: older servers are asked one by one, in one go.
        if major(look) >= 7 {
            let mut words = vec!["CONFIG", "GET"];
            words.extend(SETTINGS);
            if let Some(settings) = self.ask(&words, leaves) {
                reply::settings(look, &settings);
            }
            return;
        }
        let former = FORMER.iter().map(|(former, _)| *former);
        let names = SETTINGS.iter().copied().chain(former);
        let questions: Vec<_> = names.map(|name| ["CONFIG", "GET", name]).collect();
        let questions: Vec<_> = questions.iter().map(<[&str; 3]>::as_slice).collect();
        let answers = self.conversation.ask_several(&questions);
        let mut told = false;
        for answer in answers {
            match answer {
                Ok(setting) => reply::settings(look, &setting),
                // One that is refused is refused as all of them are.
                Err(_) if told => {}
                Err(trouble) => {
                    told = true;
                    self.refused(&["CONFIG", "GET"], &trouble, leaves);
                }
            }
        }
    }

    /// Asks for the lengths of the queues that the operator named, and of nothing else that holds data.
    fn queues(&mut self, look: &mut Look, names: &[String], after: Option<Duration>) {
        for name in names {
            let Some(length) = self.ask(&["LLEN", name], "whether that queue grows stays unknown")
            else {
                return;
            };
            if let Some(length) = length
                .as_int()
                .and_then(|length| u64::try_from(length).ok())
            {
                Queue::note(&mut look.queues, name, length, after);
            }
        }
    }

    fn cluster(&mut self, look: &mut Look) {
        let leaves = "whether the cluster is whole stays unknown";
        if let Some(info) = self.ask(&["CLUSTER", "INFO"], leaves) {
            look.cluster = reply::fields(&text(&info));
        }
        if let Some(nodes) = self.ask(&["CLUSTER", "NODES"], leaves) {
            look.nodes = text(&nodes).lines().filter_map(reply::node).collect();
        }
    }

    fn sentinel(&mut self, look: &mut Look) {
        let leaves = "what it watches stays unknown";
        if let Some(role) = self.ask(&["ROLE"], leaves) {
            look.role = reply::role(&role);
        }
        let Some(primaries) = self.ask(&["SENTINEL", "MASTERS"], leaves) else {
            return;
        };
        let former = look
            .word("redis_version")
            .is_some_and(|version| version.starts_with(['2', '3', '4']));
        let replicas = if former { "SLAVES" } else { "REPLICAS" };
        for primary in elements(&primaries).iter().take(WATCHED_MAX) {
            let primary = reply::instance(primary);
            let Some(name) = primary.get("name").cloned() else {
                continue;
            };
            let mut several = |what: &str| {
                self.ask(&["SENTINEL", what, &name], leaves)
                    .map(|all| elements(&all).iter().map(reply::instance).collect())
                    .unwrap_or_default()
            };
            let (replicas, sentinels) = (several(replicas), several("SENTINELS"));
            let quorum = match self.conversation.ask(&["SENTINEL", "CKQUORUM", &name]) {
                Ok(words) => Some(Ok(text(&words))),
                Err(Trouble::Refused(error)) => Some(Err(error.message.to_string())),
                Err(_) => None,
            };
            look.watched.push(Watched {
                replicas,
                sentinels,
                quorum,
                ..Watched::new(name, primary)
            });
        }
    }

    pub(super) fn ask(&mut self, words: &[&str], leaves: &str) -> Option<Value> {
        match self.conversation.ask(words) {
            Ok(value) => Some(value),
            Err(trouble) => {
                self.refused(words, &trouble, leaves);
                None
            }
        }
    }

    fn refused(&mut self, words: &[&str], trouble: &Trouble, leaves: &str) {
        let what = format!("{} of {}", words[..words.len().min(2)].join(" "), self.name);
        let again = || {
            format!(
                "the end of the server's log, then again: seawall doctor {}",
                self.name
            )
        };
        let unseen = match trouble {
            Trouble::Refused(_) => Unseen {
                what,
                why: format!("{trouble}: {leaves}"),
                how: unlock(words),
            },
            // Said once, of whatever would have been asked.
            Trouble::Over => Unseen {
                what: format!("what else {} would have been asked", self.name),
                why: trouble.to_string(),
                how: again(),
            },
            _ => Unseen {
                what,
                why: format!("{trouble}: {leaves}"),
                how: again(),
            },
        };
        if !self.facts.unseen.contains(&unseen) {
            self.facts.unseen.push(unseen);
        }
    }
}

fn major(look: &Look) -> u32 {
    version(look).0
}

/// `7.0.15`: 7 and 0; zeros where it is not told.
pub(super) fn version(look: &Look) -> (u32, u32) {
    let version = look.word("redis_version").unwrap_or_default();
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

pub(super) fn text(value: &Value) -> String {
    value
        .as_bytes()
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        .unwrap_or_default()
}

fn elements(value: &Value) -> &[Value] {
    value.as_elements().unwrap_or_default()
}

/// The line of an ACL that permits it.
pub(crate) fn unlock(words: &[&str]) -> String {
    let managed = match words[0] {
        "INFO" => {
            " (managed services: their own metrics, or redis-cli INFO of an administrator > info.txt)"
        }
        "CONFIG" => " (managed services: their parameter group)",
        _ => "",
    };
    let permits = match words {
        ["INFO" | "ROLE" | "LLEN", ..] => words[0].to_ascii_lowercase(),
        [container, sub, ..] => format!("{container}|{sub}").to_ascii_lowercase(),
        _ => words.join("|").to_ascii_lowercase(),
    };
    format!("ACL SETUSER <user> +{permits}{managed}")
}
