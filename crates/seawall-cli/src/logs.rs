use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use seawall_doctor::files::words;
use seawall_doctor::logs::Logs as Summary;
use seawall_doctor::read::Asked::New;
use seawall_doctor::read::{self, Given, Growing};
use seawall_doctor::sources::{self, Patience};
use seawall_doctor::{Facts, report};
use serde_json::json;

use crate::doctor::{self, Asked, Signals, Stretch};
use crate::{Exit, output};

/// How often a log that is followed is looked at.
const EVERY: Duration = Duration::from_millis(300);

/// What logs tell of failed calls: how many of each kind, when, by process, server and command, with what servers told meanwhile.
///
/// Takes what `seawall doctor` takes as files: logs of applications, of Redis and Valkey, of the kernel, the journal, several
/// services' in one, compressed or not, folders, `-` for standard input. Exit codes: 0 no call failed, 1 some did, 2 something
/// could not be read.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// Paths of files and folders; `-` is standard input
    #[arg(value_name = "PATH", required_unless_present = "words")]
    paths: Vec<String>,
    /// Print the words that logs are searched for, one a line, as `grep -F -f` takes them
    #[arg(long, conflicts_with_all = ["paths", "json", "follow"])]
    words: bool,
    /// Print everything as JSON, for programs; with --follow an object a line
    #[arg(long)]
    json: bool,
    /// Go on with what is written to the files from now on, also after they were rotated
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    stretch: Stretch,
}

impl Logs {
    pub(crate) fn run(self) -> Exit {
        if self.words {
            let words = read::words().iter().map(|word| (*word).to_owned());
            return output::out_all(words).map_or(Exit::Unable, |()| Exit::Well);
        }
        let now = doctor::now();
        let asked = match self.stretch.asked(now) {
            Ok(asked) => asked,
            Err(error) => {
                output::fail(&error, error.hint());
                return Exit::Unable;
            }
        };
        if self.paths.iter().any(|path| path.contains("://")) {
            let hint =
                "logs are files: seawall logs app.log; servers are looked at by seawall doctor URL";
            output::fail("a URL is no file", hint);
            return Exit::Unable;
        }
        if self.follow {
            return self.follow(asked, Given { now });
        }
        let patience = Patience {
            within: Duration::ZERO,
            watching: None,
        };
        let mut told = sources::look(&self.paths, patience, now);
        let unread = told.lacks_something();
        for trouble in &told.troubles {
            let hint = match trouble.hint.as_str() {
                sources::NO_FILE => "give the path of a file or folder",
                hint => hint,
            };
            output::fail(&trouble.what, hint);
        }
        if told.facts.had.is_empty() {
            return Exit::Unable;
        }
        asked.apply(&mut told.facts);
        let summary = Summary::of(told.facts);
        if let Err(exit) = self.tell(&summary) {
            return exit;
        }
        if unread {
            return Exit::Unable;
        }
        exit(&summary)
    }

    fn tell(&self, summary: &Summary) -> Result<(), Exit> {
        let told = match (self.json, self.follow) {
            (true, true) => output::out(summary.json()),
            (true, false) => output::out(format_args!("{:#}", summary.json())),
            (false, _) => output::out(summary.text().trim_end()),
        };
        told.map_err(|error| {
            output::fail(format_args!("it could not be written: {error}"), "");
            Exit::Unable
        })
    }

