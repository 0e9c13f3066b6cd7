//! Saves that fail, for whoever runs the server: root writes where permissions forbid it, so permissions will not do.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use super::{Server, ServerError};

/// How long a snapshot may take.
const SAVE_LIMIT: Duration = Duration::from_secs(30);

/// What [`Server::break_saves`] put aside.
#[derive(Debug)]
pub(super) struct SavedSaves {
    /// The setting `save` as it was.
    setting: String,
    /// Where the snapshot should be: a directory now.
    snapshot: PathBuf,
    /// Where the snapshot was moved to; none if there was none.
    aside: Option<PathBuf>,
}

impl Server {
    /// Makes every snapshot fail, and fails one: writes get `MISCONF` when this returns, reads go on. (PING, too, gets
    /// `MISCONF`.)
    ///
    /// A directory stands where the snapshot should be: the server writes its temporary file and cannot rename it, as
    /// root as well as any other user. While it is broken the server cannot end in order
    /// ([`kill9`](Self::kill9) works).
    pub fn break_saves(&self) -> Result<(), ServerError> {
        let mut saves = self.saves();
        if saves.is_some() {
            return Ok(());
        }
        let setting = self.config_get("save")?.unwrap_or_default();
        let name = self
            .config_get("dbfilename")?
            .unwrap_or_else(|| "dump.rdb".into());
        let snapshot = self.dir().join(name);
        let aside = obstruct(&snapshot).map_err(ServerError::host("obstruct the snapshot"))?;
        *saves = Some(SavedSaves {
            setting: setting.clone(),
            snapshot,
            aside,
        });
        if setting.is_empty() {
            // Only a server that is meant to save refuses writes when it cannot; the condition never comes true.
            self.config_set("save", "31536000 1000000000")?;
        }
        self.save_until("err")
    }

    /// Repairs what [`break_saves`](Self::break_saves) broke, and saves once: writes are taken when this returns.
    pub fn repair_saves(&self) -> Result<(), ServerError> {
        let Some(saved) = self.saves().take() else {
            return Ok(());
        };
        clear(&saved).map_err(ServerError::host("clear the way of the snapshot"))?;
        self.save_until("ok")?;
        self.config_set("save", &saved.setting)
    }

    /// Saves in the background until the last save ended as wished.
    fn save_until(&self, wished: &str) -> Result<(), ServerError> {
        self.wait_until_no_child()?;
        self.command(&[b"BGSAVE"])?;
        self.wait_until_no_child()?;
        self.wait_for("a snapshot with that result", SAVE_LIMIT, || {
            Ok(self
                .info("persistence")?
                .get("rdb_last_bgsave_status")
                .is_some_and(|status| status == wished))
        })
    }

    /// Waits until neither a snapshot nor a rewrite of the append-only file runs.
    pub(super) fn wait_until_no_child(&self) -> Result<(), ServerError> {
        let flags = [
            "rdb_bgsave_in_progress",
            "aof_rewrite_in_progress",
            "aof_rewrite_scheduled",
        ];
        self.wait_for("the end of background work", SAVE_LIMIT, || {
            let facts = self.info("persistence")?;
            Ok(flags
                .iter()
                .all(|flag| facts.get(*flag).is_none_or(|value| value == "0")))
        })
    }

    fn saves(&self) -> MutexGuard<'_, Option<SavedSaves>> {
        self.saves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts a directory where the snapshot goes; says where an older snapshot went.
fn obstruct(snapshot: &PathBuf) -> io::Result<Option<PathBuf>> {
    let aside = snapshot.with_extension("aside");
    let moved = match fs::rename(snapshot, &aside) {
        Ok(()) => Some(aside),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    fs::create_dir(snapshot)?;
    Ok(moved)
}

fn clear(saved: &SavedSaves) -> io::Result<()> {
    fs::remove_dir(&saved.snapshot)?;
    saved
        .aside
        .as_ref()
        .map_or(Ok(()), |aside| fs::rename(aside, &saved.snapshot))
}
