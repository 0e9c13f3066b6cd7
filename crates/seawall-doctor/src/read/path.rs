//! Files and folders, as they lie on a disk: they grow, are cut and vanish while they are read.

use std::cell::Cell;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::open::{Opened, open};
use super::{Given, Kind, file};
use crate::facts::{Facts, Unseen};

/// So many files of a folder are read, the first by name.
pub(super) const FILES_MAX: usize = 1_000;

/// So many folders deep.
const DEEP_MAX: usize = 5;

/// Reads a file. What is written to it in the meantime is not waited for.
pub fn path(path: &Path, name: &str, given: Given) -> io::Result<(Kind, Facts)> {
    match open(path)? {
        Opened::File(input, length) => of_length(input, length, name, given),
        Opened::Stream(input) => file(name, input, given),
    }
}

/// Reads what had so many bytes when it was opened.
pub(super) fn of_length(
    input: impl Read,
    length: u64,
    name: &str,
    given: Given,
) -> io::Result<(Kind, Facts)> {
    let ended_at = Rc::new(Cell::new(None));
    let input = Counted {
        input,
        bytes: 0,
        ended_at: Rc::clone(&ended_at),
    };
    // Whose reader leaves the rest, as of an archive behind its last file, was not cut.
    let (kind, mut facts) = file(name, input.take(length), given)?;
    if let Some(read) = ended_at.get()
        && kind != Kind::Unknown
        && facts.unseen.is_empty()
    {
        facts.unseen.push(Unseen {
            what: format!("the end of {name}"),
            why: format!(
                "it had {length} bytes, and {read} could be read: it was cut while it was read"
            ),
            how: "read it again, and the file that it was rotated to".to_owned(),
        });
    }
    Ok((kind, facts))
}

struct Counted<R> {
    input: R,
    bytes: u64,
    /// How much there was, once there is no more.
    ended_at: Rc<Cell<Option<u64>>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(into)?;
        self.bytes += count as u64;
        if count == 0 && !into.is_empty() {
            self.ended_at.set(Some(self.bytes));
        }
        Ok(count)
    }
}

/// What lies in a folder.
#[derive(Debug, Default)]
pub struct Folder {
    /// Its files, by name, and those of the folders in it.
    pub files: Vec<PathBuf>,
    /// So many more there are than are read.
    pub more: usize,
    /// Folders in it that cannot be looked into, and why.
    pub closed: Vec<(PathBuf, io::Error)>,
}

/// The files of a folder and of the folders in it. Links, pipes and devices are left out: they may lead anywhere, or nowhere.
pub fn folder(path: &Path) -> io::Result<Folder> {
    let mut found = Folder::default();
    let mut open = vec![(path.to_owned(), 0)];
    let mut first = true;
    while let Some((path, depth)) = open.pop() {
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if first => return Err(error),
            Err(error) => {
                found.closed.push((path, error));
                continue;
            }
        };
        first = false;
        for entry in entries.flatten() {
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            if hidden {
                continue;
            }
            if kind.is_file() {
                found.files.push(entry.path());
            } else if kind.is_dir() && depth < DEEP_MAX {
                open.push((entry.path(), depth + 1));
            }
        }
        // A folder without an end fills no memory.
        if found.files.len() > 100 * FILES_MAX {
            break;
        }
    }
    found.files.sort();
    found.more = found.files.len().saturating_sub(FILES_MAX);
    found.files.truncate(FILES_MAX);
    Ok(found)
}
