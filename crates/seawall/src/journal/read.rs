//! Journals that were left on disk, by processes that live or died.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use seawall_model::journal::{
    HEADER_BYTES, JournalError, Reader, Record, RingContents, RingError, RingFile, RingHeader,
};

use super::directory::SUFFIX;

/// What stood in one journal or in a directory of them.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct JournalContents {
    /// Every record that could be read, by its time: of one boot by the boot clock, of several by the wall clock.
    pub entries: Vec<Entry>,
    /// The files, by name.
    pub files: Vec<JournalFile>,
}

/// A record and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Its file's place in [`JournalContents::files`].
    pub file: usize,
    /// The record.
    pub record: Record,
}

/// One file.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct JournalFile {
    /// Where it is.
    pub path: PathBuf,
    /// The process that wrote it; `None` where its header cannot be read.
    pub process: Option<u32>,
    /// When that began to write it, in milliseconds since 1970.
    pub started_unix_ms: Option<u64>,
    /// How many of its records could be read.
    pub records: u64,
    /// Bytes that could not be read.
    pub damaged_bytes: u64,
    /// Records of a newer version, or whose fields make no sense.
    pub unknown_records: u64,
    /// Why it, or its header, could not be read.
    pub trouble: Option<JournalReadError>,
}

impl JournalFile {
    /// Whether everything in it was read.
    pub fn is_whole(&self) -> bool {
        self.trouble.is_none() && self.damaged_bytes == 0 && self.unknown_records == 0
    }
}

/// Why there is nothing to read.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalReadError {
    /// There is nothing of that name.
    #[error("{path} does not exist")]
    Missing {
        /// The path asked for.
        path: PathBuf,
    },
    /// A directory in which no journal is.
    #[error("there is no journal in {path}")]
    Empty {
        /// The directory.
        path: PathBuf,
    },
    /// It is neither a file nor a directory.
    #[error("{path} is neither a file nor a directory")]
    NoFile {
        /// The path asked for.
        path: PathBuf,
    },
    /// It is no journal, or one of another version, or its header is damaged.
    #[error("{path}: {error}")]
    Ring {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: RingError,
    },
    /// It could not be read.
    #[error("{path} could not be read: {error}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        error: String,
    },
}

impl JournalReadError {
    /// What to do, in one line.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Missing { .. } => {
                "journals are written where state_dir (SEAWALL_STATE_DIR) points to"
            }
            Self::Empty { .. } => {
                "a journal is made when its process first dials; is state_dir set there, and did it warn `journal.memory_only`?"
            }
            Self::NoFile { .. } => "give the path of a *.journal file, or of a directory of them",
            Self::Ring { error, .. } => error.hint(),
            Self::Io { .. } => {
                "journals are readable for the user of the process that wrote them, and for root"
            }
        }
    }

    fn io(path: &Path, error: &io::Error) -> Self {
        let path = path.to_owned();
        if error.kind() == io::ErrorKind::NotFound {
            return Self::Missing { path };
        }
        Self::Io {
            path,
            error: error.to_string(),
        }
    }
}

/// Reads a journal, or all of a directory, while they are written or afterwards.
///
/// What is damaged is passed over and counted; in a directory a file that cannot be read is listed with its trouble.
/// Takes as much memory as the files and their records have.
///
/// ```no_run
/// let contents = seawall::journal::read("/var/lib/seawall".as_ref())?;
/// for entry in &contents.entries {
///     println!("{:?}", entry.record.event);
/// }
/// # Ok::<(), seawall::journal::JournalReadError>(())
/// ```
pub fn read(path: &Path) -> Result<JournalContents, JournalReadError> {
    let found = std::fs::metadata(path).map_err(|error| JournalReadError::io(path, &error))?;
    let mut parts = Vec::new();
    if found.is_dir() {
        for path in journals(path)? {
            let part = read_file(&path);
            // One that was removed since the directory was read is as one that never was there.
            if !matches!(part, Err(JournalReadError::Missing { .. })) {
                parts.push((path, part));
            }
        }
        if parts.is_empty() {
            return Err(JournalReadError::Empty {
                path: path.to_owned(),
            });
        }
    } else {
        let part = read_file(path)?;
        parts.push((path.to_owned(), Ok(part)));
    }
    Ok(merge(parts))
}

/// The journals of a directory, by name.
fn journals(dir: &Path) -> Result<Vec<PathBuf>, JournalReadError> {
    let entries = std::fs::read_dir(dir).map_err(|error| JournalReadError::io(dir, &error))?;
    let mut paths: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().ends_with(SUFFIX))
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    Ok(paths)
}

/// What stood in one file.
struct Part {
    header: Result<RingHeader, RingError>,
    contents: RingContents,
}

fn read_file(path: &Path) -> Result<Part, JournalReadError> {
    let io = |error: io::Error| JournalReadError::io(path, &error);
    // A pipe of that name would be waited for.
    let mut file = File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        .map_err(io)?;
    if !file.metadata().map_err(io)?.is_file() {
        return Err(JournalReadError::NoFile {
            path: path.to_owned(),
        });
    }
    let wrong = |error| JournalReadError::Ring {
        path: path.to_owned(),
        error,
    };
    let mut bytes = Vec::new();
    file.by_ref()
        .take(HEADER_BYTES as u64)
        .read_to_end(&mut bytes)
        .map_err(io)?;
    // Nothing but a journal is read to its end, however large it is.
    let area_bytes = match RingFile::open(&bytes) {
        Ok(ring) => ring.header().area_bytes,
        Err(RingError::HeaderDamaged) => seawall_model::journal::AREA_BYTES_MAX,
        Err(error) => return Err(wrong(error)),
    };
    file.take(area_bytes).read_to_end(&mut bytes).map_err(io)?;
    match RingFile::open(&bytes) {
        Ok(ring) => Ok(Part {
            header: Ok(*ring.header()),
            contents: ring.read(),
        }),
        Err(error) => Ok(Part {
            header: Err(error),
            contents: salvage(bytes.get(HEADER_BYTES..).unwrap_or_default()),
        }),
    }
}

