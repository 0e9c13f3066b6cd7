//! The file of one ring: made when the first record comes, written piece by piece, given up at the first trouble.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rustix::fs::{FallocateFlags, FlockOperation, fallocate, flock, fstat};
use rustix::io::Errno;
use seawall_model::Endpoint;
use seawall_model::journal::{HEADER_BYTES, RingHeader};

use super::directory::{Directory, DirectoryError};
use crate::events::{Event, Listeners};

/// How many names are tried for a new file. Two clients of one process that begin in the same millisecond need two.
const NAMES_MAX: u64 = 64;

/// Where a ring is to be kept, and who hears if it cannot be.
pub(super) struct Place {
    dir: PathBuf,
    /// Service, endpoint and process.
    stem: String,
    header: RingHeader,
    endpoint: String,
    listeners: Listeners,
}

impl Place {
    pub(super) fn new(dir: &Path, service: &str, endpoint: &Endpoint, header: &RingHeader) -> Self {
        let service = plain(service, 40);
        let name = endpoint.to_string();
        let endpoint = plain(&name, 80);
        Self {
            dir: dir.to_owned(),
            stem: format!("{service}-{endpoint}-{}", header.process),
            header: *header,
            endpoint: name,
            listeners: Listeners::default(),
        }
    }

    pub(super) fn told_to(self, listeners: &Listeners) -> Self {
        Self {
            listeners: listeners.clone(),
            ..self
        }
    }

    /// The name of its file, at the `try_number`th try.
    fn name(&self, try_number: u64) -> String {
        let begun = self.header.started_unix_ms.saturating_add(try_number);
        format!("{}-{begun}.journal", self.stem)
    }
}

/// What may stand in a file's name, wherever it came from.
fn plain(text: &str, bytes_max: usize) -> String {
    let plain: String = text
        .chars()
        .map(|c| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '_' => c,
            _ => '_',
        })
        .take(bytes_max)
        .collect();
    // A dot at the front would hide it.
    let plain = plain.trim_start_matches(['.', '_']);
    if plain.is_empty() { "app" } else { plain }.to_owned()
}

/// Some bytes of a file.
pub(super) struct Piece {
    pub(super) at: u64,
    pub(super) bytes: Vec<u8>,
}

/// The file of one ring, as far as there is one. Only the writer's thread touches the disk.
pub(super) struct Disk {
    place: Place,
    file: Mutex<Stage>,
    path: OnceLock<PathBuf>,
    over: AtomicBool,
}

enum Stage {
    /// Nothing has been written.
    NotYet,
    Open(File),
    /// It could not be written.
    Over,
}

impl Disk {
    pub(super) fn new(place: Place) -> Self {
        Self {
            place,
            file: Mutex::new(Stage::NotYet),
            path: OnceLock::new(),
            over: AtomicBool::new(false),
        }
    }

    /// Whether it is written, or will be.
    pub(super) fn is_written(&self) -> bool {
        !self.over.load(Ordering::Acquire)
    }

    /// The file, once it is there and as long as it is written.
    pub(super) fn path(&self) -> Option<&Path> {
        self.path
            .get()
            .map(PathBuf::as_path)
            .filter(|_| self.is_written())
    }

