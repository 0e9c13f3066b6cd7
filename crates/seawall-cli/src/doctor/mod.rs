mod acts;
mod audit;
mod diff;
mod fix;
mod form;
mod load;
mod seconds;
mod stretch;
mod undo;
mod watch;
mod whole_file;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};
use seawall_doctor::finding::Verdict;
use seawall_doctor::sources::{self, Files, Log, Nearby, Patience, Told};
use seawall_doctor::stamp::Stamp;
use seawall_doctor::{Diagnosis, Facts, diagnose, report};

use acts::Acts;
use form::Form;
use load::Load;
use seconds::{is_meant, seconds};
pub(crate) use stretch::{Asked, Stretch};
pub(crate) use watch::Signals;
use watch::{Servers, Watched};

use crate::{Exit, output};

/// Where the doctor looks if it is told nothing.
const DEFAULT: &str = "redis://127.0.0.1:6379";

/// Say why connections broke: from a server, its log, an application's log, the kernel's log.
///
/// Files are recognised by their content, and their order changes nothing: logs of Redis and Valkey, of applications, of the
/// kernel (journalctl -k), what INFO, CLIENT LIST and CONFIG GET answered. Without --fix and --undo the doctor only reads.
/// Exit codes: 0 nothing found, 1 something broke, 2 could not run, 3 only risks.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Doctor {
    #[command(subcommand)]
    command: Option<Command>,
    /// URLs of servers and paths of files; `-` is standard input. Without any: `redis://127.0.0.1:6379`
    #[arg(value_name = "URL|FILE")]
    sources: Vec<String>,
    #[command(flatten)]
    form: Form,
    /// A former report, as --json printed it: say what is new, still there and gone
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Look again every N seconds, 5 by default, and print what changed; SIGINT and SIGTERM end it
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "5", conflicts_with_all = ["json", "markdown", "sarif", "junit"])]
    watch: Option<String>,
    #[command(flatten)]
    stretch: Stretch,
    /// How long a look at one server may take: 1 to 60 seconds
    #[arg(
        long,
        value_name = "N",
        default_value = "5",
        allow_negative_numbers = true
    )]
    within: String,
    /// How long a server's counters are watched: 1 to 3600 seconds; a third of one unless told
    #[arg(long = "for", value_name = "N", allow_negative_numbers = true)]
    watching: Option<String>,
    /// Ask servers for the length of this queue (LLEN), twice: does a consumer still take from it? May be given several times
    #[arg(long, value_name = "NAME")]
    celery_queue: Vec<String>,
    /// Say what the look cost the servers, command by command; with --watch at its end, of the whole time that was watched
    #[arg(long, conflicts_with_all = ["markdown", "sarif", "junit", "undo"])]
    load: bool,
    #[command(flatten)]
    acts: Acts,
    /// The server's log: its path, or `auto` if the server runs on this host and says where it is
    #[arg(long, value_name = "auto|PATH")]
    redis_log: Option<String>,
    /// The kernel's log: its path, or `auto` for that of this host
    #[arg(long, value_name = "auto|PATH")]
    kernel: Option<String>,
    /// A folder of Seawall's journals [default: without any source, what `SEAWALL_STATE_DIR` says]
    #[arg(long, value_name = "DIR")]
    journal: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Diff(diff::Diff),
}

