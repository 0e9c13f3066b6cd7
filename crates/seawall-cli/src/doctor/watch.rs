use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use seawall_doctor::baseline::{Baseline, Known};
use seawall_doctor::facts::{Facts, Look, Reach, span};
use seawall_doctor::{Diagnosis, report};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

/// What was seen last, to be held against what is seen next.
pub(super) struct Watched {
    found: Baseline,
    failures: u64,
    servers: Vec<Server>,
}

/// How a server took to being looked at.
struct Server {
    source: Arc<str>,
    /// Why it did not answer, if it did not.
    away: Option<String>,
    run: String,
    up: Option<u64>,
    role: String,
}

impl Watched {
    /// Of what a look told, and what was found in it.
    pub(super) fn new(servers: Servers, diagnosis: &Diagnosis) -> Self {
        Self {
            found: Baseline::of(diagnosis),
            failures: diagnosis.failures,
            servers: servers.0,
        }
    }

    /// A line for each thing that changed since.
    pub(super) fn changes(&self, now: &Self, diagnosis: &Diagnosis) -> Vec<String> {
        let mut lines = Vec::new();
        for server in &now.servers {
            let before = self.servers.iter().find(|one| one.source == server.source);
            lines.extend(before.and_then(|before| before.became(server)));
        }
        let changes = self.found.compared(&now.found);
        let mut list = |label: &str, all: &[Known]| {
            for known in all {
                lines.push(format!("{label:<6} {}", told(known)));
                let finding = diagnosis.findings.iter();
                let mut finding = finding.filter(|one| one.fingerprint() == known.fingerprint);
                if let Some(finding) = finding
                    .next()
                    .filter(|one| label != "GONE" && !one.claim.is_empty())
                {
                    lines.push(format!("       {}", finding.claim));
                }
            }
        };
        list("NEW", &changes.new);
        list("WORSE", &changes.worse);
        list("GONE", &changes.gone);
        if now.failures > self.failures {
            lines.push(format!(
                "MORE   applications tell of {} more failed calls, {} in all",
                now.failures - self.failures,
                now.failures
            ));
        }
        lines.into_iter().map(|line| report::plain(&line)).collect()
    }
}

fn told(known: &Known) -> String {
    let words = [&known.confidence, &known.code, &known.title];
    let words: Vec<_> = words
        .into_iter()
        .filter(|word| !word.is_empty())
        .cloned()
        .collect();
    words.join("  ")
}

/// The servers of a look: taken out of the facts before these are judged.
pub(super) struct Servers(Vec<Server>);

impl Servers {
    pub(super) fn of(facts: &Facts) -> Self {
        let live = facts
            .looks
            .iter()
            .filter(|look| look.reach != Reach::Pasted);
        Self(live.map(Server::of).collect())
    }
}

impl Server {
    fn of(look: &Look) -> Self {
        let away = look.reach.away();
        let word = |field: &str| look.word(field).unwrap_or_default().to_owned();
        Self {
            source: Arc::clone(&look.source),
            away,
            run: word("run_id"),
            up: look.number("uptime_in_seconds"),
            role: word("role"),
        }
    }

    fn became(&self, now: &Self) -> Option<String> {
        let source = &now.source;
        let up = now
            .up
            .map_or_else(String::new, |up| format!(", up {}", span(up)));
        let run = short(&now.run);
        match (&self.away, &now.away) {
            (None, Some(why)) => Some(format!("WENT   {source}: {why}")),
            (Some(_), None) => Some(format!("CAME   {source}: run_id {run}{up}")),
            (Some(before), Some(why)) => (before != why).then(|| format!("AWAY   {source}: {why}")),
            (None, None) => {
                let fell = matches!((self.up, now.up), (Some(then), Some(up)) if up < then);
                if self.run != now.run && !self.run.is_empty() && !now.run.is_empty() {
                    let before = short(&self.run);
                    Some(format!(
                        "BEGAN  {source}: another process, run_id {run} instead of {before}{up}"
                    ))
                } else if fell {
                    Some(format!("BEGAN  {source}: its uptime fell{up}"))
                } else {
                    (self.role != now.role && !now.role.is_empty())
                        .then(|| format!("ROLE   {source}: {} instead of {}", now.role, self.role))
                }
            }
        }
    }
}

