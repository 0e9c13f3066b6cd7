//! A connection on which the server holds writes back, while it answers elsewhere (CLIENT PAUSE WRITE, FAILOVER): reads leave it,
//! and writes wait on it. Closed, it would leave each of them in doubt, and the next one would be held back as well.
//!
//! It may be dead all the same: a proxy acknowledges and swallows. The next write shows it, which goes over the next connection:
//! if it is answered there, those here wait in vain; if it is held back as well, it is the server.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use seawall_model::{Close, Moment};
use seawall_wire::facts::Replay;

use super::asked::{Asked, Caller, Mourners};
use super::replies::Replies;
use super::shared::{Shared, State};
use crate::clock;
use crate::command::Nature;

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
        let (up, aside) = self.places();
        // The server would hold it back on any other, with the reads behind it.
        let held = aside.filter(|aside| aside.takes_aside(nature, clock::now()));
        held.or(up)
    }

    pub(super) fn put(&self, shared: Arc<Shared>) {
        let mut places = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let is_aside = |before: &Arc<Shared>| before.is_aside();
        let aside = places.up.take().filter(is_aside);
        let aside = aside.or_else(|| places.aside.take().filter(is_aside));
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
    /// A write that was sent since was answered elsewhere, as was seen first then. What the server holds back it lets go all at
    /// once: a moment later they may be answered here.
    contradicted: Option<Moment>,
}

/// Whether a request leaves a connection that is set aside: sent twice, it does no harm.
pub(super) fn leaves(nature: Nature) -> bool {
    nature.replay == Replay::Read && !nature.held
}

impl State {
    /// Whether it takes a request though it takes no others any more.
    pub(super) fn takes_aside(&self, nature: Nature, now: Moment) -> bool {
        let joins = |aside: Aside| aside.confirmed && now.since(aside.since) < JOINS;
        nature.held && self.lent.is_some() && self.aside.is_some_and(joins)
    }
}

impl Shared {
    /// Whether the server may hold back what waits here, rather than the connection be dead: its host has lately acknowledged
    /// what was sent, a write waits, and no write that was sent since was answered elsewhere (`wrote`).
    ///
    /// For a call that could go again it is borne for three quarters of the time that calls have, unless another connection
    /// shows the same: it needs the rest.
    pub(super) fn may_be_held(
        &self,
        could_leave: bool,
        wrote: bool,
        since: Moment,
        now: Moment,
    ) -> bool {
        let mut state = self.lock();
        let overdue_after = self.patience.overdue_after;
        if wrote && let Some(aside) = &mut state.aside {
            aside.contradicted.get_or_insert(now);
        }
        let confirmed = state.aside.is_some_and(|aside| aside.confirmed);
        let lasts = now.since(since) >= self.patience.silence_max * 3 / 4;
        let contradicted = state.aside.and_then(|aside| aside.contradicted);
        (confirmed || !could_leave || !lasts)
            && contradicted.is_none_or(|seen| now.since(seen) < overdue_after)
            && now.since(state.last_acknowledged) < overdue_after
            && state
                .asked
                .iter()
                .any(|asked| !asked.leaves && !asked.caller.is_gone())
    }

    /// It is left to its writes: who reads goes elsewhere, as if it had ended.
    pub(super) fn set_aside(&self, now: Moment) {
        let before = self.before.get().and_then(Weak::upgrade);
        let confirmed = before.is_some_and(|before| before.is_confirmed());
        {
            let mut state = self.lock();
            if state.lent.is_none() || state.aside.is_some() {
                return;
            }
            state.aside = Some(Aside {
                since: now,
                confirmed,
                contradicted: None,
            });
        }
        self.retire();
        if let Some(mourners) = self.those_who_leave() {
            mourners.tell_left(&self.loss(Close::Abandoned, None));
        }
        // Who waits for room here is to look elsewhere.
        self.make_room();
    }

    /// A write was answered here, and its caller is about to be told. If somebody has given up one that waits on the connection
    /// before, of which it is not sure that the server holds it back, that must not run after this one.
    pub(super) fn overtakes(&self) {
        let before = self.before.get().and_then(Weak::upgrade);
        let Some(before) = before.filter(|before| before.was_given_up()) else {
            return;
        };
        // A server that lets go answers all at once.
        before.read_now();
        if before.was_given_up() {
            before.abandon();
        }
    }

    fn was_given_up(&self) -> bool {
        let state = self.lock();
        let unsure = state.aside.is_some_and(|aside| !aside.confirmed);
        let given_up = |asked: &Asked| !asked.leaves && asked.caller.is_gone();
        unsure && state.asked.iter().any(given_up)
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