    /// Makes the file, if it is not there yet; `header` are its first bytes.
    pub(super) fn begin(&self, header: impl FnOnce() -> Vec<u8>) {
        let mut stage = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*stage, Stage::NotYet) {
            return;
        }
        match self.make(&header()) {
            Ok(file) => *stage = Stage::Open(file),
            Err(trouble) => self.give_up(stage, &trouble),
        }
    }

    /// Writes the pieces in their order.
    pub(super) fn write(&self, pieces: &[Piece]) {
        let stage = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let Stage::Open(file) = &*stage else { return };
        if let Err(trouble) = write_all(file, pieces) {
            self.give_up(stage, &trouble);
        }
    }

    fn make(&self, header: &[u8]) -> Result<File, Trouble> {
        let directory = Directory::open(&self.place.dir)?;
        directory.forget_the_oldest();
        let mut try_number = 0;
        let (name, file) = loop {
            let name = self.place.name(try_number);
            match directory.create(&name) {
                Ok(file) => break (name, file),
                Err(Errno::EXIST) if try_number < NAMES_MAX => try_number += 1,
                Err(error) => return Err(Trouble::Create(error.into())),
            }
        };
        // What a pruner goes by. Where the file system knows no locks, it may take this file for a dead process's.
        let _ = flock(&file, FlockOperation::LockExclusive);
        if let Err(error) = reserve(&file, HEADER_BYTES as u64 + self.place.header.area_bytes)
            .and_then(|()| file.write_all_at(header, 0))
        {
            directory.remove(&name);
            return Err(Trouble::Reserve(error));
        }
        let _ = self.path.set(self.place.dir.join(&name));
        Ok(file)
    }

    /// Memory alone from now on.
    fn give_up(&self, mut stage: MutexGuard<'_, Stage>, trouble: &Trouble) {
        *stage = Stage::Over;
        drop(stage);
        self.over.store(true, Ordering::Release);
        let hint = trouble.hint();
        let dir = &self.place.dir;
        tracing::warn!(dir = %dir.display(), error = %trouble, hint, "journal.memory_only");
        let event = Event::JournalInMemory {
            directory: dir,
            detail: &trouble.to_string(),
            hint,
        };
        self.place.listeners.tell(&self.place.endpoint, &event);
    }
}

/// Takes the room at once, so that a full disk is met now and not in an outage. It is never cut afterwards.
fn reserve(file: &File, bytes: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), 0, bytes) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => file.set_len(bytes),
        other => Ok(other?),
    }
}

fn write_all(file: &File, pieces: &[Piece]) -> Result<(), Trouble> {
    for piece in pieces {
        file.write_all_at(&piece.bytes, piece.at)
            .map_err(Trouble::Write)?;
    }
    let links = fstat(file)
        .map_err(|error| Trouble::Write(error.into()))?
        .st_nlink;
    if links == 0 {
        return Err(Trouble::Removed);
    }
    Ok(())
}

/// Why there is no journal on disk.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    #[error("a journal could not be made: {0}")]
    Create(io::Error),
    #[error("there is no room for a journal: {0}")]
    Reserve(io::Error),
    #[error("the journal could not be written: {0}")]
    Write(io::Error),
    #[error("the journal was removed while it was written")]
    Removed,
}

impl Trouble {
    fn hint(&self) -> &'static str {
        match self {
            Self::Directory(error) => error.hint(),
            Self::Create(_) => "may this user write there? is the file system mounted read-only?",
            Self::Reserve(_) | Self::Write(_) => {
                "make room there (`df`, `ulimit -f`), or set a smaller journal_bytes; the process goes on in memory"
            }
            Self::Removed => {
                "leave files of live processes where they are; old ones are removed by themselves"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: RingHeader = RingHeader {
        area_bytes: 16 << 10,
        boot_id: [0; 16],
        process: 4711,
        started_unix_ms: 1_700_000_000_000,
    };

    #[test]
    fn a_file_is_named_for_service_endpoint_and_process_whatever_these_contain() {
        let tcp = Endpoint::tcp("cache.internal", 6379).expect("it is one");
        let name = |service: &str, endpoint: &Endpoint| {
            Place::new(Path::new("/s"), service, endpoint, &HEADER).name(0)
        };
        assert_eq!(
            name("shop", &tcp),
            "shop-cache.internal_6379-4711-1700000000000.journal"
        );
        assert_eq!(
            name("../../etc/passwd", &tcp),
            "etc_passwd-cache.internal_6379-4711-1700000000000.journal"
        );
        assert_eq!(
            name("", &Endpoint::unix("/run/redis.sock").expect("it is one")),
            "app-unix__run_redis.sock-4711-1700000000000.journal"
        );
        let long = name(
            &"x".repeat(500),
            &Endpoint::tcp(&"h".repeat(60), 1).expect("it is one"),
        );
        assert!(long.len() < 200, "{long}");
    }
}
