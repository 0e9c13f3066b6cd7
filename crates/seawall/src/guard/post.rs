//! What a guard knows, in each process its own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use arc_swap::ArcSwapOption;
use seawall_policy::again::Again;
use seawall_policy::breaker::{Breaker, State};

use super::GuardSettings;
use crate::{clock, fork};

/// The posts of this process and of those that it was forked from.
///
/// A forked child may find the lock of its parent's held by a thread that is not there, so it takes one of its own. Each
/// of the first two kinds is found by comparing a number: a look into an `ArcSwap` costs as much as all the rest of a
/// call, and the children of a server that forks its workers are what matters.
pub(super) struct Posts {
    first: Post,
    /// Of a child of that process. Never touched in the process itself, so that a fork meets no half-made one.
    child: OnceLock<Box<Post>>,
    /// Of a child's child and those after it.
    later: ArcSwapOption<Post>,
}

/// What belongs to one process.
pub(super) struct Post {
    generation: u64,
    /// The state's number, and in the lowest bit whether calls go through without a look at it.
    word: AtomicU64,
    core: Mutex<Core>,
}

/// What is decided by, under the lock.
#[derive(Clone)]
pub(super) struct Core {
    pub(super) breaker: Breaker,
    pub(super) again: Option<Again>,
    /// Calls that were made again, and that were not for want of a budget.
    pub(super) repeated: u64,
    pub(super) unpaid: u64,
}

impl Posts {
    pub(super) fn new(settings: &GuardSettings) -> Self {
        Self {
            first: Post::new(fork::generation(), Core::new(settings), settings),
            child: OnceLock::new(),
            later: ArcSwapOption::empty(),
        }
    }

    /// Does something with the post of this process.
    pub(super) fn here<T>(&self, settings: &GuardSettings, work: impl FnOnce(&Post) -> T) -> T {
        let generation = fork::generation();
        if generation == self.first.generation {
            work(&self.first)
        } else if generation == self.first.generation + 1 {
            let made = || Box::new(self.first.inherited(generation, settings));
            work(self.child.get_or_init(made))
        } else {
            work(&self.later(generation, settings))
        }
    }

    #[cold]
    fn later(&self, generation: u64, settings: &GuardSettings) -> Arc<Post> {
        if let Some(post) = self.later.load_full()
            && post.generation == generation
        {
            return post;
        }
        let inherited = self.later.load_full();
        let child = self.child.get().map(|child| &**child);
        let from = inherited.as_deref().or(child).unwrap_or(&self.first);
        let made = Arc::new(from.inherited(generation, settings));
        // Of several threads of this process the first one's counts.
        self.later.rcu(|current| match current {
            Some(post) if post.generation == generation => Arc::clone(post),
            _ => Arc::clone(&made),
        });
        self.later.load_full().unwrap_or(made)
    }
}

impl Post {
    fn new(generation: u64, core: Core, settings: &GuardSettings) -> Self {
        let post = Self {
            generation,
            word: AtomicU64::new(0),
            core: Mutex::new(core),
        };
        post.publish(&post.lock().breaker, settings);
        post
    }

    /// A child's: it goes on from how things stood, unless somebody was deciding in the very moment of the fork.
    #[cold]
    fn inherited(&self, generation: u64, settings: &GuardSettings) -> Self {
        let core = self.core.try_lock().map(|core| core.clone());
        let mut core = core.unwrap_or_else(|_| Core::new(settings));
        core.breaker.forget_trials();
        // Whoever adds up processes would count its parent's calls twice.
        core.breaker.count_anew();
        (core.repeated, core.unpaid) = (0, 0);
        Self::new(generation, core, settings)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of the state, if calls go through it without a look.
    pub(super) fn passes(&self) -> Option<u64> {
        let word = self.word.load(Ordering::Acquire);
        (word & 1 == 1).then_some(word >> 1)
    }

    /// Called under the lock, after every change.
    pub(super) fn publish(&self, breaker: &Breaker, settings: &GuardSettings) {
        let passes = matches!(breaker.state(), State::Closed | State::Disabled);
        // Where it matters how long a call takes, or since when it is tried, each has to know when it began.
        let timed = settings.breaker.slow.is_some() || settings.again.is_some();
        let word = breaker.epoch() << 1 | u64::from(passes && !timed);
        self.word.store(word, Ordering::Release);
    }
}

impl Core {
    fn new(settings: &GuardSettings) -> Self {
        let seed = clock::now().as_nanos() ^ u64::from(std::process::id()) << 40;
        let again = settings.again.clone();
        Self {
            breaker: Breaker::new(settings.breaker.clone(), seed),
            again: again.map(|again| Again::new(again, seed.rotate_left(32))),
            repeated: 0,
            unpaid: 0,
        }
    }
}