impl Doctor {
    pub(crate) fn run(mut self) -> Exit {
        if let Some(Command::Diff(diff)) = self.command {
            return diff.run();
        }
        let patience = match self.patience() {
            Ok(patience) => patience,
            Err(unable) => return unable,
        };
        let within = patience.within;
        if let Some(ended) = self.acts.undone(&self.sources, within) {
            return ended;
        }
        let asked = match self.stretch.asked(now()) {
            Ok(asked) => asked,
            Err(error) => {
                output::fail(&error, error.hint());
                return Exit::Unable;
            }
        };
        let every = match self.every() {
            Ok(every) => every,
            Err(unable) => return unable,
        };
        if self
            .celery_queue
            .iter()
            .any(|name| name.trim().is_empty() || name.contains("://"))
        {
            let hint = "kombu's default is celery: --celery-queue celery";
            output::fail("--celery-queue takes the name of a queue", hint);
            return Exit::Unable;
        }
        // What is wrong with it is said before anything else; the report comes all the same.
        let former = self.baseline.as_deref().map(diff::read);
        let alone = self.sources.is_empty();
        if alone {
            self.sources.push(DEFAULT.to_owned());
        }
        let journal = self.journal.or_else(|| alone.then(state_dir).flatten());
        self.sources
            .extend(journal.map(|path| path.display().to_string()));
        let mut visits = Visits {
            sources: self.sources,
            nearby: Nearby {
                always: alone,
                redis_log: self.redis_log.map(Log::from),
                kernel: self.kernel.map(Log::from),
            },
            patience,
            queues: self.celery_queue,
            asked,
            files: match every {
                Some(_) => Files::again(),
                None => Files::once(),
            },
            said: BTreeSet::new(),
        };
        if self.acts.audit {
            let form = match (self.form.is_json(), self.load) {
                (true, _) => audit::Form::Json,
                (false, true) => audit::Form::TextAndLoad,
                (false, false) => audit::Form::Text,
            };
            return self.acts.audited(&visits.sources, visits.patience, form);
        }
        let Some(mut visit) = visits.next() else {
            return Exit::Unable;
        };
        if let Some(Some(former)) = &former {
            visit.diagnosis.compare(former);
        }
        if let Err(untold) = self.form.tell(&visit.diagnosis) {
            return untold;
        }
        let load = self.load.then(|| Load::new(&visit.diagnosis.costs));
        if load.is_some()
            && !self.form.is_long()
            && let Err(error) = output::out(report::load(&visit.diagnosis.costs).trim_end())
        {
            output::fail(format_args!("the load could not be written: {error}"), "");
            return Exit::Unable;
        }
        if let Some(ended) = self.acts.fixed(&visit.diagnosis, &visits.sources, within) {
            return ended;
        }
        match every {
            Some(every) => watch(visits, visit, &self.form, every, load),
            None if former == Some(None) => Exit::Unable,
            None => visit.exit(),
        }
    }

    /// How long to look, if what was typed says so.
    fn patience(&self) -> Result<Patience, Exit> {
        let read = |option, text: &str, range| {
            seconds(option, text, &range)
                .map(Duration::from_secs)
                .map_err(unable)
        };
        let watching = self.watching.as_deref();
        Ok(Patience {
            within: read("--within", &self.within, 1..=60)?,
            watching: watching
                .map(|text| read("--for", text, 1..=3_600))
                .transpose()?,
        })
    }

    /// How often to look again, if at all. What stands behind `--watch` and is no number is a source.
    fn every(&mut self) -> Result<Option<Duration>, Exit> {
        let Some(word) = self.watch.take() else {
            return Ok(None);
        };
        if is_meant(&word) && !Path::new(&word).exists() || word.parse::<u64>().is_ok() {
            let every = seconds("--watch", &word, &(1..=EVERY_S_MAX)).map_err(unable)?;
            return Ok(Some(Duration::from_secs(every)));
        }
        self.sources.push(word);
        Ok(Some(Duration::from_secs(EVERY_S)))
    }
}

fn unable(why: String) -> Exit {
    output::fail(why, "");
    Exit::Unable
}

/// How often `--watch` looks unless it is told (as its `default_missing_value` says): often enough for who waits before a
/// terminal, and no load.
const EVERY_S: u64 = 5;
const EVERY_S_MAX: u64 = 86_400;

/// Looks at the same sources.
struct Visits {
    sources: Vec<String>,
    nearby: Nearby,
    patience: Patience,
    /// The lengths of these are asked for.
    queues: Vec<String>,
    asked: Asked,
    files: Files,
    /// What was wrong with a source is said once.
    said: BTreeSet<String>,
}

/// What one of them found.
struct Visit {
    diagnosis: Diagnosis,
    servers: Servers,
    unread: bool,
}