/// Reads what records there are where the header is damaged.
fn salvage(bytes: &[u8]) -> RingContents {
    let mut contents = RingContents::default();
    let mut reader = Reader::new(bytes);
    for read in reader.by_ref() {
        match read {
            Ok(record) => contents.records.push(record),
            Err(JournalError::Malformed { .. }) => contents.unknown_records += 1,
            Err(JournalError::Damaged { .. } | JournalError::Torn { .. }) => {}
        }
    }
    contents.damaged_bytes = reader.skipped_bytes();
    contents.unknown_records += reader.unknown_records();
    contents
}

fn merge(parts: Vec<(PathBuf, Result<Part, JournalReadError>)>) -> JournalContents {
    let mut merged = JournalContents::default();
    let mut boots = Vec::new();
    for (place, (path, part)) in parts.into_iter().enumerate() {
        let mut file = JournalFile {
            path,
            process: None,
            started_unix_ms: None,
            records: 0,
            damaged_bytes: 0,
            unknown_records: 0,
            trouble: None,
        };
        // Without a header, nobody knows of which boot it is: then it is one of its own.
        let mut boot = Boot::Unknown(place);
        match part {
            Err(trouble) => file.trouble = Some(trouble),
            Ok(Part { header, contents }) => {
                match header {
                    Ok(header) => {
                        file.process = Some(header.process);
                        file.started_unix_ms = Some(header.started_unix_ms);
                        boot = Boot::Known(header.boot_id);
                    }
                    Err(error) => {
                        file.trouble = Some(JournalReadError::Ring {
                            path: file.path.clone(),
                            error,
                        });
                    }
                }
                file.records = contents.records.len() as u64;
                file.damaged_bytes = contents.damaged_bytes;
                file.unknown_records = contents.unknown_records;
                let entries = contents.records.into_iter();
                merged.entries.extend(entries.map(|record| Entry {
                    file: place,
                    record,
                }));
            }
        }
        boots.push(boot);
        merged.files.push(file);
    }
    sort(&mut merged.entries, &boots);
    merged
}

/// Which boot of which host a file is of: only of one boot are moments comparable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Boot {
    Known([u8; 16]),
    Unknown(usize),
}

/// Sorts by time. Each boot's moments are brought to the wall clock as it stood at the boot's last record that knows
/// it: within a boot a jump of the wall clock changes no order.
fn sort(entries: &mut [Entry], boots: &[Boot]) {
    let mut offsets: HashMap<Boot, (u64, i128)> = HashMap::new();
    for entry in entries.iter() {
        let at = entry.record.at.as_nanos();
        let Some(unix_ms) = entry.record.wall_unix_ms else {
            continue;
        };
        let offset = i128::from(unix_ms) * 1_000_000 - i128::from(at);
        let known = offsets.entry(boots[entry.file]).or_insert((at, offset));
        if at >= known.0 {
            *known = (at, offset);
        }
    }
    entries.sort_by_key(|entry| {
        let offset = offsets.get(&boots[entry.file]);
        i128::from(entry.record.at.as_nanos()) + offset.map_or(0, |&(_, offset)| offset)
    });
}

#[cfg(test)]
mod tests {
    use seawall_model::Moment;
    use seawall_model::journal::Event;

    use super::*;

    fn part(boot: u8, process: u32, records: &[(u64, u64)]) -> Part {
        let records = records.iter().map(|&(at_ms, unix_ms)| Record {
            at: Moment::from_nanos(at_ms * 1_000_000),
            wall_unix_ms: Some(unix_ms),
            event: Event::Lost {
                records: process.into(),
            },
        });
        Part {
            header: Ok(RingHeader {
                area_bytes: 16 << 10,
                boot_id: [boot; 16],
                process,
                started_unix_ms: 0,
            }),
            contents: RingContents {
                records: records.collect(),
                ..RingContents::default()
            },
        }
    }

    fn order(parts: Vec<Part>) -> Vec<(usize, u64)> {
        let parts = parts
            .into_iter()
            .map(|part| (PathBuf::new(), Ok(part)))
            .collect();
        let at_ms = |entry: &Entry| entry.record.at.as_nanos() / 1_000_000;
        merge(parts)
            .entries
            .iter()
            .map(|entry| (entry.file, at_ms(entry)))
            .collect()
    }

    #[test]
    fn processes_of_one_boot_are_merged_by_the_boot_clock_whatever_the_wall_clock_did() {
        // The wall clock was set back by an hour between 10 and 20.
        let one = part(1, 100, &[(10, 7_200_000), (30, 3_600_030)]);
        let other = part(1, 200, &[(20, 3_600_020), (40, 3_600_040)]);
        assert_eq!(
            order(vec![one, other]),
            [(0, 10), (1, 20), (0, 30), (1, 40)]
        );
    }

    #[test]
    fn boots_are_merged_by_the_wall_clock() {
        let before = part(1, 100, &[(900_000, 1_000), (900_010, 1_010)]);
        let after = part(2, 100, &[(5, 5_000), (6, 5_001)]);
        let elsewhere = part(3, 100, &[(70_000, 1_005), (74_000, 5_005)]);
        assert_eq!(
            order(vec![before, after, elsewhere]),
            [
                (0, 900_000),
                (2, 70_000),
                (0, 900_010),
                (1, 5),
                (1, 6),
                (2, 74_000)
            ]
        );
    }
}
