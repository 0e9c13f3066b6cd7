//! A log that is looked at again and again: what was read of it is not read once more, and what it told is kept when it is
//! rotated, cut or gone.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use super::log::Log;
use super::tail::{Came, Ended, Tail};
use super::{Given, HEAD, Kind, Searcher, first_lines, input, mixed, reader};
use crate::facts::Facts;

/// What so many files told that were rotated away is kept: memory has an end.
const ROTATED_MAX: usize = 8;

/// A log as far as it was read, and what it told before it was rotated.
pub struct Growing {
    name: String,
    tail: Tail,
    kind: Kind,
    log: Log,
    /// Hears what comes, and is emptied when somebody asks what is new.
    fresh: Option<Box<dyn Searcher>>,
    rotated: VecDeque<Facts>,
    /// So many of them were dropped.
    dropped: usize,
}

impl std::fmt::Debug for Growing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Growing({})", self.name)
    }
}

/// What a look saw.
#[derive(Debug, Default)]
pub struct Looked {
    /// Whether anything was new.
    pub more: bool,
    /// How it ended, if it did.
    pub ends: Vec<Ended>,
}

/// What is asked of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// All that it tells, if enough of it is there to know what it is.
    All,
    /// What is new besides, whatever it turns out to be.
    New,
}

impl Growing {
    /// Opens a log, of which nothing is read before the first look. `None` if it is none that goes on line by line: what is
    /// compressed, pasted or a document is read as a whole.
    pub fn open(path: &Path, name: &str, given: Given, asked: Asked) -> io::Result<Option<Self>> {
        let tail = Tail::open(path)?;
        let mut head = Vec::new();
        File::open(path)?.take(HEAD).read_to_end(&mut head)?;
        let plain = input::is_plain(&head);
        let first = first_lines(&head)?;
        let settled = first.len() == super::LOOKED_AT || head.len() as u64 == HEAD;
        let recognised = plain.then(|| reader(name, &head, &first, given)).flatten();
        let (kind, log_reader) = match (recognised, asked) {
            (Some(recognised), Asked::All) if settled => recognised,
            // What follows may be of any kind.
            (known, Asked::New) if plain => {
                let kind = known.map_or(Kind::Unknown, |(kind, _)| kind);
                (kind, any(name, given, kind))
            }
            _ => return Ok(None),
        };
        Ok(Some(Self {
            name: name.to_owned(),
            tail,
            kind,
            fresh: (asked == Asked::New).then(|| log_reader.copy()),
            log: Log::new(log_reader, &first, given),
            rotated: VecDeque::new(),
            dropped: 0,
        }))
    }

    /// Takes what is new; how it ended meanwhile, if it did.
    pub fn look(&mut self, given: Given) -> io::Result<Looked> {
        self.log.at(given);
        if let Some(fresh) = &mut self.fresh {
            fresh.at(given);
        }
        let mut looked = Looked::default();
        let Self {
            name,
            tail,
            log,
            fresh,
            rotated,
            dropped,
            kind,
            ..
        } = self;
        tail.look(|came| {
            let mut others: Vec<&mut dyn Searcher> = Vec::new();
            if let Some(fresh) = fresh {
                others.push(&mut **fresh);
            }
            match came {
                Came::More(input) => {
                    looked.more = true;
                    return log.through_beside(input, &mut others);
                }
                Came::Ended(Ended::Gone) => looked.ends.push(Ended::Gone),
                Came::Ended(end) => {
                    log.rest_beside(&mut others);
                    let mut told = Facts::default();
                    log.told(&mut told);
                    // As logrotate names it, so that it is known as the same log.
                    let at = given.now.to_string();
                    let digits = at[..19].chars().filter(char::is_ascii_digit);
                    told.rename(name, &format!("{name}-{}", digits.collect::<String>()));
                    rotated.push_back(told);
                    if rotated.len() > ROTATED_MAX {
                        rotated.pop_front();
                        *dropped += 1;
                    }
                    *log = Log::new(any(name, given, *kind), &[], given);
                    looked.ends.push(end);
                }
            }
            Ok(())
        })?;
        Ok(looked)
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// All that it told.
    pub fn told(&self) -> Facts {
        let mut facts = Facts::default();
        self.log.told(&mut facts);
        for told in &self.rotated {
            facts.add(told.clone());
        }
        if self.dropped > 0 {
            facts.assumed.insert(format!(
                "{}: it was rotated more often than {ROTATED_MAX} times, and what its first {} told is not looked at any more",
                self.name, self.dropped
            ));
        }
        facts
    }

    /// What it told since this was last asked. A failure of which more may come is kept back, unless nothing came.
    pub fn fresh(&mut self, quiet: bool) -> Facts {
        let mut facts = Facts::default();
        if let Some(fresh) = &mut self.fresh {
            fresh.so_far(quiet, &mut facts);
        }
        facts.sort();
        facts
    }
}

/// Hears every line, whatever it is of.
fn any(name: &str, given: Given, kind: Kind) -> Box<dyn Searcher> {
    Box::new(mixed::Mixed::new(name, given, kind))
}