    /// Until somebody ends it, or nobody reads any more.
    fn follow(&self, asked: Asked, given: Given) -> Exit {
        let mut logs = Vec::new();
        for (path, name) in self.paths.iter().zip(sources::names(&self.paths)) {
            match opened(path, &name, given) {
                Ok(log) => logs.push(log),
                Err(error) => {
                    let hint = "--follow takes logs as they are written, not folders, archives and standard input";
                    output::fail(format_args!("{path} cannot be followed: {error}"), hint);
                    return Exit::Unable;
                }
            }
        }
        let mut signals = match Signals::caught() {
            Ok(signals) => signals,
            Err(error) => {
                output::fail(format_args!("nothing can be followed: {error}"), "");
                return Exit::Unable;
            }
        };
        let mut followed = Followed {
            logs,
            asked,
            json: self.json,
            said: BTreeSet::new(),
        };
        // What stands there already is told together.
        followed.look(given);
        for log in &mut followed.logs {
            log.fresh(true);
        }
        if let Err(exit) = self.tell(&followed.summary()) {
            return exit;
        }
        loop {
            let ended = match signals.came_within(EVERY) {
                Ok(ended) => ended,
                Err(error) => {
                    output::fail(
                        format_args!("nothing can be followed any more: {error}"),
                        "",
                    );
                    return Exit::Unable;
                }
            };
            if !ended && output::reader_gone() {
                return Exit::Well;
            }
            let lines = followed.look(Given { now: doctor::now() });
            for line in lines
                .into_iter()
                .chain(ended.then(|| followed.rest()).into_iter().flatten())
            {
                match output::out_while_read(line) {
                    Ok(true) => {}
                    Ok(false) => return Exit::Well,
                    Err(_) => return Exit::Unable,
                }
            }
            if ended {
                let summary = followed.summary();
                if !self.json && output::out("").is_err() {
                    return Exit::Unable;
                }
                return match self.tell(&summary) {
                    Ok(()) => exit(&summary),
                    Err(exit) => exit,
                };
            }
        }
    }
}

fn exit(summary: &Summary) -> Exit {
    match summary.failures() {
        0 => Exit::Well,
        _ => Exit::Short,
    }
}

fn opened(path: &str, name: &str, given: Given) -> io::Result<Growing> {
    Growing::open(Path::new(path), name, given, New)?
        .ok_or_else(|| io::Error::other("it is no text"))
}

/// Logs that are followed.
struct Followed {
    logs: Vec<Growing>,
    asked: Asked,
    json: bool,
    /// What was wrong with a log is said once.
    said: BTreeSet<String>,
}

impl Followed {
    /// A line for each thing that is new.
    fn look(&mut self, given: Given) -> Vec<String> {
        let mut facts = Facts::default();
        for (log, number) in self.logs.iter_mut().zip(0..) {
            let say = |words: String| output::note(report::plain(&words));
            let quiet = match log.look(given) {
                Ok(looked) => {
                    for end in looked.ends {
                        say(format!("seawall: {} {}", log.name(), words(end)));
                    }
                    self.said
                        .retain(|words| !words.starts_with(&format!("{number} ")));
                    !looked.more
                }
                Err(error) => {
                    if self.said.insert(format!("{number} {error}")) {
                        say(format!("seawall: {}: {error}", log.name()));
                    }
                    true
                }
            };
            facts.add(log.fresh(quiet));
        }
        self.asked.apply(&mut facts);
        lines(&facts, self.json)
    }

    /// A line for what was kept back.
    fn rest(&mut self) -> Vec<String> {
        let mut facts = Facts::default();
        for log in &mut self.logs {
            facts.add(log.fresh(true));
        }
        self.asked.apply(&mut facts);
        lines(&facts, self.json)
    }

    /// All that they told.
    fn summary(&self) -> Summary {
        let mut facts = Facts::default();
        for log in &self.logs {
            facts.add(log.told());
        }
        self.asked.apply(&mut facts);
        Summary::of(facts)
    }
}

/// A line for each failed call, and for each thing that a server or the kernel told, in the order of time.
fn lines(facts: &Facts, json: bool) -> Vec<String> {
    let mut all = Vec::new();
    for fact in &facts.client_log {
        let what = &fact.what;
        let parts = [&what.server, &what.process, &what.command];
        let parts: Vec<_> = parts.into_iter().flatten().map(String::as_str).collect();
        all.push((
            fact.at,
            fact.place.to_string(),
            what.failure.words().to_owned(),
            parts.join(" "),
        ));
    }
    for lane in seawall_doctor::timeline::lanes(facts) {
        for event in lane.events {
            all.push((
                Some(event.at),
                event.place.to_string(),
                event.says,
                String::new(),
            ));
        }
    }
    all.sort();
    all.into_iter()
        .map(|(at, place, says, more)| {
            let at = at.map(|at| at.to_string());
            if json {
                return json!({ "at": at, "place": place, "says": says, "more": more }).to_string();
            }
            let at = at.unwrap_or_else(|| "?".to_owned());
            let line = format!("{at}  {place}: {says} {more}");
            let plain = line.trim_end().chars();
            plain
                .map(|c| if c.is_control() { '?' } else { c })
                .collect()
        })
        .collect()
}
