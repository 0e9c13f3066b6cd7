//! Servers and files by their names: looks at each, whatever it is.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IsTerminal};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use seawall_model::Target;

use crate::facts::{Facts, Look, Reach, Unseen};
pub use crate::files::Files;
use crate::live::{self, Manner};
use crate::nearby;
use crate::read::{self, Given, Kind};
use crate::stamp::Stamp;

/// What the sources told, all together.
#[derive(Debug, Default)]
pub struct Told {
    /// What is known now.
    pub facts: Facts,
    /// What could not be read.
    pub troubles: Vec<Trouble>,
}

impl Told {
    /// Whether something that was asked for could not be read.
    pub fn lacks_something(&self) -> bool {
        self.troubles.iter().any(|trouble| trouble.lost)
    }

    fn trouble(&mut self, what: impl Into<String>, hint: impl Into<String>) {
        self.troubles.push(Trouble {
            what: what.into(),
            hint: hint.into(),
            lost: true,
        });
    }

    /// The same of one source, which a report lacks as well.
    fn unread(&mut self, source: &str, why: &str, hint: impl Into<String>) {
        let how = hint.into();
        self.trouble(format!("{source} {why}"), how.clone());
        self.facts.unseen.push(Unseen {
            what: source.to_owned(),
            why: why.to_owned(),
            how,
        });
    }
}

/// A source that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Which, and why.
    pub what: String,
    /// What to do.
    pub hint: String,
    /// Somebody asked for it: of a folder's files those are left out that no one can read.
    pub lost: bool,
}

/// A log of a server that runs on this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Log {
    /// Where the server or the system has it.
    Auto,
    /// That file.
    File(String),
}

impl From<String> for Log {
    fn from(words: String) -> Self {
        if words == "auto" {
            Self::Auto
        } else {
            Self::File(words)
        }
    }
}

/// What of this host is looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nearby {
    /// The host, whether or not a server runs on it.
    pub always: bool,
    /// The server's log.
    pub redis_log: Option<Log>,
    /// The kernel's log.
    pub kernel: Option<Log>,
}

/// Reads what this host has of the servers that were looked at: what it tells of itself, if one of them runs on it, and
/// the logs that are asked for.
pub fn nearby(looks: &[Look], nearby: &Nearby, files: &mut Files, now: Stamp) -> Told {
    let given = Given { now };
    let mut told = Told::default();
    let asked = looks.iter().filter(|look| look.reach == Reach::Answered);
    let here = asked.clone().find(|look| nearby::process(look).is_some());
    if here.is_some() || nearby.always {
        told.facts.add(nearby::host(here, now));
    }
    match &nearby.redis_log {
        Some(Log::Auto) if asked.clone().next().is_none() => told.trouble(
            "the server's log is looked for where the server says, and none answered",
            "--redis-log PATH",
        ),
        Some(Log::Auto) => {
            asked.for_each(|look| told.facts.add(nearby::server_log(look, files, given)));
        }
        Some(Log::File(path)) => {
            let name = names(std::slice::from_ref(path)).remove(0);
            of_file(path, &name, given, files, &mut told);
        }
        None => {}
    }
    match &nearby.kernel {
        Some(Log::Auto) => told.facts.add(nearby::kernel_log(given)),
        Some(Log::File(path)) => {
            let name = names(std::slice::from_ref(path)).remove(0);
            of_file(path, &name, given, files, &mut told);
        }
        None => {}
    }
    told
}

/// How long a server is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How long its answers may take, together.
    pub within: Duration,
    /// How long its counters are watched.
    pub watching: Option<Duration>,
}

/// Looks at each of them, once: URLs of servers, paths of files and folders, `-` for standard input.
pub fn look(sources: &[String], patience: Patience, now: Stamp) -> Told {
    look_with(sources, patience, &[], &mut Files::once(), now)
}

/// As [`look`], and asks each server for the lengths of these queues, twice.
pub fn look_with(
    sources: &[String],
    patience: Patience,
    queues: &[String],
    files: &mut Files,
    now: Stamp,
) -> Told {
    let mut told = Told::default();
    files.begin();
    for (place, (source, name)) in sources.iter().zip(names(sources)).enumerate() {
        if source.contains("://") {
            let of_several = (sources.len() > 1).then_some(place + 1);
            of_url(source, of_several, (patience, queues), now, &mut told);
        } else {
            of_file(source, &name, Given { now }, files, &mut told);
        }
    }
    told
}

