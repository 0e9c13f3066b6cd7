//! A connection on which the server holds writes back, while it answers elsewhere (CLIENT PAUSE WRITE, FAILOVER): reads leave it,
//! and writes wait on it. Closed, it would leave each of them in doubt, and the next one would be held back as well.
//!
//! It may be dead all the same: a proxy acknowledges and swallows. The next write shows it, which goes over the next connection:
//! if it is answered there, those here wait in vain; if it is held back as well, it is the server.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use seawall_model::{Close, Moment};
use seawall_wire::facts::{Access, Replay};

use super::asked::{Asked, Caller, Mourners};
use super::replies::Replies;
use super::shared::{Shared, State};
use crate::clock;
use crate::command::Nature;
use crate::link::shared::Link;

/// Where the shared connection of a client stands.
#[derive(Default)]
pub(crate) struct Board(RwLock<Places>);

#[derive(Default)]
struct Places {
    /// The one that takes requests.
    up: Option<Arc<Shared>>,
    /// The one before, if it was set aside for its writes.
    aside: Option<Arc<Shared>>,
}

impl Board {
    /// The connection for a request of this kind.
    pub(super) fn get(&self, nature: Nature) -> Option<Arc<Shared>> {
        let places = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let aside = places.aside.as_ref();
        // The server would hold it back on any other, with the reads behind it.
        let held = aside.filter(|aside| aside.takes_aside(nature, clock::now()));
        held.or(places.up.as_ref()).cloned()
    }

    pub(super) fn put(&self, shared: Arc<Shared>) {
        let mut places = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let aside = places.up.take().filter(|before| before.is_aside());
        if let Some(aside) = &aside {
            let _ = shared.before.set(Arc::downgrade(aside));
        }
        places.up = Some(shared);
        let left = std::mem::replace(&mut places.aside, aside);
        drop(places);
        drop(left);
    }

    /// Nobody has anything to ask: its shared connection goes back to the pool. `false`: somebody has, after all.
    pub(crate) fn take_down(&self) -> bool {
        let up = self.places().0;
        up.is_none_or(|up| up.take_down())
    }

    /// The client was closed: its shared connection ends once nothing is owed on it.
    pub(crate) fn closing(&self) {
        let (up, aside) = self.places();
        for shared in up.iter().chain(&aside) {
            shared.closing();
        }
    }

    fn places(&self) -> (Option<Arc<Shared>>, Option<Arc<Shared>>) {
        let places = self.0.read().unwrap_or_else(PoisonError::into_inner);
        (places.up.clone(), places.aside.clone())
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        let places = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        for shared in places.up.iter().chain(&places.aside) {
            shared.leave();
        }
    }
}

/// Once the server is known to hold writes back, for how long they go where others wait. Then one more is tried elsewhere.
const JOINS: Duration = Duration::from_secs(1);

/// Set aside for its writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Aside {
    since: Moment,
    /// The writes of another connection were held back as well.
    confirmed: bool,
}

/// Whether a request leaves a connection that is set aside: sent twice, it does no harm.
pub(super) fn leaves(nature: Nature) -> bool {
    nature.replay == Replay::Read
}

impl State {
    /// Whether it takes a request though it takes no others any more.
    pub(super) fn takes_aside(&self, nature: Nature, now: Moment) -> bool {
        let joins = |aside: Aside| aside.confirmed && now.since(aside.since) < JOINS;
        nature.access == Access::Write && self.aside.is_some_and(joins)
    }
}

impl Shared {
    /// Whether the server may hold back what waits here, rather than the connection be dead: its host has acknowledged what
    /// was sent, a write waits, and no write that was sent since was answered elsewhere.
    ///
    /// Borne for three quarters of the time that a call has, unless another connection shows the same: who may go again needs
    /// the rest.
    pub(super) fn may_be_held(&self, link: &Link, since: Moment, now: Moment) -> bool {
        let held = {
            let state = self.lock();
            let confirmed = state.aside.is_some_and(|aside| aside.confirmed);
            let lasts = now.since(since) >= self.patience.silence_max * 3 / 4;
            let waits = |asked: &Asked| !asked.leaves && !asked.caller.is_gone();
            (confirmed || !lasts) && state.last_acknowledged >= now && state.asked.iter().any(waits)
        };
        held && !link.ledger().wrote_after(since)
    }

    /// It is left to its writes: who reads goes elsewhere, as if it had ended.
    pub(super) fn set_aside(&self, now: Moment) {
        let before = self.before.get().and_then(Weak::upgrade);
        let confirmed = before.is_some_and(|before| before.is_confirmed());
        if !self.is_retired() {
            self.lock().aside = Some(Aside {
                since: now,
                confirmed,
            });
            self.retire();
        }
        if let Some(mourners) = self.those_who_leave() {
            mourners.tell_left(&self.loss(Close::Abandoned, None));
        }
    }

    fn those_who_leave(&self) -> Option<Mourners> {
        let shared = self.ourselves.upgrade()?;
        let mut state = self.lock();
        let state = &mut *state;
        let connection = &state.lent.as_ref()?.connection;
        let mut trail = Vec::new();
        let mut left = VecDeque::new();
        let mut place = 0;
        for asked in &mut state.asked {
            let parts = asked.parts();
            // Of what was answered in part the rest is still to be counted.
            if asked.leaves && asked.taken.len() == 0 {
                trail.extend((place..place + parts).map(|at| connection.state.provenance_at(at)));
                left.push_back(Asked {
                    taken: Replies::default(),
                    caller: std::mem::replace(&mut asked.caller, Caller::Gone),
                    ..*asked
                });
            }
            place += parts;
        }
        Some(Mourners {
            shared,
            connection: connection.id,
            trail,
            asked: left,
        })
    }

    /// Whether it is set aside, and nothing has come since.
    pub(super) fn is_aside(&self) -> bool {
        self.lock().aside.is_some()
    }

    /// The writes of another connection are held back as well: whether they still are here.
    fn is_confirmed(&self) -> bool {
        let mut state = self.lock();
        let aside = state.aside.as_mut();
        aside.map(|aside| aside.confirmed = true).is_some()
    }

    fn takes_aside(&self, nature: Nature, now: Moment) -> bool {
        self.lock().takes_aside(nature, now)
    }
}
