//! The tender: one background thread a process that resolves, dials, greets, probes and sweeps, so that no caller ever
//! does, and hands ready connections to any shell.
//!
//! It holds no lock while it waits or while it acts, and owns each attempt until it ends as a connection or as an
//! error; both are reported to the link's ledger exactly once.

mod attempt;
mod resolver;
mod spread;

use std::cell::Cell;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use seawall_model::Moment;

use crate::clock;
use crate::fork;
use crate::link::handshake::Purpose;
use crate::link::ledger::{Due, Ledger};
use crate::link::shared::Link;
use crate::net::wait::timeout;
use attempt::{Attempt, Progress};
use resolver::Resolver;
pub(crate) use resolver::{Names, SystemNames};
use spread::{Adopted, spread, tell_anew};

/// How often connections at rest are looked at: a server's `timeout` has a grain of one second too.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// How long a call may take that an event's listener makes on the tender's thread: everybody's probes and dials wait for it.
pub(crate) const LISTENER_MAX: Duration = Duration::from_millis(100);

thread_local! {
    static IS_HERE: Cell<bool> = const { Cell::new(false) };
}

/// Whether this is its thread, and whoever calls is a listener: what it waited for would never be done meanwhile.
pub(crate) fn is_here() -> bool {
    IS_HERE.get()
}

/// The handle that links and callers hold.
pub(crate) struct Tender {
    bell: OwnedFd,
    ringing: AtomicBool,
    adopted: Mutex<Vec<Weak<Link>>>,
}

/// The tender of this process; started when first asked for, and anew in a forked child.
pub(crate) fn current() -> std::io::Result<Arc<Tender>> {
    static CURRENT: ArcSwapOption<(u64, Arc<Tender>)> = ArcSwapOption::const_empty();
    let generation = fork::generation();
    let current = CURRENT.load_full();
    if let Some(current) = &current
        && current.0 == generation
    {
        return Ok(Arc::clone(&current.1));
    }
    let started = Arc::new((generation, Tender::start()?));
    let before = CURRENT.compare_and_swap(&current, Some(Arc::clone(&started)));
    // Another thread was faster: its tender serves, ours has no link and sleeps.
    let chosen = before
        .as_ref()
        .filter(|before| before.0 == generation)
        .unwrap_or(&started);
    Ok(Arc::clone(&chosen.1))
}

impl Tender {
    /// Starts the thread.
    pub(crate) fn start() -> std::io::Result<Arc<Self>> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let tender = Arc::new(Self {
            bell,
            ringing: AtomicBool::new(false),
            adopted: Mutex::new(Vec::new()),
        });
        let round = Round {
            resolver: Resolver::new(Arc::clone(&tender)),
            tender: Arc::clone(&tender),
            links: Vec::new(),
            attempts: Vec::new(),
            next_sweep: clock::now() + SWEEP_EVERY,
        };
        std::thread::Builder::new()
            .name("seawall-tender".to_owned())
            .spawn(move || round.run())?;
        Ok(tender)
    }

    /// Takes a link into care, until its last caller lets go of it.
    pub(crate) fn adopt(&self, link: &Arc<Link>) {
        self.adopted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::downgrade(link));
        self.wake();
    }

    /// Something is to be done. Cheap when it is awake already.
    pub(crate) fn wake(&self) {
        if !self.ringing.swap(true, Ordering::AcqRel) {
            // The counter cannot overflow from single increments, and nothing else can fail here.
            let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
        }
    }

    fn heard(&self) {
        let mut count = [0; 8];
        let _ = rustix::io::read(&self.bell, &mut count);
        // After the read: a ring from here on is seen by the round that follows.
        self.ringing.store(false, Ordering::Release);
    }

    fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

/// The thread's own state.
struct Round {
    tender: Arc<Tender>,
    resolver: Resolver,
    links: Vec<Adopted>,
    attempts: Vec<Attempt>,
    next_sweep: Moment,
}

impl Round {
    fn run(mut self) {
        IS_HERE.set(true);
        loop {
            let mut until = self.begin();
            // What has just begun has its first step to take; only then there is something to wait for.
            self.advance();
            for attempt in &self.attempts {
                until = until.min(attempt.deadline());
            }
            self.wait(until);
        }
    }

    /// Takes orders from every link; says when the next one is due.
    fn begin(&mut self) -> Moment {
        let new = std::mem::take(
            &mut *self
                .tender
                .adopted
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        if !new.is_empty() {
            self.links.extend(new.into_iter().map(Adopted::new));
            tell_anew(&mut self.links);
        }
        spread(&mut self.links);
        let now = clock::now();
        let sweep = now >= self.next_sweep;
        if sweep {
            self.next_sweep = now + SWEEP_EVERY;
        }
        let mut until = Moment::NEVER;
        let mut index = 0;
        while index < self.links.len() {
            let Some(link) = self.links[index].link.upgrade() else {
                self.links.swap_remove(index);
                continue;
            };
            if sweep {
                link.look_over();
                link.decide(super::link::ledger::Ledger::sweep);
                link.tell_progress();
            }
            link.decide(Ledger::tick);
            self.start_attempts(&link, now);
            if let Some(wake) = link.ledger().next_wake() {
                until = until.min(wake);
            }
            index += 1;
        }
        if self.links.is_empty() {
            until
        } else {
            until.min(self.next_sweep)
        }
    }

    fn start_attempts(&mut self, link: &Arc<Link>, now: Moment) {
        let Due {
            dials,
            probe,
            examine,
        } = link.ledger().take_due(now);
        let purposes = std::iter::repeat_n(Purpose::Carry, dials)
            .chain(probe.map(Purpose::Probe))
            .chain(examine.then_some(Purpose::Examine));
        for purpose in purposes {
            self.attempts
                .push(Attempt::new(link, purpose, now, &self.resolver));
        }
    }

    fn wait(&self, until: Moment) {
        let mut fds = Vec::with_capacity(self.attempts.len() + 1);
        fds.push(PollFd::from_borrowed_fd(self.tender.bell(), PollFlags::IN));
        for attempt in &self.attempts {
            if let Some((fd, flags)) = attempt.waits_for() {
                fds.push(PollFd::from_borrowed_fd(fd, flags));
            }
        }
        // An interrupted or failed wait is a short one: everything is looked at again.
        let _ = poll(&mut fds, timeout(clock::now(), until).as_ref());
        if fds[0].revents().contains(PollFlags::IN) {
            self.tender.heard();
        }
    }

    /// Moves every attempt on that can move, and reports those that ended.
    fn advance(&mut self) {
        let mut index = 0;
        while index < self.attempts.len() {
            match self.attempts[index].advance(clock::now()) {
                Progress::Pending => index += 1,
                Progress::Ended => {
                    self.attempts.swap_remove(index);
                }
            }
        }
    }
}