/// What the files among these sources are called: the ends of their paths, as much of them as tells them apart. A single
/// folder's name is empty: its files' paths in it are enough.
pub fn names(sources: &[String]) -> Vec<String> {
    let is_file = |source: &str| source != "-" && !source.contains("://");
    let parts: Vec<Vec<String>> = sources
        .iter()
        .map(|source| {
            let parts = Path::new(source).components();
            let parts = parts.map(|part| part.as_os_str().to_string_lossy().into_owned());
            parts.collect()
        })
        .collect();
    let files: Vec<usize> = (0..sources.len())
        .filter(|&at| is_file(&sources[at]))
        .collect();
    let mut taken = vec![1; sources.len()];
    let name = |at: usize, taken: &[usize]| {
        let parts: &[String] = &parts[at];
        let end = &parts[parts.len().saturating_sub(taken[at])..];
        end.iter().collect::<PathBuf>().display().to_string()
    };
    loop {
        let mut called: BTreeMap<String, BTreeSet<&[String]>> = BTreeMap::new();
        for &at in &files {
            let paths = called.entry(name(at, &taken)).or_default();
            paths.insert(&parts[at]);
        }
        let mut grown = false;
        for &at in &files {
            if called[&name(at, &taken)].len() > 1 && taken[at] < parts[at].len() {
                taken[at] += 1;
                grown = true;
            }
        }
        if !grown {
            break;
        }
    }
    let alone = files.len() == 1;
    (0..sources.len())
        .map(|at| match sources[at].as_str() {
            "-" => "standard input".to_owned(),
            source if !is_file(source) || alone && Path::new(source).is_dir() => String::new(),
            _ => name(at, &taken),
        })
        .collect()
}

fn of_url(
    url: &str,
    of_several: Option<usize>,
    (patience, queues): (Patience, &[String]),
    now: Stamp,
    told: &mut Told,
) {
    // A URL may hold a password anywhere: it is named by its place.
    let name = of_several.map_or_else(String::new, |place| format!("source {place}: "));
    let manner = Manner {
        now,
        within: patience.within,
        between: patience.watching.unwrap_or(live::BETWEEN),
    };
    match Target::parse(url) {
        Ok(target) => match live::look_with(&target, manner, queues) {
            Ok(facts) => told.facts.add(facts),
            Err(unset) => told.trouble(format!("{name}{unset}"), unset.hint()),
        },
        Err(error) => told.trouble(format!("{name}{error}"), error.hint()),
    }
}

fn of_file(path: &str, name: &str, given: Given, files: &mut Files, told: &mut Told) {
    if path == "-" {
        if io::stdin().is_terminal() {
            let hint = "redis-cli INFO | seawall doctor -";
            told.trouble("nothing is piped into standard input", hint);
            return;
        }
        let read = files.read(Path::new(path), name, given);
        add(path, read, told);
        return;
    }
    let place = Path::new(path);
    if place.is_dir() {
        of_folder(place, name, given, files, told);
        return;
    }
    add(path, files.read(place, name, given), told);
}

fn add(path: &str, read: io::Result<(Kind, Facts)>, told: &mut Told) {
    match read {
        Ok((Kind::Empty, _)) if path == "-" => told.unread(
            "standard input",
            "is empty",
            "pipe something into it: redis-cli INFO | seawall doctor -",
        ),
        Ok((Kind::Empty, _)) => told.unread(
            path,
            "is empty",
            "a log that was rotated goes on in another file: path.1, path.gz",
        ),
        Ok((Kind::Unknown, _)) => told.unread(
            path,
            "holds nothing that the doctor knows",
            "logs of Redis, of applications and of the kernel are known, what INFO, CLIENT LIST and CONFIG GET answered, and \
             JSON of kubectl, docker inspect and providers",
        ),
        Ok((_, facts)) => told.facts.add(facts),
        // It may be the rest of a URL whose password has a blank in it, and that stands in no quotes.
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.contains('@') => told.trouble(
            "a source with an @ in it is no file that is there",
            "write a URL in quotes, and a password in it percent-encoded: 'redis://:p%20w@host:6379'",
        ),
        Err(error) => {
            let server = (error.kind() == io::ErrorKind::NotFound)
                .then(|| server_meant(path))
                .flatten();
            let hint = match server {
                Some(url) => format!("a server is given by its URL: {url}"),
                None => hint(&error).to_owned(),
            };
            told.unread(path, &format!("cannot be read: {error}"), hint);
        }
    }
}

/// The URL that somebody meant with `cache:6379`, `127.0.0.1`, `redis:/cache`.
fn server_meant(source: &str) -> Option<String> {
    let scheme = source
        .split_once(":/")
        .map(|(scheme, rest)| (scheme, rest.trim_start_matches('/')));
    let (scheme, place) = match scheme {
        Some((scheme @ ("redis" | "rediss"), rest)) => (scheme, rest),
        _ => ("redis", source),
    };
    let name = |host: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-' || c == '_';
        !host.is_empty() && host.chars().all(plain)
    };
    if place.parse::<Ipv6Addr>().is_ok() {
        return Some(format!("{scheme}://[{place}]:6379"));
    }
    match place.split_once(':') {
        Some((host, port)) if name(host) && port.parse::<u16>().is_ok() => {
            Some(format!("{scheme}://{place}"))
        }
        None if place == "localhost" || place.parse::<Ipv4Addr>().is_ok() => {
            Some(format!("{scheme}://{place}:6379"))
        }
        _ => None,
    }
}

/// What is advised where there is no such file.
pub const NO_FILE: &str = "give a URL (redis://..) or the path of a file or folder";

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "read it as somebody who may: sudo cat FILE | seawall doctor -"
        }
        io::ErrorKind::NotFound => NO_FILE,
        io::ErrorKind::TimedOut => {
            "start what writes to it first; of a pipe without a name (<(..), |) nobody gets impatient"
        }
        _ => "",
    }
}

