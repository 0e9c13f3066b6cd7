use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use seawall_doctor::Facts;
use seawall_doctor::logs::Logs as Summary;
use seawall_doctor::read::{self, Follower, Given};
use seawall_doctor::sources::{self, Patience};
use serde_json::json;

use crate::doctor::{self, Asked, Stretch};
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
        let given = Given { now };
        // What is followed is opened before it is read: nothing that is written in between is lost.
        let mut followed = Vec::new();
        if self.follow {
            for path in &self.paths {
                match Followed::open(Path::new(path), given) {
                    Ok(one) => followed.push(one),
                    Err(error) => {
                        let hint = "--follow takes files, not folders and not standard input";
                        output::fail(format_args!("{path} cannot be followed: {error}"), hint);
                        return Exit::Unable;
                    }
                }
            }
        }
        if let Some(url) = self.paths.iter().find(|path| path.contains("://")) {
            output::fail(
                format_args!("{url} is no file"),
                "seawall doctor looks at servers",
            );
            return Exit::Unable;
        }
        let patience = Patience {
            within: Duration::ZERO,
            watching: None,
        };
        let mut told = sources::look(&self.paths, patience, now);
        // What is followed may have nothing in it yet.
        let unread = told.lacks_something() && !self.follow;
        for trouble in told.troubles.iter().filter(|_| !self.follow) {
            output::fail(&trouble.what, &trouble.hint);
        }
        if told.facts.had.is_empty() && !self.follow {
            return Exit::Unable;
        }
        asked.apply(&mut told.facts);
        let facts = told.facts;
        let summary = Summary::of(facts);
        if let Err(exit) = self.tell(&summary) {
            return exit;
        }
        if self.follow {
            return self.follow(followed, asked);
        }
        match summary.failures() {
            _ if unread => Exit::Unable,
            0 => Exit::Well,
            _ => Exit::Short,
        }
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
    fn follow(&self, mut followed: Vec<Followed>, asked: Asked) -> Exit {
        loop {
            std::thread::sleep(EVERY);
            let mut facts = Facts::default();
            for one in &mut followed {
                if let Err(error) = one.look() {
                    output::note(format_args!("seawall: {}: {error}", one.path.display()));
                }
                facts.add(one.follower.told());
            }
            asked.apply(&mut facts);
            for line in lines(&facts, self.json) {
                match output::out_while_read(line) {
                    Ok(true) => {}
                    Ok(false) => return Exit::Well,
                    Err(_) => return Exit::Unable,
                }
            }
        }
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

/// A file that is followed.
struct Followed {
    path: PathBuf,
    file: File,
    inode: (u64, u64),
    at: u64,
    follower: Follower,
}

impl Followed {
    fn open(path: &Path, given: Given) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let about = file.metadata()?;
        if !about.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        let lines = lines_in(&mut file, about.len())?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Ok(Self {
            path: path.to_owned(),
            inode: (about.dev(), about.ino()),
            at: about.len(),
            follower: Follower::new(&name, lines, given),
            file,
        })
    }

    /// Takes what is new: the rest of the file that it was, then the one that stands in its place.
    fn look(&mut self) -> io::Result<()> {
        if self.file.metadata()?.len() < self.at {
            // It was cut (copytruncate): it begins anew.
            self.file.seek(SeekFrom::Start(0))?;
            self.at = 0;
            self.follower.again();
        }
        self.rest()?;
        let now = match fs::metadata(&self.path) {
            Ok(now) => now,
            // Between a rotation's two steps there is none.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        if (now.dev(), now.ino()) != self.inode {
            self.file = File::open(&self.path)?;
            self.inode = (now.dev(), now.ino());
            self.at = 0;
            self.follower.again();
            self.rest()?;
        }
        Ok(())
    }

    fn rest(&mut self) -> io::Result<()> {
        let mut bytes = vec![0; 64 * 1024];
        loop {
            let came = self.file.read(&mut bytes)?;
            if came == 0 {
                return Ok(());
            }
            self.at += came as u64;
            self.follower.take(&bytes[..came]);
        }
    }
}

/// How many lines end in the first `length` bytes.
fn lines_in(file: &mut File, length: u64) -> io::Result<u64> {
    let mut left = length;
    let mut lines = 0;
    let mut bytes = vec![0; 256 * 1024];
    while left > 0 {
        let room = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let came = file.read(&mut bytes[..room])?;
        if came == 0 {
            break;
        }
        left -= came as u64;
        let ends = bytes[..came].split(|byte| *byte == b'\n').count() - 1;
        lines += ends as u64;
    }
    Ok(lines)
}
