//! Many threads that call at once share one connection.
//!
//! Each on a connection of its own costs the server and the kernel as much as it would alone. Together their requests go
//! out in one write and are answered in one read. A thread that calls alone has a connection for itself: it would only
//! wait for others. So it would where the way to the server takes longer than to wake them all: this is for servers on the
//! same host. When the last of a crowd has its reply, the connection goes back to the pool.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use arc_swap::ArcSwapOption;
use seawall_wire::Value;

use super::ground::{Ground, Interrupted};
use crate::asynchronous::{self, Board, Request, Threads};
use crate::command::Cmd;
use crate::error::Error;
use crate::fork;
use crate::link::call::Call;
use crate::link::shared::Link;
use crate::link::sink::Word;
use crate::tender;

/// So many calls at once make a crowd. Fewer gain little: a thread that waits for another's reading is woken once more.
const CROWD: u64 = 8;

/// So many keep together what has become one.
const COMPANY: u64 = 4;

/// Larger requests have a connection of their own: nobody else's call is to stand behind them.
const REQUEST_MAX: usize = 16 * 1024;

/// The same of replies, which are known only once they came: by the mean of the latest.
const REPLY_MAX: usize = 16 * 1024;

/// The bits of [`Crowd::under_way`] that count.
const COUNT_BITS: u32 = 32;

/// The calls of one client that are under way.
#[derive(Default)]
pub(super) struct Crowd {
    /// Below, how many; above, in which process they were counted: a forked child has none of its parent's calls.
    under_way: AtomicU64,
    /// The mean size of the latest replies, each a sixteenth.
    reply_size: AtomicUsize,
    /// A connection was put up for many, and did not go back.
    together: AtomicBool,
    company: ArcSwapOption<Company>,
}

/// What the threads of one process share.
struct Company {
    generation: u64,
    board: Board,
    threads: Arc<Threads>,
}

/// A call that may be shared is under way, until this is dropped.
pub(super) struct UnderWay<'a> {
    crowd: &'a Crowd,
    /// The process in which it was counted, if it was.
    counted: Option<u64>,
    /// It goes over the shared connection.
    pub(super) shares: bool,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let Some(generation) = self
            .counted
            .filter(|&counted| counted == fork::generation())
        else {
            return;
        };
        let before = self.crowd.under_way.fetch_sub(1, Ordering::AcqRel);
        if before == (generation << COUNT_BITS) + 1 && self.crowd.together.load(Ordering::Acquire) {
            self.crowd.part();
        }
    }
}

impl Crowd {
    /// A call begins.
    pub(super) fn begin(
        &self,
        call: &mut Call<'_>,
        ground: Option<&dyn Ground>,
        cmd: &Cmd,
    ) -> UnderWay<'_> {
        let fit = call.may_share()
            && cmd.size() <= REQUEST_MAX
            && self.reply_size.load(Ordering::Relaxed) < REPLY_MAX
            && ground.is_none_or(Ground::may_block)
            // Of an event's listener, on a thread that does the work for all: nobody would do it while this one waits.
            && !Threads::work_here()
            && !tender::is_here();
        if !fit {
            return UnderWay {
                crowd: self,
                counted: None,
                shares: false,
            };
        }
        let generation = fork::generation();
        let calls = self.come(generation);
        call.could_share();
        let shares = calls >= CROWD || (calls >= COMPANY && self.together.load(Ordering::Acquire));
        UnderWay {
            crowd: self,
            counted: Some(generation),
            shares: shares && self.company().is_some(),
        }
    }

    /// Counts one more call, and says how many there are.
    fn come(&self, generation: u64) -> u64 {
        let none = generation << COUNT_BITS;
        let more = |before: u64| if before < none { none + 1 } else { before + 1 };
        let counted = |before| Some(more(before));
        let before = self
            .under_way
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, counted);
        before.map_or(1, |before| more(before) - none)
    }

    /// Makes the call over the shared connection.
    pub(super) fn share(
        &self,
        call: &mut Call<'_>,
        link: &Arc<Link>,
        ground: Option<&dyn Ground>,
        cmd: &Cmd,
        word: &mut Word,
    ) -> Result<(), Error> {
        let Some(company) = self.company() else {
            return Err(call.nothing_came());
        };
        self.together.store(true, Ordering::Release);
        call.share();
        let request = Request {
            replies: 1,
            whole: false,
            pack: &|connection, _, now| cmd.queue_on(connection, now),
        };
        let work = asynchronous::drive(call, link, &company.board, &request, word);
        let outcome = company.threads.block_on(ground, work);
        self.heard(word.reply.as_ref().map_or(0, size));
        outcome.unwrap_or_else(|Interrupted| Err(call.called_away()))
    }

    /// A reply of this size came.
    pub(super) fn heard(&self, size: usize) {
        let mean = self.reply_size.load(Ordering::Relaxed);
        // Two at once lose one of them, which does no harm.
        self.reply_size
            .store(mean - mean / 16 + size / 16, Ordering::Relaxed);
    }

    fn company(&self) -> Option<Arc<Company>> {
        let generation = fork::generation();
        let known = self.company.load();
        if let Some(company) = &*known
            && company.generation == generation
        {
            return Some(Arc::clone(company));
        }
        // Without descriptors to spare each goes on alone.
        let threads = Threads::new().ok()?;
        let company = Arc::new(Company {
            generation,
            board: Board::default(),
            threads,
        });
        let before = self
            .company
            .compare_and_swap(&*known, Some(Arc::clone(&company)));
        match &*before {
            // Another thread was first.
            Some(first) if first.generation == generation => Some(Arc::clone(first)),
            inherited => {
                // A forked child lets go of what is its parent's without touching it.
                std::mem::forget(inherited.clone());
                Some(company)
            }
        }
    }

    /// The company of this process, if there is one.
    fn here(&self) -> Option<Arc<Company>> {
        let company = self.company.load_full();
        company.filter(|company| company.generation == fork::generation())
    }

    /// Nobody calls: the shared connection goes back to the pool.
    #[cold]
    fn part(&self) {
        self.together.store(false, Ordering::Release);
        if let Some(company) = self.here() {
            if !company.board.take_down() {
                // Whoever came meanwhile is the last one now, or has gone already: then the next one sees to it.
                self.together.store(true, Ordering::Release);
            }
            company.threads.run();
        }
    }

    /// The client was closed: the shared connection ends once nothing is owed on it.
    pub(super) fn close(&self) {
        if let Some(company) = self.here() {
            company.board.closing();
            company.threads.run();
        }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        let company = self.company.swap(None);
        if company
            .as_ref()
            .is_some_and(|company| company.generation != fork::generation())
        {
            std::mem::forget(company);
        }
    }
}

impl Drop for Company {
    fn drop(&mut self) {
        self.threads.end();
    }
}

/// How many bytes a reply is, of those that tell.
fn size(reply: &Value) -> usize {
    match reply {
        Value::Bulk(bytes) => bytes.len(),
        _ => 0,
    }
}
