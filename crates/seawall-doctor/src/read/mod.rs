//! Files, recognised by their content.

mod application;
mod asked;
mod bundle;
mod call;
pub(crate) mod cli;
mod client_texts;
mod clock;
mod document;
mod envelope;
mod growing;
mod info;
mod input;
mod journal;
mod kernel;
mod log;
mod mixed;
mod open;
mod our_texts;
mod path;
mod record;
mod redis_log;
pub(crate) mod reply;
mod search;
mod tail;

use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::sync::Arc;

use crate::facts::{Facts, Failure, Peer, Unseen};
use crate::stamp::Stamp;
use crate::text::Listened;
pub use growing::{Asked, Growing, Looked};
use input::Held;
pub use path::{Folder, folder, path};
use search::Hit;
pub use tail::Ended;

/// So much of a file, and so many of its lines, decide what it is.
const HEAD: u64 = 2 * 1024 * 1024;
const LOOKED_AT: usize = 400;

/// A line is looked at no further than this: no line that means something is longer.
const LINE_MAX: usize = 64 * 1024;

/// A time that is further ahead than any zone is no matter of zones.
const AHEAD_S: i64 = 15 * 3_600;

/// What a reader needs besides the lines.
#[derive(Clone, Copy, Debug)]
pub struct Given {
    /// When this was read: logs without a year are from the year before it.
    pub now: Stamp,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The log of Redis, Valkey or Sentinel.
    RedisLog,
    /// What INFO, CLIENT LIST or CONFIG GET answered.
    Pasted,
    /// The kernel's log.
    Kernel,
    /// An application's log.
    Application,
    /// What the script of `seawall collect` collected.
    Bundle,
    /// Seawall's own journal.
    Journal,
    /// JSON that tells of containers, or of what a provider did.
    Document,
    /// Nothing at all.
    Empty,
    /// Nothing that is known.
    Unknown,
}

/// Reads a file to its end, in bounded memory: what it is, and what it tells.
pub fn file(name: &str, input: impl Read, given: Given) -> io::Result<(Kind, Facts)> {
    let broken = input::Broken::default();
    let (kind, mut facts) = match input::held(input, &broken)? {
        Held::Text(text) => of_text(name, text, given)?,
        Held::Zip(files) => of_archive(name, given, |each| {
            let files = BufReader::with_capacity(64 * 1024, files);
            input::zip::walk(files, path::FILES_MAX, each)
        })?,
        Held::Tar(files) => of_archive(name, given, |each| {
            let files = BufReader::with_capacity(64 * 1024, files);
            input::tar::walk(files, path::FILES_MAX, each)
        })?,
    };
    facts
        .unseen
        .extend(broken.words().map(|words| cut_short(name, &words)));
    Ok((kind, facts))
}

/// The files of an archive, each by itself. It is of the kind of the first that is of any.
fn of_archive(
    name: &str,
    given: Given,
    walk: impl FnOnce(&mut dyn FnMut(&str, &mut dyn Read)) -> input::archive::Walked,
) -> io::Result<(Kind, Facts)> {
    let mut all = Facts::default();
    let mut kind = Kind::Unknown;
    let walked = walk(&mut |file_name, file| {
        let within = format!("{name}/{file_name}");
        match self::inner(&within, file, given) {
            Ok((Kind::Unknown | Kind::Empty, _)) => {}
            Ok((known, facts)) => {
                kind = if kind == Kind::Unknown { known } else { kind };
                all.add(facts);
            }
            Err(error) => all.unseen.push(Unseen {
                what: within,
                why: error.to_string(),
                how: "unpack it, and give the file by itself".to_owned(),
            }),
        }
    });
    let mut unseen = |why: String, how: &str| {
        all.unseen.push(Unseen {
            what: format!("the rest of {name}"),
            why,
            how: how.to_owned(),
        });
    };
    if walked.closed > 0 {
        let why = format!(
            "{} of its files cannot be read here: {}",
            walked.closed, walked.why
        );
        unseen(why, "unpack it, and give its files");
    }
    if let Some(words) = walked.broken {
        let why = format!("{words}: {} of its files were read", walked.files);
        unseen(why, "copy it again, whole, or unpack it");
    }
    match all.unseen.first() {
        Some(one) if kind == Kind::Unknown => Err(io::Error::other(one.why.clone())),
        _ => Ok((kind, all)),
    }
}

/// What is told of a compressed file that broke off.
fn cut_short(name: &str, words: &str) -> Unseen {
    Unseen {
        what: format!("the rest of {name}"),
        why: format!("{words}; what stands before that was read"),
        how: "copy it again, whole".to_owned(),
    }
}

