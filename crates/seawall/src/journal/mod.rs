//! What happened to connections and endpoints, kept: in memory, and on disk where a state directory is set.
//!
//! Every client keeps a ring of records, of `journal_bytes` bytes, that the application reads by
//! [`Client::journal`](crate::blocking::Client::journal). With `state_dir` set it is also a file there, which
//! [`read`] reads, and so do `seawall journal` and the doctor, while the process runs or after its death. A record
//! never holds a key, a value or a credential.
//!
//! The file survives the process, not the host: nothing is synced. It is written by a thread of its own, so that no
//! caller ever waits for a disk. Where it cannot be written (no space, no right, the directory is gone) there is one
//! warning, and memory alone from then on.

mod allowance;
mod directory;
mod disk;
mod host;
mod memory;
mod read;
mod record;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use seawall_model::Endpoint;
use seawall_model::journal::RingHeader;
use seawall_model::settings::Settings;

use crate::clock;
use crate::events::{self, Listener, Listeners};
use crate::fork;
use disk::Place;
use memory::Memory;
use writer::Writer;

pub use read::{Entry, JournalContents, JournalFile, JournalReadError, read};
pub use seawall_model::journal::{
    CommandName, ConnectionId, Event, HealthState, OutagePolicy, Record, Restarted, RetryRefusal,
    RingError, WriteGate,
};

/// How long the end of a client waits for the disk to take its last records. A disk that works needs a thousandth of it.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// The journal of one link in one process; a forked child's link has another.
pub(crate) struct Journal {
    endpoint: Endpoint,
    generation: u64,
    memory: Arc<Memory>,
    writer: Option<Arc<Writer>>,
}

impl Journal {
    /// An empty journal. Nothing is written, nor is a file made, before something happens.
    ///
    /// `listeners` hear of it if it cannot be written to disk; the log does by itself.
    pub(crate) fn open(
        settings: &Settings,
        endpoint: &Endpoint,
        service: &str,
        listeners: &Listeners,
    ) -> Arc<Self> {
        let header = RingHeader {
            area_bytes: settings.journal_bytes(),
            boot_id: host::boot_id(),
            process: std::process::id(),
            started_unix_ms: host::unix_ms(),
        };
        let place = settings
            .state_dir()
            .map(|dir| Place::new(&dir, service, endpoint, &header).told_to(listeners));
        let writer = place.as_ref().and_then(|_| writer::current());
        Arc::new(Self {
            endpoint: endpoint.clone(),
            generation: fork::generation(),
            memory: Arc::new(Memory::new(&header, place.filter(|_| writer.is_some()))),
            writer,
        })
    }

    /// The records in memory, the oldest first.
    pub(crate) fn records(&self) -> Vec<Record> {
        if self.is_inherited() {
            // Its lock may have been held by a thread that is not in this process.
            return Vec::new();
        }
        self.memory.records()
    }

    /// Bytes of records in memory.
    pub(crate) fn bytes(&self) -> u64 {
        if self.is_inherited() {
            return 0;
        }
        self.memory.bytes()
    }

    /// The file, once it is there and as long as it is written.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.memory.file()
    }

    fn is_inherited(&self) -> bool {
        self.generation != fork::generation()
    }
}

impl Listener for Journal {
    fn hear(&self, _endpoint: &str, event: &events::Event<'_>) {
        if self.is_inherited() {
            return;
        }
        self.memory.keep(
            clock::now(),
            host::unix_ms(),
            record::weight(event),
            record::of(&self.endpoint, event),
        );
        if let Some(writer) = &self.writer {
            writer.wants_writing(&self.memory);
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if self.writer.is_some() && !self.is_inherited() {
            self.memory.wait_until_written(LAST_WORDS);
        }
    }
}

#[cfg(test)]
mod tests;
