//! What was changed, kept so that it can be taken back: one file a change, written whole before anything is changed.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::change::Change;
use crate::stamp::Stamp;

/// The version of a record's shape.
const SCHEMA: u64 = 1;

/// A record is no longer than this: what is longer is none.
const BYTES_MAX: u64 = 64 * 1024;

/// Why a record cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// There is no place for it.
    #[error("neither XDG_STATE_HOME nor HOME says where to keep it")]
    Homeless,
    /// The file system.
    #[error("{path}: {source}", path = path.display())]
    Disk {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no such record.
    #[error("there is no change {0} in {path}", path = .1.display())]
    Unknown(String, PathBuf),
    /// There is no record at all.
    #[error("no change that could be taken back is recorded in {path}", path = .0.display())]
    Empty(PathBuf),
    /// It is no record.
    #[error("{path} is not a record of a change", path = .0.display())]
    Broken(PathBuf),
}

/// How far a change got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is about to be made; whether it was is for the server to say.
    Begun,
    /// It was made.
    Applied,
    /// The server refused it.
    Refused,
    /// It was taken back.
    Undone,
}

impl State {
    /// In the file, and in a list.
    pub fn name(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Applied => "applied",
            Self::Refused => "refused",
            Self::Undone => "undone",
        }
    }

    fn of(name: &str) -> Option<Self> {
        let all = [Self::Begun, Self::Applied, Self::Refused, Self::Undone];
        all.into_iter().find(|state| state.name() == name)
    }
}

/// A change that was made, or was about to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its name; empty until it is kept.
    pub id: String,
    /// When, in milliseconds since 1970.
    pub made: Stamp,
    /// The server's address; never a password.
    pub server: String,
    /// The server's process.
    pub run_id: String,
    /// The setting.
    pub setting: String,
    /// The class of clients, where it has a value for each.
    pub class: Option<String>,
    /// What it was.
    pub old: String,
    /// What it was to be.
    pub to: String,
    /// What the server said that it was, afterwards.
    pub set: Option<String>,
    /// How far it got.
    pub state: State,
}

impl Record {
    pub(super) fn new(
        server: &str,
        run_id: String,
        change: &Change,
        old: &str,
        now: Stamp,
    ) -> Self {
        Self {
            id: String::new(),
            made: now,
            server: server.to_owned(),
            run_id,
            setting: change.setting.to_owned(),
            class: change.class.clone(),
            old: old.to_owned(),
            to: change.to.clone(),
            set: None,
            state: State::Begun,
        }
    }

    /// The change; `None` where the setting is none that the doctor changes.
    pub(super) fn change(&self) -> Option<Change> {
        let value = match &self.class {
            Some(class) => format!("{class} {}", self.to),
            None => self.to.clone(),
        };
        Change::new(&self.setting, &value)
    }

    fn json(&self) -> String {
        let value = json!({
            "schema": SCHEMA, "id": self.id, "made": self.made.0, "server": self.server, "run_id": self.run_id,
            "setting": self.setting, "class": self.class, "old": self.old, "to": self.to, "set": self.set,
            "state": self.state.name(),
        });
        format!("{value:#}\n")
    }

    fn parse(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let word = |name: &str| Some(value.get(name)?.as_str()?.to_owned());
        (value.get("schema")?.as_u64()? == SCHEMA).then_some(())?;
        Some(Self {
            id: word("id")?,
            made: Stamp(value.get("made")?.as_i64()?),
            server: word("server")?,
            run_id: word("run_id")?,
            setting: word("setting")?,
            class: word("class"),
            old: word("old")?,
            to: word("to")?,
            set: word("set"),
            state: State::of(value.get("state")?.as_str()?)?,
        })
    }
}

/// The directory with the records.
#[derive(Clone, Debug)]
pub struct Cabinet {
    dir: PathBuf,
}

impl Cabinet {
    /// `$XDG_STATE_HOME/seawall/changes`, else `~/.local/state/seawall/changes`.
    pub fn of(xdg: Option<OsString>, home: Option<OsString>) -> Result<Self, Trouble> {
        let absolute = |path: OsString| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
        let state = xdg
            .and_then(absolute)
            .or_else(|| Some(home.and_then(absolute)?.join(".local/state")))
            .ok_or(Trouble::Homeless)?;
        Ok(Self::at(&state.join("seawall/changes")))
    }

