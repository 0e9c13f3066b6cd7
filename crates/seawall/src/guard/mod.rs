//! A guard around calls to what cannot be probed: an HTTP service, a driver, a function.
//!
//! Redis has its own health, found by probes; what only calls can judge gets the classic breaker: it opens after failures
//! in a row, or where too large a share of the last calls failed or was slow, refuses calls for a time that grows, and
//! lets a few through to see.
//!
//! ```
//! use seawall::guard::{Failure, Guard, GuardSettings};
//!
//! let guard = Guard::new("payments", GuardSettings::default());
//! match guard.call(|| "17".parse::<u32>()) {
//!     Ok(amount) => assert_eq!(amount, 17),
//!     Err(Failure::Refused(refused)) => println!("{refused}"), // it was not called
//!     Err(Failure::Failed(error)) => println!("{error}"),      // it was, and failed
//! }
//! ```

mod post;
mod words;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use seawall_model::Moment;
use seawall_policy::breaker::{self, Admission, Breaker};

pub use seawall_policy::again::{AgainSettings, Next, Spent};
pub use seawall_policy::breaker::{
    BreakerSettings, Change, Counts, Outcome, Slow, State, Tally, Trip,
};
pub use seawall_policy::budget::BudgetSettings;
pub use words::{Failure, Refused};

use crate::clock;
use post::Posts;

/// How a [`Guard`] judges, and whether calls that failed may be made again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GuardSettings {
    /// When it opens, and for how long.
    pub breaker: BreakerSettings,
    /// How often a call may be made again; `None`, the default: never.
    pub again: Option<AgainSettings>,
}

/// Told what became of a guard, and its name.
type Listener = Box<dyn Fn(&str, &Change) + Send + Sync>;

/// A breaker that threads and tasks share.
///
/// Nobody waits for anybody's call: a lock is held while a decision is made, some ten nanoseconds. A forked child goes on
/// from how things stood, with a lock of its own, and without the trials that its parent has under way.
pub struct Guard {
    name: Arc<str>,
    settings: GuardSettings,
    listener: Option<Listener>,
    posts: Posts,
}

/// How a guard stands.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct GuardStats {
    /// The state that the last call left. An open one whose time has come stays so until the next call.
    pub state: State,
    /// For how long it has been so; `None` before the first change.
    pub since: Option<Duration>,
    /// How long it refuses calls yet, if that is known.
    pub retry_after: Option<Duration>,
    /// Calls so far.
    pub counts: Counts,
    /// Calls that were made again.
    pub repeated: u64,
    /// Calls that were not made again for want of a budget.
    pub unpaid: u64,
}

/// Leave to make one call, to be brought back to [`Guard::end`]; one that is lost counts neither well nor badly, and if
/// it was a trial the guard waits for it for [`trial_longest`](BreakerSettings::trial_longest). [`Guard::admit`] gives
/// permits that come back by themselves.
#[derive(Clone, Copy, Debug)]
pub struct Ticket {
    permit: breaker::Permit,
    first: bool,
}

impl Ticket {
    /// Whether the guard is waiting to see what becomes of this call.
    pub const fn is_trial(&self) -> bool {
        self.permit.trial.is_some()
    }

    /// When the call began; the origin of time where nothing depends on it.
    pub const fn began(&self) -> Moment {
        self.permit.began
    }

    /// The state of the guard that gave it, by its number.
    pub const fn epoch(&self) -> u64 {
        self.permit.epoch
    }

    /// One that was taken apart, if it was no trial and its beginning did not matter.
    pub const fn of_epoch(epoch: u64) -> Self {
        Self {
            permit: breaker::Permit {
                epoch,
                began: Moment::ORIGIN,
                trial: None,
            },
            first: true,
        }
    }
}

impl Guard {
    /// A closed guard. `name` is what errors, logs and metrics call it.
    pub fn new(name: &str, settings: GuardSettings) -> Self {
        Self {
            name: name.into(),
            posts: Posts::new(&settings),
            settings,
            listener: None,
        }
    }

    /// Tells `listener` of every change, with the guard's name; on the thread whose call brought it about, outside of
    /// every lock. Its panics go no further.
    #[must_use]
    pub fn with_listener(
        mut self,
        listener: impl Fn(&str, &Change) + Send + Sync + 'static,
    ) -> Self {
        self.listener = Some(Box::new(listener));
        self
    }

    /// What errors, logs and metrics call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The numbers it goes by.
    pub const fn settings(&self) -> &GuardSettings {
        &self.settings
    }

    // -- calls --

    /// Calls, if it may; an error of the call's is a failure.
    pub fn call<T, E>(&self, call: impl FnOnce() -> Result<T, E>) -> Result<T, Failure<E>> {
        self.call_if(|_| true, call)
    }