/// A file in an archive; an archive in it is somebody's joke.
fn inner(name: &str, file: &mut dyn Read, given: Given) -> io::Result<(Kind, Facts)> {
    let broken = input::Broken::default();
    let Held::Text(text) = input::held(file, &broken)? else {
        return Err(io::Error::other("it is an archive in an archive"));
    };
    let (kind, mut facts) = of_text(name, text, given)?;
    facts
        .unseen
        .extend(broken.words().map(|words| cut_short(name, &words)));
    Ok((kind, facts))
}

fn of_text(name: &str, mut input: impl Read, given: Given) -> io::Result<(Kind, Facts)> {
    let mut head = Vec::new();
    input.by_ref().take(HEAD).read_to_end(&mut head)?;
    if head.is_empty() {
        return Ok((Kind::Empty, Facts::default()));
    }
    if journal::begins(&head) {
        let mut facts = Facts::default();
        journal::read(name, Cursor::new(head).chain(input), &mut facts)?;
        return Ok((Kind::Journal, facts));
    }
    if bundle::begins(&head) {
        let mut facts = Facts::default();
        let input = BufReader::with_capacity(256 * 1024, Cursor::new(head).chain(input));
        bundle::read(name, input, given, &mut facts)?;
        return Ok((Kind::Bundle, facts));
    }
    if document::begins(&head) {
        let mut facts = Facts::default();
        let known = document::read(name, Cursor::new(head).chain(input), &mut facts);
        return Ok((if known { Kind::Document } else { Kind::Unknown }, facts));
    }
    let first = first_lines(&head)?;
    let known = reader(name, &head, &first, given);
    let pasted = known.is_none() && Recognised::of(&first, given).kind == Kind::Pasted;
    let input = Cursor::new(head).chain(input);
    let mut facts = Facts::default();
    let kind = match known {
        Some((kind, reader)) => {
            searched(reader, &first, input, given, &mut facts)?;
            kind
        }
        None if pasted => {
            let mut pasted = info::Pasted::new(name, given);
            let mut lines = Lines::new(BufReader::with_capacity(256 * 1024, input));
            while let Some(line) = lines.next()? {
                pasted.line(line);
            }
            pasted.end(&mut facts);
            Kind::Pasted
        }
        None => Kind::Unknown,
    };
    Ok((kind, facts))
}

/// What reads a log that begins so, if it is one that is read line by line.
fn reader(
    name: &str,
    head: &[u8],
    first: &[String],
    given: Given,
) -> Option<(Kind, Box<dyn Searcher>)> {
    if journal::begins(head) || bundle::begins(head) || document::begins(head) {
        return None;
    }
    let told = Recognised::of(first, given);
    let kind = match told.kind {
        // The first lines tell nothing: later ones may, if it is a log at all.
        Kind::Unknown if !head.contains(&0) && told.timed > 0 => Kind::Application,
        kind => kind,
    };
    let reader: Box<dyn Searcher> = match kind {
        Kind::RedisLog | Kind::Kernel | Kind::Application if told.mixed => {
            Box::new(mixed::Mixed::new(name, given, kind))
        }
        Kind::RedisLog => Box::new(redis_log::RedisLog::new(name, given)),
        Kind::Kernel => Box::new(kernel::Kernel::new(name, given)),
        Kind::Application => Box::new(application::Application::new(name, given)),
        _ => return None,
    };
    Some((kind, reader))
}

/// The lines that decide what a file is.
fn first_lines(head: &[u8]) -> io::Result<Vec<String>> {
    let mut lines = Lines::new(head);
    let mut first = Vec::new();
    while first.len() < LOOKED_AT {
        match lines.next()? {
            Some(line) => first.push(line.to_owned()),
            None => break,
        }
    }
    Ok(first)
}

/// Shows a reader the lines that it, or a rule, listens for.
fn searched(
    reader: Box<dyn Searcher>,
    first: &[String],
    input: impl Read,
    given: Given,
    facts: &mut Facts,
) -> io::Result<()> {
    let mut log = log::Log::new(reader, first, given);
    log.through(input)?;
    log.end(facts);
    Ok(())
}

/// The words that a log is searched for, whosever it is: a line without any of them tells nothing.
pub fn words() -> &'static [&'static str] {
    &mixed::listened().words
}

/// How a call failed of which a client wrote so.
pub(crate) fn failure_of(words: &str) -> Option<Failure> {
    client_texts::meaning(words).map(|(_, known)| known.failure)
}

/// Every message of a client that is known.
#[cfg(test)]
pub(crate) fn messages() -> impl Iterator<Item = (&'static str, Failure)> {
    let known = client_texts::TEXTS.iter();
    known.map(|known| (known.words, known.failure))
}