    /// This directory; made when it is needed.
    pub fn at(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
        }
    }

    /// Gives the record a name and writes it, so that it is there whatever happens next.
    pub(super) fn keep(&self, record: &mut Record) -> Result<(), Trouble> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.dir)
            .map_err(|source| self.trouble(source))?;
        let day: String = record
            .made
            .to_string()
            .chars()
            .take(19)
            .filter(char::is_ascii_digit)
            .collect();
        for number in 1..1_000 {
            record.id = format!("{day}-{number}");
            // The name is taken by making the file; what is written into it comes whole, by a rename.
            match OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(self.path(&record.id))
            {
                Ok(_) => {
                    let kept = self.update(record);
                    if kept.is_err() {
                        let _ = fs::remove_file(self.path(&record.id));
                    }
                    return kept;
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(self.trouble(source)),
            }
        }
        Err(self.trouble(io::ErrorKind::AlreadyExists.into()))
    }

    /// Writes it anew, as a whole.
    pub fn update(&self, record: &Record) -> Result<(), Trouble> {
        let path = self.path(&record.id);
        let beside = path.with_extension("new");
        let written = write(&beside, &record.json())
            .and_then(|()| fs::rename(&beside, &path))
            .and_then(|()| File::open(&self.dir)?.sync_all());
        written.map_err(|source| {
            let _ = fs::remove_file(&beside);
            Trouble::Disk { path, source }
        })
    }

    /// The record of that name; `last` is the newest that can be taken back.
    pub fn find(&self, id: &str) -> Result<Record, Trouble> {
        if id == "last" {
            let open = |record: &Record| matches!(record.state, State::Applied | State::Begun);
            return self
                .all()?
                .into_iter()
                .rev()
                .find(open)
                .ok_or_else(|| Trouble::Empty(self.dir.clone()));
        }
        let plain = |c: char| c.is_ascii_digit() || c == '-';
        if id.is_empty() || !id.chars().all(plain) {
            return Err(Trouble::Unknown(id.to_owned(), self.dir.clone()));
        }
        let path = self.path(id);
        match read(&path) {
            Ok(record) => Ok(record),
            Err(Trouble::Disk { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Err(Trouble::Unknown(id.to_owned(), self.dir.clone()))
            }
            Err(other) => Err(other),
        }
    }

    /// All that can be read, the oldest first.
    pub fn all(&self) -> Result<Vec<Record>, Trouble> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(self.trouble(source)),
        };
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let mut all: Vec<_> = paths
            .filter(|path| path.extension().is_some_and(|name| name == "json"))
            .filter_map(|path| read(&path).ok())
            .collect();
        all.sort_by_key(|record| (record.made, number(&record.id)));
        Ok(all)
    }

    fn path(&self, id: &str) -> PathBuf {
        self.dir.join(format!("{id}.json"))
    }

    fn trouble(&self, source: io::Error) -> Trouble {
        Trouble::Disk {
            path: self.dir.clone(),
            source,
        }
    }
}

fn number(id: &str) -> u32 {
    id.rsplit('-')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn read(path: &Path) -> Result<Record, Trouble> {
    let disk = |source| Trouble::Disk {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(disk)?;
    let mut text = String::new();
    match io::Read::read_to_string(&mut io::Read::take(file, BYTES_MAX), &mut text) {
        Ok(_) => Record::parse(&text).ok_or_else(|| Trouble::Broken(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(Trouble::Broken(path.to_owned()))
        }
        Err(error) => Err(disk(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn record() -> Record {
        let change = Change::new("timeout", "0").expect("a change");
        Record::new(
            "cache:6379",
            "3f2a".to_owned(),
            &change,
            "300",
            Stamp(1_795_402_691_042),
        )
    }

    #[test]
    fn a_record_is_read_back_and_nobody_else_can_read_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let cabinet = Cabinet::at(&folder.path().join("changes"));
        let (mut one, mut two) = (record(), record());
        cabinet.keep(&mut one).expect("it is kept");
        cabinet.keep(&mut two).expect("it is kept");
        assert_eq!(one.id, "20261123025811-1");
        assert_eq!(cabinet.find(&one.id).expect("it is there"), one);
        assert_eq!(cabinet.find("last").expect("it is there"), two);
        let mode = |path: &Path| {
            fs::metadata(path)
                .expect("it is there")
                .permissions()
                .mode()
        };
        assert_eq!(mode(&cabinet.path(&one.id)) & 0o777, 0o600);
        assert_eq!(mode(&cabinet.dir) & 0o777, 0o700);
        two.state = State::Undone;
        cabinet.update(&two).expect("it is kept");
        assert_eq!(cabinet.find("last").expect("it is there"), one);
    }

    #[test]
    fn what_is_no_record_is_said_and_hides_no_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let cabinet = Cabinet::at(folder.path());
        assert!(matches!(cabinet.find("last"), Err(Trouble::Empty(_))));
        let mut one = record();
        cabinet.keep(&mut one).expect("it is kept");
        for (id, text) in [
            ("20990101000000-1", "{\"schema\": 1"),
            ("20990101000000-2", ""),
        ] {
            fs::write(cabinet.path(id), text).expect("it is written");
            assert!(matches!(cabinet.find(id), Err(Trouble::Broken(_))), "{id}");
        }
        assert_eq!(cabinet.find("last").expect("it is there").id, one.id);
        for id in ["../../etc/passwd", "", "20990101000000-9"] {
            assert!(
                matches!(cabinet.find(id), Err(Trouble::Unknown(..))),
                "{id}"
            );
        }
    }

    #[test]
    fn without_a_home_there_is_no_place_and_a_relative_one_is_none() {
        assert!(matches!(Cabinet::of(None, None), Err(Trouble::Homeless)));
        assert!(Cabinet::of(Some("state".into()), None).is_err());
        let cabinet = Cabinet::of(Some("".into()), Some("/home/me".into())).expect("a place");
        assert_eq!(
            cabinet.dir,
            Path::new("/home/me/.local/state/seawall/changes")
        );
    }
}
