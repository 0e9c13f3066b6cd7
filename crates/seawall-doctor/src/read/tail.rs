//! A file that is written to: what is new in it, through rotation and cuts.

use std::fs::{self, File};
use std::io::{self, Read, Seek as _, SeekFrom};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// So much of what was read last is kept, to see that it still stands there.
const MARK: usize = 512;

/// A file's time is that of the kernel's last tick, which may be so long ago.
const TICK: Duration = Duration::from_millis(20);

/// So many files are known again that were read and rotated.
const READ_MAX: usize = 16;

/// What became of a file.
pub(super) enum Came<'a> {
    /// More of it.
    More(&'a mut dyn Read),
    /// It ended: what comes next is of another file in its place, or of the same one that was cut.
    Ended(Ended),
}

/// How a file ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Another one stands in its place.
    Rotated,
    /// It was cut, or written anew.
    Cut,
    /// There is none, for now.
    Gone,
}

/// A file as far as it was read.
pub(super) struct Tail {
    path: PathBuf,
    file: File,
    /// By device and number.
    id: (u64, u64),
    at: u64,
    /// The last bytes that were read.
    last: Vec<u8>,
    looked: SystemTime,
    /// Those that were read before it.
    read: Vec<(u64, u64)>,
    gone: bool,
}

impl Tail {
    /// Opens a file to read it from its beginning; it must be one.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let (file, id) = open(path)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            id,
            at: 0,
            last: Vec::new(),
            looked: SystemTime::now(),
            read: Vec::new(),
            gone: false,
        })
    }

    /// Shows what is new: the rest of the file that it was, then the one that stands in its place.
    pub(super) fn look(
        &mut self,
        mut each: impl FnMut(Came<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let now = SystemTime::now();
        self.look_since(&mut each)?;
        self.looked = now;
        Ok(())
    }

    fn look_since(&mut self, each: &mut impl FnMut(Came<'_>) -> io::Result<()>) -> io::Result<()> {
        if self.was_cut()? {
            // What was written between the last look and the cut may be in the copy that was made before it.
            if let Some(mut copy) = self.copy() {
                each(Came::More(&mut copy))?;
            }
            each(Came::Ended(Ended::Cut))?;
            self.file.seek(SeekFrom::Start(0))?;
            self.begin();
        }
        self.more(each)?;
        let about = match fs::metadata(&self.path) {
            Ok(about) => about,
            // Between a rotation's two steps there is none.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if !std::mem::replace(&mut self.gone, true) {
                    each(Came::Ended(Ended::Gone))?;
                }
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.gone = false;
        if (about.dev(), about.ino()) != self.id {
            let (file, id) = open(&self.path)?;
            // Whoever wrote to it when it was renamed may have written since it was read above.
            self.more(each)?;
            each(Came::Ended(Ended::Rotated))?;
            for mut between in self.between(id) {
                each(Came::More(&mut between))?;
                each(Came::Ended(Ended::Rotated))?;
            }
            self.read.push(self.id);
            self.read.drain(..self.read.len().saturating_sub(READ_MAX));
            (self.file, self.id) = (file, id);
            self.begin();
            self.more(each)?;
        }
        Ok(())
    }

    fn begin(&mut self) {
        self.at = 0;
        self.last.clear();
    }

    fn more(&mut self, each: &mut impl FnMut(Came<'_>) -> io::Result<()>) -> io::Result<()> {
        // What is written while it is read is left for the next look: who writes faster than we read would keep us for ever.
        let length = self.file.metadata()?.len();
        let new = length.saturating_sub(self.at);
        if new == 0 {
            return Ok(());
        }
        let Self { file, at, last, .. } = self;
        each(Came::More(&mut Noted {
            input: file.take(new),
            at,
            last,
        }))
    }

    /// Whether it is shorter than it was, or other bytes stand where it was read up to.
    fn was_cut(&self) -> io::Result<bool> {
        if self.file.metadata()?.len() < self.at {
            return Ok(true);
        }
        Ok(!stands_in(&self.file, self.at, &self.last))
    }

    /// The copy of a file that was cut, from where that was read up to.
    fn copy(&self) -> Option<File> {
        let mut beside = self.beside(|_| true);
        let at = beside.iter().position(|beside| {
            !self.last.is_empty() && stands_in(&beside.file, self.at, &self.last)
        })?;
        let mut copy = beside.swap_remove(at).file;
        copy.seek(SeekFrom::Start(self.at)).ok()?;
        Some(copy)
    }

    /// Files that stood in its place and were rotated as well since it was looked at, the oldest first.
    fn between(&self, now: (u64, u64)) -> Vec<File> {
        let numbered = |rest: &[u8]| {
            let plain = |byte: &u8| byte.is_ascii_digit() || b".-_".contains(byte);
            rest.iter().any(u8::is_ascii_digit) && rest.iter().all(plain)
        };
        let mut beside = self.beside(numbered);
        let since = self.looked.checked_sub(TICK).unwrap_or(self.looked);
        beside.retain(|beside| {
            beside.id != now && beside.written > since && !self.read.contains(&beside.id)
        });
        beside.sort_by_key(|beside| beside.written);
        beside.into_iter().map(|beside| beside.file).collect()
    }

    /// Other files beside it, whose names begin as its own and go on as `suffix` says.
    fn beside(&self, suffix: impl Fn(&[u8]) -> bool) -> Vec<Beside> {
        let Some(name) = self.path.file_name() else {
            return Vec::new();
        };
        let folder = self
            .path
            .parent()
            .filter(|path| !path.as_os_str().is_empty());
        let entries = fs::read_dir(folder.unwrap_or(Path::new("."))).into_iter();
        let named = entries
            .flatten()
            .flatten()
            .take(ENTRIES_MAX)
            .filter(|entry| {
                let rest = entry.file_name();
                let rest = rest
                    .as_encoded_bytes()
                    .strip_prefix(name.as_encoded_bytes());
                rest.is_some_and(|rest| !rest.is_empty() && suffix(rest))
                    && entry.file_type().is_ok_and(|kind| kind.is_file())
            });
        let opened = named.filter_map(|entry| {
            let (file, id) = open(&entry.path()).ok()?;
            let written = file.metadata().and_then(|about| about.modified()).ok()?;
            Some(Beside { file, id, written })
        });
        opened.filter(|beside| beside.id != self.id).collect()
    }
}

/// A file beside another one.
struct Beside {
    file: File,
    id: (u64, u64),
    written: SystemTime,
}

/// No folder of logs has more that matter.
const ENTRIES_MAX: usize = 10_000;

fn open(path: &Path) -> io::Result<(File, (u64, u64))> {
    // Before it is opened: at a pipe that would wait for who writes to it.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let file = File::open(path)?;
    let about = file.metadata()?;
    Ok((file, (about.dev(), about.ino())))
}

/// Whether these bytes end there.
fn stands_in(file: &File, end: u64, bytes: &[u8]) -> bool {
    let mut there = vec![0; bytes.len()];
    let begin = end.saturating_sub(bytes.len() as u64);
    file.read_exact_at(&mut there, begin).is_ok() && there == bytes
}

/// Notes how far a file was read.
struct Noted<'a> {
    input: io::Take<&'a mut File>,
    at: &'a mut u64,
    last: &'a mut Vec<u8>,
}

impl Read for Noted<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(into)?;
        *self.at += count as u64;
        let came = &into[count.saturating_sub(MARK)..count];
        let keep = MARK - came.len();
        self.last.drain(..self.last.len().saturating_sub(keep));
        self.last.extend_from_slice(came);
        Ok(count)
    }
}
