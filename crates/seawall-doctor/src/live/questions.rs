//! What a server is asked, in which order, and what a refusal leaves open.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use seawall_wire::Value;

use super::Manner;
use super::conversation::{Conversation, Trouble};
use crate::facts::{Before, Facts, Look, Queue, Unseen, Watched, reckon};
use crate::managed::Service;
use crate::read::reply;
use crate::refusal::{Asked, Why};
use crate::settings::{FORMER, SETTINGS};
use crate::stamp::Stamp;

/// So many entries of SLOWLOG and of ACL LOG are asked for.
const ENTRIES_MAX: &str = "128";

/// So long a look that took the server long is made to last, where that makes it a hundredth of the time: the whole of it,
/// with what comes before and after, stays below a second.
const LASTS_MAX: Duration = Duration::from_millis(850);

/// A Sentinel is asked about no more primaries than this.
const WATCHED_MAX: usize = 64;

/// What is wanted of a server.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) manner: Manner,
    /// The queues whose lengths are asked for.
    pub(super) queues: &'a [String],
    /// As whom it is asked.
    pub(super) user: Option<&'a str>,
}

/// Asks everything. What is refused is said.
pub(super) fn ask_all(
    conversation: &mut Conversation,
    look: &mut Look,
    facts: &mut Facts,
    wanted: Wanted<'_>,
) {
    let Wanted {
        manner,
        queues,
        user,
    } = wanted;
    let mut interview = Interview {
        conversation,
        facts,
        manner,
        asked: Asked {
            server: look.source.to_string(),
            user: Some(user.unwrap_or("default").to_owned()),
            service: Service::of(look),
            major: 0,
        },
        forbidden: Vec::new(),
    };
    interview.info(look);
    interview.asked.service = Service::of(look);
    interview.asked.major = look.major();
    let first = Instant::now();
    if look.is_sentinel() {
        interview.sentinel(look);
    } else {
        interview.server(look, manner.now, !queues.is_empty());
        interview.queues(look, queues, None);
    }
    let Interview {
        asked, forbidden, ..
    } = &interview;
    let together = asked.together(forbidden);
    interview.facts.unseen.extend(together);
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
    pub(super) asked: Asked,
    /// What the user may not.
    pub(super) forbidden: Vec<Vec<String>>,
    pub(super) manner: Manner,
}

impl Interview<'_> {
    fn info(&mut self, look: &mut Look) {
        match info_of(self.conversation) {
            Ok(info) => look.info = info,
            Err(trouble) => {
                self.refused(&["INFO"], &trouble);
                return;
            }
        }
        if look.info.is_empty() {
            self.facts.unseen.push(Unseen {
                what: format!("INFO of {}", self.asked.server),
                why: "answered with none of its fields: uptime, memory and counters stay unknown"
                    .to_owned(),
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
            clients: Vec::new(),
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
        if let Some(entries) = self.ask(&["SLOWLOG", "GET", ENTRIES_MAX]) {
            look.slow = elements(&entries).iter().filter_map(reply::slow).collect();
            look.answered.insert("SLOWLOG GET");
        }
        // Where INFO did not tell the version, the server itself knows what it knows.
        let major = if look.info.is_empty() {
            u32::MAX
        } else {
            look.major()
        };
        if let Some(events) = self.ask(&["LATENCY", "LATEST"]) {
            look.latency = elements(&events)
                .iter()
                .filter_map(reply::latency)
                .collect();
        }
        if major >= 4
            && let Some(stats) = self.ask(&["MEMORY", "STATS"])
        {
            look.memory = reply::memory(&stats);
        }
        if major >= 6
            && let Some(log) = self.ask(&["ACL", "LOG", ENTRIES_MAX])
        {
            look.denied = elements(&log)
                .iter()
                .filter_map(|entry| reply::denied(entry, Some(now)))
                .collect();
        }
        if let Some(role) = self.ask(&["ROLE"]) {
            look.role = reply::role(&role);
        }
        if look.number("cluster_enabled") == Some(1) {
            self.cluster(look);
        }
    }

    fn settings(&mut self, look: &mut Look) {
        // Several names at once are understood since 7.0: older servers are asked one by one, in one go.
        if look.major() >= 7 {
            let mut words = vec!["CONFIG", "GET"];
            words.extend(SETTINGS);
            if let Some(settings) = self.ask(&words) {
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
                    self.refused(&["CONFIG", "GET"], &trouble);
                }
            }
        }
    }

    /// Asks for the lengths of the queues that the operator named, and of nothing else that holds data.
    fn queues(&mut self, look: &mut Look, names: &[String], after: Option<Duration>) {
        for name in names {
            let Some(length) = self.ask(&["LLEN", name]) else {
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
        if let Some(info) = self.ask(&["CLUSTER", "INFO"]) {
            look.cluster = reply::fields(&text(&info));
        }
        if let Some(nodes) = self.ask(&["CLUSTER", "NODES"]) {
            look.nodes = text(&nodes).lines().filter_map(reply::node).collect();
        }
    }

    fn sentinel(&mut self, look: &mut Look) {
        if let Some(role) = self.ask(&["ROLE"]) {
            look.role = reply::role(&role);
        }
        let Some(primaries) = self.ask(&["SENTINEL", "MASTERS"]) else {
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
                self.ask(&["SENTINEL", what, &name])
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

    pub(super) fn ask(&mut self, words: &[&str]) -> Option<Value> {
        match self.conversation.ask(words) {
            Ok(value) => Some(value),
            Err(trouble) => {
                self.refused(words, &trouble);
                None
            }
        }
    }

    fn refused(&mut self, words: &[&str], trouble: &Trouble) {
        let again = || {
            format!(
                "the end of the server's log, then again: seawall doctor {}",
                self.asked.server
            )
        };
        let why = match trouble {
            Trouble::Refused(error) => Why::of(error.kind.word(), &error.message),
            // Said once, of whatever would have been asked.
            Trouble::Over => {
                let unseen = Unseen {
                    what: format!("what else {} would have been asked", self.asked.server),
                    why: trouble.to_string(),
                    how: again(),
                };
                self.say(Some(unseen));
                return;
            }
            other => Why::Lost(other.to_string(), again()),
        };
        let words = &words[..words.len().min(2)];
        if why == Why::NotPermitted {
            let owned = words.iter().map(|word| (*word).to_owned()).collect();
            if !self.forbidden.contains(&owned) {
                self.forbidden.push(owned);
            }
        }
        let unseen = self.asked.unseen(words, &why);
        self.say(unseen);
    }

    fn say(&mut self, unseen: Option<Unseen>) {
        let unseen = unseen.filter(|unseen| !self.facts.unseen.contains(unseen));
        self.facts.unseen.extend(unseen);
    }
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