/// A time as a log writes it.
pub(crate) fn moment(text: &str, now: Stamp) -> Option<Stamp> {
    clock::find(text, now).map(|told| told.at)
}

/// A row of CLIENT LIST.
pub(crate) fn client(row: &str) -> Option<Peer> {
    redis_log::peer(row)
}

/// Reads a log, of which it is shown the lines in which something stands that matters.
trait Searcher: Send {
    /// The file's name.
    fn source(&self) -> Arc<str>;
    /// What matters.
    fn listened(&self) -> &'static Listened;
    fn line(&mut self, hit: &Hit<'_>);
    /// When a line was written, if it tells.
    fn time(&self, line: &str) -> Option<Stamp>;
    /// All that it told.
    fn end(&mut self, facts: &mut Facts);
    /// What it told since it was last asked. What may have more to it is kept back, unless it has been `quiet` since.
    fn so_far(&mut self, _quiet: bool, facts: &mut Facts) {
        self.end(facts);
    }
    /// Times without a year are those before that moment.
    fn at(&mut self, given: Given);
    /// One that has heard the same.
    fn copy(&self) -> Box<dyn Searcher>;
}

/// What the first lines of a file tell.
struct Recognised {
    kind: Kind,
    /// Something carries its lines, or they are of several kinds: any may come.
    mixed: bool,
    /// So many lines have a time.
    timed: usize,
}

impl Recognised {
    /// The file is what most of its lines are.
    fn of(head: &[String], given: Given) -> Self {
        let now = given.now;
        let lines: Vec<_> = head.iter().map(|line| envelope::open(line, now)).collect();
        let count = |is: &dyn Fn(&envelope::Opened<'_>) -> bool| {
            lines.iter().filter(|opened| is(opened)).count()
        };
        let server = count(&|line| line.of == envelope::Of::Server || redis_log::is(&line.text));
        let kernel = count(&|line| line.of == envelope::Of::Kernel || kernel::is(&line.text));
        let application = count(&|line| {
            line.of == envelope::Of::Anybody
                && redis_log::head(&line.text).is_none()
                && application::is(&line.text)
        });
        let scores = [
            (server, Kind::RedisLog),
            (count(&|line| info::is(&line.text)), Kind::Pasted),
            (kernel, Kind::Kernel),
            (application, Kind::Application),
        ];
        // `max_by_key` takes the last of several: they stand from the vaguest to the most telling.
        let best = scores.into_iter().rev().max_by_key(|(score, _)| *score);
        let kind = best
            .filter(|(score, _)| *score > 0)
            .map_or(Kind::Unknown, |(_, kind)| kind);
        // A crashed server writes what INFO would answer into its log, and little else.
        let is_log = |opened: &envelope::Opened<'_>| redis_log::head(&opened.text).is_some();
        let kind = match kind {
            Kind::Pasted if count(&is_log) > 1 => Kind::RedisLog,
            kind => kind,
        };
        let carried = head
            .iter()
            .filter(|line| envelope::is_carried(line, now))
            .count();
        let kinds = [server, kernel, application];
        let timed = |opened: &&envelope::Opened<'_>| {
            opened.told.is_some() || clock::find(&opened.text, now).is_some()
        };
        Self {
            kind,
            mixed: carried * 2 > head.len() || kinds.iter().filter(|count| **count > 0).count() > 1,
            timed: lines.iter().filter(timed).count(),
        }
    }
}

/// Lines of text out of bytes that may be anything.
struct Lines<R> {
    input: R,
    bytes: Vec<u8>,
    text: String,
}

impl<R: BufRead> Lines<R> {
    fn new(input: R) -> Self {
        Self {
            input,
            bytes: Vec::new(),
            text: String::new(),
        }
    }

    fn next(&mut self) -> io::Result<Option<&str>> {
        self.bytes.clear();
        let mut more = true;
        let mut came = false;
        while more {
            let chunk = self.input.fill_buf()?;
            if chunk.is_empty() {
                break;
            }
            came = true;
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let upto = end.unwrap_or(chunk.len());
            let room = LINE_MAX.saturating_sub(self.bytes.len());
            self.bytes.extend_from_slice(&chunk[..upto.min(room)]);
            more = end.is_none();
            let used = end.map_or(upto, |end| end + 1);
            self.input.consume(used);
        }
        if !came {
            return Ok(None);
        }
        self.text.clear();
        self.text
            .push_str(String::from_utf8_lossy(&self.bytes).trim_end_matches('\r'));
        Ok(Some(&self.text))
    }
}

#[cfg(test)]
mod tests;