impl Visits {
    /// `None` if there was nothing to see; why was said.
    fn next(&mut self) -> Option<Visit> {
        let now = now();
        let mut facts = Facts::default();
        let mut unread = false;
        let (patience, queues) = (self.patience, &self.queues);
        let told = sources::look_with(&self.sources, patience, queues, &mut self.files, now);
        unread |= told.lacks_something();
        say(&told, &mut self.said);
        facts.add(told.facts);
        let told = sources::nearby(&facts.looks, &self.nearby, &mut self.files, now);
        unread |= told.lacks_something();
        say(&told, &mut self.said);
        facts.add(told.facts);
        for news in self.files.news() {
            output::note(report::plain(&news));
        }
        if facts.had.is_empty() {
            return None;
        }
        self.asked.apply(&mut facts);
        let servers = Servers::of(&facts);
        let mut diagnosis = diagnose(facts);
        diagnosis.made = Some(now);
        Some(Visit {
            diagnosis,
            servers,
            unread,
        })
    }
}

/// Says what is wrong with a source, once.
fn say(told: &Told, said: &mut BTreeSet<String>) {
    for trouble in &told.troubles {
        if said.insert(trouble.what.clone()) {
            output::fail(&trouble.what, &trouble.hint);
        }
    }
}

impl Visit {
    fn exit(&self) -> Exit {
        if self.unread {
            Exit::Unable
        } else {
            exit(&self.diagnosis)
        }
    }
}

/// Looks again and again, and prints what changed, until a signal comes or nobody reads any more.
fn watch(
    mut visits: Visits,
    first: Visit,
    form: &Form,
    every: Duration,
    mut load: Option<Load>,
) -> Exit {
    let mut last = first.exit();
    let failed = |error: std::io::Error| {
        output::fail(format_args!("nothing can be watched any more: {error}"), "");
        Exit::Unable
    };
    let mut signals = match Signals::caught() {
        Ok(signals) => signals,
        Err(error) => return failed(error),
    };
    output::note(format_args!(
        "watching, every {} s; Ctrl-C ends it",
        every.as_secs()
    ));
    let mut seen = Watched::new(first.servers, &first.diagnosis);
    loop {
        match signals.came_within(every) {
            Ok(true) => {
                let lines = load.iter().flat_map(Load::lines);
                return output::out_all(lines).map_or_else(failed, |()| last);
            }
            Ok(false) if output::reader_gone() => return last,
            Ok(false) => {}
            Err(error) => return failed(error),
        }
        let Some(visit) = visits.next() else {
            continue;
        };
        last = visit.exit();
        if let Some(load) = &mut load {
            load.add(&visit.diagnosis.costs);
        }
        let now = Watched::new(visit.servers, &visit.diagnosis);
        let changes = seen.changes(&now, &visit.diagnosis);
        seen = now;
        if changes.is_empty() {
            continue;
        }
        let at = visit
            .diagnosis
            .made
            .map_or_else(String::new, |made| made.to_string());
        let at = at.get(..19).unwrap_or_default();
        for line in changes {
            match output::out_while_read(format_args!("{at}Z  {line}")) {
                Ok(true) => {}
                Ok(false) => return last,
                Err(error) => return failed(error),
            }
        }
        if let Err(unwritten) = form.page(&visit.diagnosis) {
            last = unwritten;
        }
    }
}

/// By what matters most.
fn exit(diagnosis: &Diagnosis) -> Exit {
    match diagnosis.findings.first().map(|first| first.verdict) {
        // Calls failed, whether or not somebody knows why.
        _ if diagnosis.unexplained.is_some() => Exit::Short,
        None | Some(Verdict::RuledOut) => Exit::Well,
        Some(Verdict::Risk) => Exit::Risk,
        Some(_) => Exit::Short,
    }
}

/// Where this user's journals are, if there are any.
fn state_dir() -> Option<PathBuf> {
    let dir = PathBuf::from(std::env::var_os("SEAWALL_STATE_DIR").filter(|dir| !dir.is_empty())?);
    let mut files = dir.read_dir().ok()?.flatten();
    files
        .any(|file| file.path().extension().is_some_and(|end| end == "journal"))
        .then_some(dir)
}

pub(crate) fn now() -> Stamp {
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Stamp(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}
