//! The state directory: whose it is, and which journals of dead processes are still kept.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, FlockOperation, Mode, OFlags, flock, fstat, openat, statat,
    unlinkat,
};
use rustix::io::Errno;
use rustix::process::geteuid;

/// How many journals of dead processes are kept in a directory. Enough for the workers of a host before and after a
/// bad deployment; with the default size they are 16 MiB.
const DEAD_MAX: usize = 16;

/// What the name of every journal ends with.
pub(super) const SUFFIX: &str = ".journal";

/// A directory that is ours alone, held by its descriptor: what its path leads to later does not matter.
pub(super) struct Directory(OwnedFd);

/// Why a directory is not used.
#[derive(Debug, thiserror::Error)]
pub(super) enum DirectoryError {
    #[error("the directory could not be made: {0}")]
    Make(io::Error),
    #[error("the directory could not be opened: {0}")]
    Open(io::Error),
    #[error("the path is a symbolic link, which is not followed")]
    Link,
    #[error("the path is no directory")]
    NoDirectory,
    #[error("the directory belongs to user {owner}, this process runs as user {us}")]
    Owner { owner: u32, us: u32 },
    #[error("others may write to the directory (mode {mode:03o})")]
    Shared { mode: u32 },
}

impl DirectoryError {
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::Make(_) | Self::Open(_) => "make it, and give it to the user of this process",
            Self::Link | Self::NoDirectory => "set state_dir to the directory itself",
            Self::Owner { .. } => "chown it to the user of this process, or set another state_dir",
            Self::Shared { .. } => "chmod 700 it",
        }
    }
}

impl Directory {
    /// Opens the directory, and makes it first if it is missing.
    pub(super) fn open(path: &Path) -> Result<Self, DirectoryError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = match openat(CWD, path, flags, Mode::empty()) {
            Err(Errno::NOENT) => {
                DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(path)
                    .map_err(DirectoryError::Make)?;
                openat(CWD, path, flags, Mode::empty())
            }
            other => other,
        };
        let directory = opened.map_err(|error| why_not(path, error))?;
        check(&directory)?;
        Ok(Self(directory))
    }

    /// Makes a file that was not there.
    pub(super) fn create(&self, name: &str) -> Result<File, Errno> {
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(&self.0, name, flags, Mode::RUSR | Mode::WUSR).map(File::from)
    }

    /// Removes a file of ours.
    pub(super) fn remove(&self, name: &str) {
        // If it cannot be removed, it is one of those that the next process finds.
        let _ = unlinkat(&self.0, name, AtFlags::empty());
    }

    /// Removes the journals of dead processes, but for the newest.
    pub(super) fn forget_the_oldest(&self) {
        let mut dead = self.dead();
        dead.sort_by(|(a, _), (b, _)| b.cmp(a));
        for (_, name) in dead.iter().skip(DEAD_MAX - 1) {
            self.remove(name);
        }
    }

    /// Journals that nobody writes, with the second of their last change.
    fn dead(&self) -> Vec<(i64, String)> {
        let Ok(entries) = Dir::read_from(&self.0) else {
            return Vec::new();
        };
        entries
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name().to_str().ok()?;
                let changed = name.ends_with(SUFFIX).then(|| self.dead_since(name))??;
                Some((changed, name.to_owned()))
            })
            .collect()
    }

    /// When a journal was last changed, if nobody writes it.
    fn dead_since(&self, name: &str) -> Option<i64> {
        let found = statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        let ours = found.st_uid == geteuid().as_raw();
        if !ours || FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
            return None;
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(&self.0, name, flags, Mode::empty()).ok()?;
        // Its writer holds a lock for as long as it lives.
        flock(&file, FlockOperation::NonBlockingLockShared).ok()?;
        Some(found.st_mtime)
    }
}

fn why_not(path: &Path, error: Errno) -> DirectoryError {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => DirectoryError::Link,
        Ok(found) if !found.is_dir() => DirectoryError::NoDirectory,
        _ => DirectoryError::Open(error.into()),
    }
}

/// Whether nobody else can put something into it, or take something away.
fn check(directory: &OwnedFd) -> Result<(), DirectoryError> {
    let found = fstat(directory).map_err(|error| DirectoryError::Open(error.into()))?;
    let (owner, us) = (found.st_uid, geteuid().as_raw());
    if owner != us {
        return Err(DirectoryError::Owner { owner, us });
    }
    let mode = found.st_mode & 0o777;
    if mode & 0o022 != 0 {
        return Err(DirectoryError::Shared { mode });
    }
    Ok(())
}