    /// Calls, if it may; an error is a failure only if `counts` says so. Others show that it works.
    pub fn call_if<T, E>(
        &self,
        counts: impl FnOnce(&E) -> bool,
        call: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, Failure<E>> {
        let permit = self.admit().map_err(Failure::Refused)?;
        let result = call();
        permit.judge(&result, counts);
        result.map_err(Failure::Failed)
    }

    /// Awaits `future`, if it may. Dropped before its end, it counts neither as a success nor as a failure.
    pub async fn watch<T, E>(
        &self,
        future: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Failure<E>> {
        let permit = self.admit().map_err(Failure::Refused)?;
        let result = future.await;
        permit.judge(&result, |_| true);
        result.map_err(Failure::Failed)
    }

    /// Leave for one call that is made elsewhere.
    pub fn admit(&self) -> Result<Permit<'_>, Refused> {
        let (admission, change) = self.begin(true);
        self.tell(change);
        let ticket = Some(admission?);
        Ok(Permit {
            guard: self,
            ticket,
        })
    }

    /// The same for those who can hold no borrow and tell changes themselves. `first`: it is not made again.
    pub fn begin(&self, first: bool) -> (Result<Ticket, Refused>, Option<Change>) {
        self.posts.here(&self.settings, |post| {
            if let Some(epoch) = post.passes() {
                let ticket = Ticket::of_epoch(epoch);
                return (Ok(Ticket { first, ..ticket }), None);
            }
            let now = clock::now();
            let mut core = post.lock();
            let (admission, change) = core.breaker.admit(now);
            let state = core.breaker.state();
            if change.is_some() {
                post.publish(&core.breaker, &self.settings);
            }
            drop(core);
            let admission = match admission {
                Admission::Pass(permit) => Ok(Ticket { permit, first }),
                Admission::Refuse { retry_at } => Err(Refused {
                    guard: Arc::clone(&self.name),
                    retry_after: retry_at.map(|at| at.since(now)),
                    state,
                }),
            };
            (admission, change)
        })
    }

    /// A call that [`begin`](Self::begin) let through has ended.
    pub fn end(&self, ticket: Ticket, outcome: Outcome) -> Option<Change> {
        self.posts.here(&self.settings, |post| {
            let now = clock::now();
            let mut core = post.lock();
            if ticket.first
                && let Some(again) = &mut core.again
            {
                again.called(now);
            }
            let change = core.breaker.ended(now, ticket.permit, outcome);
            if change.is_some() {
                post.publish(&core.breaker, &self.settings);
            }
            change
        })
    }

    /// Whether a call that failed may be made again, and after what pause; each yes is paid for. `attempt`: how often it
    /// was made; `began`: when it was made first; `until`: a deadline of the caller's own; `asked`: a pause that somebody
    /// chose. Always a no where [`GuardSettings::again`] is `None`.
    pub fn again(
        &self,
        began: Moment,
        attempt: u32,
        until: Moment,
        asked: Option<Duration>,
    ) -> Next {
        self.posts.here(&self.settings, |post| {
            let now = clock::now();
            let mut core = post.lock();
            let Some(again) = &mut core.again else {
                return Next::GiveUp(Spent::Attempts);
            };
            let next = again.failed(now, began, attempt, until, asked);
            match next {
                Next::After(_) => core.repeated += 1,
                Next::GiveUp(Spent::Budget) => core.unpaid += 1,
                Next::GiveUp(_) => {}
            }
            next
        })
    }

    // -- the hand --

    /// Opens it as a failure would, for the time that is due.
    pub fn open(&self) -> Option<Change> {
        self.by_hand(|breaker, now| Some(breaker.open(now)))
    }

    /// Closes it from whatever state, and forgets what it counted.
    pub fn close(&self) -> Option<Change> {
        self.by_hand(Breaker::close)
    }

    /// Lets nothing through until it is closed.
    pub fn isolate(&self) -> Option<Change> {
        self.by_hand(Breaker::isolate)
    }

    /// Lets everything through until it is closed, and goes on counting.
    pub fn disable(&self) -> Option<Change> {
        self.by_hand(Breaker::disable)
    }

    fn by_hand(
        &self,
        change: impl FnOnce(&mut Breaker, Moment) -> Option<Change>,
    ) -> Option<Change> {
        let change = self.posts.here(&self.settings, |post| {
            let now = clock::now();
            let mut core = post.lock();
            let change = change(&mut core.breaker, now);
            post.publish(&core.breaker, &self.settings);
            change
        });
        self.tell(change);
        change
    }

    // -- getters --

    /// How it stands.
    pub fn stats(&self) -> GuardStats {
        self.posts.here(&self.settings, |post| {
            let now = clock::now();
            let core = post.lock();
            let breaker = &core.breaker;
            let state = breaker.state();
            GuardStats {
                state,
                since: (breaker.epoch() > 0).then(|| now.since(breaker.since())),
                retry_after: match state {
                    State::Open { until, .. } => Some(until.since(now)),
                    _ => None,
                },
                counts: breaker.counts(),
                repeated: core.repeated,
                unpaid: core.unpaid,
            }
        })
    }

    // -- inside --

    fn tell(&self, change: Option<Change>) {
        if let (Some(change), Some(listener)) = (change, &self.listener) {
            // Its panic has been told by the panic hook; it must not end a call that went well.
            let _ = catch_unwind(AssertUnwindSafe(|| listener(&self.name, &change)));
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("name", &self.name)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

/// Leave to make one call. Dropped, it says that the call was abandoned, or in a panic that it failed.
#[derive(Debug)]
#[must_use = "a permit that is dropped says that the call was abandoned"]
pub struct Permit<'a> {
    guard: &'a Guard,
    ticket: Option<Ticket>,
}

impl Permit<'_> {
    /// The call was answered.
    pub fn succeeded(mut self) {
        self.end(Outcome::Good);
    }

    /// The call failed.
    pub fn failed(mut self) {
        self.end(Outcome::Failed);
    }

    /// Whether the guard is waiting to see what becomes of this call.
    pub fn is_trial(&self) -> bool {
        self.ticket.is_some_and(|ticket| ticket.is_trial())
    }

    fn judge<T, E>(mut self, result: &Result<T, E>, counts: impl FnOnce(&E) -> bool) {
        let outcome = match result {
            Err(error) if counts(error) => Outcome::Failed,
            _ => Outcome::Good,
        };
        self.end(outcome);
    }

    fn end(&mut self, outcome: Outcome) {
        if let Some(ticket) = self.ticket.take() {
            let change = self.guard.end(ticket, outcome);
            self.guard.tell(change);
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let outcome = if std::thread::panicking() {
            Outcome::Failed
        } else {
            Outcome::Abandoned
        };
        self.end(outcome);
    }
}