/// All files of a folder. Those that hold nothing that is known are counted, and no failure: any may lie there.
fn of_folder(path: &Path, name: &str, given: Given, files: &mut Files, told: &mut Told) {
    let found = match read::folder(path) {
        Ok(found) => found,
        Err(error) => {
            let what = format!("{} cannot be read: {error}", path.display());
            told.trouble(what, hint(&error));
            return;
        }
    };
    let mut closed = !found.closed.is_empty();
    for (closed, error) in &found.closed {
        let what = format!("{} cannot be read: {error}", closed.display());
        told.trouble(
            what,
            format!(
                "as somebody who may: sudo seawall doctor {}",
                path.display()
            ),
        );
    }
    let mut known = 0;
    for file in &found.files {
        let name = Path::new(name).join(file.strip_prefix(path).unwrap_or(file));
        match files.read(file, &name.to_string_lossy(), given) {
            Ok((Kind::Unknown | Kind::Empty, _)) => {}
            Ok((_, facts)) => {
                known += 1;
                told.facts.add(facts);
            }
            Err(error) => {
                let lost = error.kind() != io::ErrorKind::Unsupported;
                closed |= lost;
                told.troubles.push(Trouble {
                    what: format!("{} cannot be read: {error}", file.display()),
                    hint: hint(&error).to_owned(),
                    lost,
                });
            }
        }
    }
    let more = match found.more {
        0 => String::new(),
        more => format!(", and {more} more were not looked at: give them by name"),
    };
    let path = path.display();
    let all = found.files.len();
    if closed {
        told.facts.unseen.push(Unseen {
            what: format!("some files of {path}"),
            why: "they could not be read".to_owned(),
            how: format!("as somebody who may: sudo seawall doctor {path}"),
        });
    }
    if known == 0 {
        let what = match all {
            0 => format!("{path} holds no file"),
            _ => format!("none of the {all} files of {path} holds anything that the doctor knows"),
        };
        let hint = "hidden files, links and pipes in a folder are passed over: give them by name";
        told.trouble(what, hint);
        return;
    }
    told.facts.assumed.insert(format!(
        "{path}: {known} of its {all} files hold something that is known{more}"
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_called_by_as_much_of_their_paths_as_tells_them_apart() {
        let called = |sources: &[&str]| {
            let sources: Vec<String> = sources.iter().copied().map(str::to_owned).collect();
            names(&sources)
        };
        assert_eq!(called(&["/var/log/app.log"]), ["app.log"]);
        assert_eq!(
            called(&["/a/x/app.log", "/b/x/app.log", "/b/redis.log"]),
            ["a/x/app.log", "b/x/app.log", "redis.log"]
        );
        // The same file, twice; one whose path is the other's end.
        assert_eq!(called(&["/a/app.log", "/a/app.log"]), ["app.log"; 2]);
        assert_eq!(called(&["app.log", "x/app.log"]), ["app.log", "x/app.log"]);
        assert_eq!(
            called(&["-", "redis://h", "a/-", "b/-"]),
            ["standard input", "", "a/-", "b/-"]
        );
        assert_eq!(
            called(&["/app.log", "/data/app.log"]),
            ["/app.log", "data/app.log"]
        );
        assert_eq!(called(&["/"]), [""]);
    }

    #[test]
    fn a_piece_of_a_url_that_the_shell_broke_is_not_repeated() {
        let patience = Patience {
            within: Duration::from_secs(1),
            watching: None,
        };
        let told = look(&["planted@host".to_owned()], patience, Stamp(0));
        assert!(told.lacks_something());
        assert!(!format!("{told:?}").contains("planted"), "{told:?}");
        let told = look(&["/none/app.log".to_owned()], patience, Stamp(0));
        assert!(told.troubles[0].what.contains("/none/app.log"));
        assert_eq!(told.facts.unseen[0].what, "/none/app.log");
    }

    #[test]
    fn of_several_urls_the_wrong_one_is_named_by_its_place() {
        let patience = Patience {
            within: Duration::from_secs(1),
            watching: None,
        };
        let sources = ["/none/app.log", "redis://:planted@host:x"];
        let told = look(&sources.map(str::to_owned), patience, Stamp(0));
        let what = &told.troubles[1].what;
        assert!(what.starts_with("source 2: "), "{what}");
        assert!(!format!("{told:?}").contains("planted"), "{told:?}");
    }

    #[test]
    fn who_forgot_the_scheme_of_a_url_is_told_it() {
        let meant = [
            ("cache:6379", Some("redis://cache:6379")),
            ("127.0.0.1", Some("redis://127.0.0.1:6379")),
            ("::1", Some("redis://[::1]:6379")),
            ("redis:/cache:6379", Some("redis://cache:6379")),
            ("app.log", None),
            ("logs/app:1", None),
            ("12:30", Some("redis://12:30")),
            ("cache:x", None),
        ];
        for (source, url) in meant {
            assert_eq!(server_meant(source).as_deref(), url, "{source}");
        }
    }
}