fn short(run: &str) -> String {
    run.chars().take(8).collect()
}

/// SIGINT and SIGTERM, which end a watch in order. A second one ends the process at once.
pub(crate) struct Signals(UnixStream);

impl Signals {
    pub(crate) fn caught() -> io::Result<Self> {
        let (raised, told) = UnixStream::pair()?;
        let again = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order, so that the first signal does not find the flag that it is about to raise.
            flag::register_conditional_shutdown(signal, 130, Arc::clone(&again))?;
            flag::register(signal, Arc::clone(&again))?;
            low_level::pipe::register(signal, raised.try_clone()?)?;
        }
        Ok(Self(told))
    }

    /// Waits so long, or until a signal has come: then it says `true`.
    pub(crate) fn came_within(&mut self, wait: Duration) -> io::Result<bool> {
        self.0.set_read_timeout(Some(wait))?;
        loop {
            match self.0.read(&mut [0]) {
                Ok(_) => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                    ) =>
                {
                    return Ok(false);
                }
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use seawall_doctor::diagnose;

    use super::*;

    fn watched(reach: Reach, fields: &[(&str, &str)]) -> (Watched, Diagnosis) {
        let mut look = Look::new("cache:6379", None, reach);
        for (name, value) in fields {
            look.info.insert((*name).to_owned(), (*value).to_owned());
        }
        let facts = Facts {
            looks: vec![look],
            ..Facts::default()
        };
        let servers = Servers::of(&facts);
        let diagnosis = diagnose(facts);
        (Watched::new(servers, &diagnosis), diagnosis)
    }

    fn changes(before: &(Watched, Diagnosis), now: &(Watched, Diagnosis)) -> String {
        before.0.changes(&now.0, &now.1).join("\n")
    }

    #[test]
    fn a_server_that_goes_and_comes_is_told_and_one_that_stays_is_not() {
        let first = [
            ("run_id", "aaaaaaaaaaaa"),
            ("uptime_in_seconds", "90"),
            ("role", "master"),
        ];
        let up = watched(Reach::Answered, &first);
        let later = watched(
            Reach::Answered,
            &[
                ("run_id", "aaaaaaaaaaaa"),
                ("uptime_in_seconds", "95"),
                ("role", "master"),
            ],
        );
        assert_eq!(changes(&up, &later), "");
        let gone = watched(Reach::Refused, &[]);
        let told = changes(&up, &gone);
        assert!(
            told.starts_with("WENT   cache:6379: nothing listens there\nNEW "),
            "{told}"
        );
        let other = [
            ("run_id", "bbbbbbbbbbbb"),
            ("uptime_in_seconds", "1"),
            ("role", "slave"),
        ];
        let back = watched(Reach::Answered, &other);
        let told = changes(&gone, &back);
        assert!(
            told.starts_with("CAME   cache:6379: run_id bbbbbbbb, up 1 s"),
            "{told}"
        );
        let told = changes(&up, &back);
        assert!(
            told.starts_with(
                "BEGAN  cache:6379: another process, run_id bbbbbbbb instead of aaaaaaaa, up 1 s"
            ),
            "{told}"
        );
        let unnamed = watched(Reach::Answered, &[("uptime_in_seconds", "90")]);
        let fell = watched(Reach::Answered, &[("uptime_in_seconds", "2")]);
        assert_eq!(
            changes(&unnamed, &fell),
            "BEGAN  cache:6379: its uptime fell, up 2 s"
        );
    }

    #[test]
    fn a_signal_ends_the_wait_and_without_one_it_is_over_in_time() {
        let mut signals = Signals::caught().expect("they can be caught");
        assert!(
            !signals
                .came_within(Duration::from_millis(1))
                .expect("it waits")
        );
        low_level::raise(SIGTERM).expect("it is raised");
        assert!(
            signals
                .came_within(Duration::from_secs(60))
                .expect("it waits")
        );
    }
}
