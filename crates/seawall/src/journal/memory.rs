//! The ring of records, and what has been brought to disk of it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use seawall_model::Moment;
use seawall_model::journal::{Event, HEADER_BYTES, Record, Ring, RingHeader};

use super::allowance::{Allowance, Weight};
use super::disk::{Disk, Piece, Place};

/// A ring in memory, and its file if it has one.
pub(super) struct Memory {
    kept: Mutex<Kept>,
    disk: Option<Disk>,
    /// The writer knows that something is to be written.
    queued: AtomicBool,
    progress: Mutex<Progress>,
    moved: Condvar,
}

struct Kept {
    ring: Ring,
    allowance: Allowance,
}

/// How far the file is.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// Bytes of records that are in it, those overwritten included.
    written: u64,
    /// Nothing more will come.
    over: bool,
}

impl Memory {
    pub(super) fn new(header: &RingHeader, place: Option<Place>) -> Self {
        let ring = Ring::new(header).expect("the range of journal_bytes is within a ring's");
        Self {
            kept: Mutex::new(Kept {
                ring,
                allowance: Allowance::new(header.area_bytes),
            }),
            disk: place.map(Disk::new),
            queued: AtomicBool::new(false),
            progress: Mutex::default(),
            moved: Condvar::new(),
        }
    }

    /// Keeps what happened, if it is worth it.
    pub(super) fn keep(
        &self,
        now: Moment,
        unix_ms: u64,
        weight: Weight,
        events: [Option<Event>; 2],
    ) {
        let record = |event| Record {
            at: now,
            wall_unix_ms: Some(unix_ms),
            event,
        };
        let kept = &mut *self.kept();
        if let Some(records) = kept.allowance.take_refused(now) {
            kept.ring.append(&record(Event::Lost { records }));
        }
        if weight == Weight::Detail && !kept.allowance.admits(now) {
            return;
        }
        let before = kept.ring.written_bytes();
        for event in events.into_iter().flatten() {
            kept.ring.append(&record(event));
        }
        if weight == Weight::Detail {
            kept.allowance.spend(kept.ring.written_bytes() - before);
        }
    }

    /// The records that it holds, the oldest first.
    pub(super) fn records(&self) -> Vec<Record> {
        // Read outside the lock, so that nobody waits for it who has something to tell.
        let ring = self.kept().ring.clone();
        ring.contents().records
    }

    /// Bytes of records that it holds.
    pub(super) fn bytes(&self) -> u64 {
        let kept = self.kept();
        let area = kept.ring.image().len() - HEADER_BYTES;
        kept.ring.written_bytes().min(area as u64)
    }

    /// The file, once it is there and as long as it is written.
    pub(super) fn file(&self) -> Option<&Path> {
        self.disk.as_ref().and_then(Disk::path)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // -- the writer's side --

    /// Something was kept: whether the writer has to be told.
    pub(super) fn is_news(&self) -> bool {
        self.disk.as_ref().is_some_and(Disk::is_written)
            && !self.queued.swap(true, Ordering::AcqRel)
    }

    /// Brings to disk what is not there yet.
    pub(super) fn bring_to_disk(&self) {
        // Before the look at the ring: what is kept from here on is news again.
        self.queued.store(false, Ordering::Release);
        let Some(disk) = &self.disk else { return };
        disk.begin(|| self.kept().ring.image()[..HEADER_BYTES].to_vec());
        let (pieces, written) = self.take_pieces();
        disk.write(&pieces);
        *self.progress() = Progress {
            written,
            over: !disk.is_written(),
        };
        self.moved.notify_all();
    }

    fn take_pieces(&self) -> (Vec<Piece>, u64) {
        let ring = &mut self.kept().ring;
        let ranges = ring.commit();
        let pieces = ranges.into_iter().map(|range| Piece {
            at: range.start as u64,
            bytes: ring.image()[range].to_vec(),
        });
        (pieces.collect(), ring.written_bytes())
    }

    /// Waits until the file holds all that is kept now, but no longer than `limit`.
    pub(super) fn wait_until_written(&self, limit: Duration) {
        if !self.disk.as_ref().is_some_and(Disk::is_written) {
            return;
        }
        let target = self.kept().ring.written_bytes();
        let until = Instant::now() + limit;
        let mut progress = self.progress();
        while progress.written < target && !progress.over {
            let rest = until.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return;
            }
            progress = self
                .moved
                .wait_timeout(progress, rest)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}
