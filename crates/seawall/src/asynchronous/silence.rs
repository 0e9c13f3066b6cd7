//! What the silence of the connection that all tasks share means, and when it is given up for it.

use std::time::Duration;

use seawall_model::Moment;

use super::asked::Asked;
use super::shared::{Shared, State};
use crate::link::call::{Call, Conduct};
use crate::link::shared::Link;

/// How long its silence is borne.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// What lasts so long is looked into.
    pub(super) overdue_after: Duration,
    /// What lasts so long is enough by itself.
    pub(super) silence_max: Duration,
}

impl Patience {
    /// Silence that lasts as long as calls usually may take shows that a connection is dead.
    pub(super) fn of(conduct: &Conduct) -> Self {
        Self {
            overdue_after: conduct.overdue_after,
            silence_max: conduct.deadline,
        }
    }
}

/// Why a connection is of no more use to a call whose deadline has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vain {
    /// Not a byte came since the call was sent, nor has anybody heard anything over it from then on.
    Silent(Moment),
    /// Something came, but no whole reply from then on, and nobody waits any more for the one that would be next: it may
    /// have no end, and all others stand behind it.
    Stuck(Moment),
    /// One of both, and nobody else waits on it.
    Alone,
}

impl Vain {
    /// Whether the connection is given up: what it still holds must not run later. Where others wait on it a call in a
    /// hurry, which had less time than the client gives, is no reason to leave theirs in doubt; evidence is.
    pub(super) fn condemns(
        self,
        call: &Call<'_>,
        shared: &Shared,
        sent_at: Moment,
        now: Moment,
    ) -> bool {
        let had_its_time = !call.is_hasty(sent_at) && call.overdue_at(sent_at) <= now;
        let lasts = |since| now.since(since) >= shared.patience.silence_max;
        let since = match self {
            Self::Alone => return true,
            // A probe that is answered says nothing against a connection over which something comes.
            Self::Stuck(since) => return had_its_time || lasts(since),
            Self::Silent(since) if had_its_time || lasts(since) => return true,
            Self::Silent(since) => since,
        };
        if now < call.overdue_at(since) {
            return false;
        }
        shared.is_shown_dead(call.link, since, now)
    }
}

impl State {
    /// Since when nothing was heard on it, nor was it seen to move, though a reply is owed.
    fn silent_since(&self) -> Option<Moment> {
        let oldest = self.asked.front()?.sent_at;
        Some(oldest.max(self.last_heard).max(self.last_moved))
    }

    /// It may drain what is written to it, and be slow, or something may have come that its driver had no time to read
    /// yet.
    fn look(&mut self, now: Moment) {
        let Some(lent) = &mut self.lent else {
            return;
        };
        if lent.connection.is_draining() || lent.connection.has_news() {
            self.last_moved = now;
        }
        if lent.connection.is_acknowledged() {
            self.last_acknowledged = now;
        }
    }

    /// Since when, if it has been silent for so long under a request whose caller has gone: nobody may be left who would find
    /// that out at his deadline.
    pub(super) fn forsaken_since(&self, now: Moment, overdue_after: Duration) -> Option<Moment> {
        let since = self.silent_since()?;
        let forsaken = now.since(since) >= overdue_after && self.asked[0].caller.is_gone();
        forsaken.then_some(since)
    }
}

impl Shared {
    /// When something last moved on it, in either direction, as far as that was looked at.
    pub(super) fn last_moved(&self) -> Moment {
        let state = self.lock();
        state.last_heard.max(state.last_moved)
    }

    /// Looks whether it is silent after all.
    pub(super) fn look(&self, now: Moment) {
        self.lock().look(now);
    }

    /// Whether it is given up, which has been silent for a while, before another request joins it.
    pub(super) fn is_forsaken(&self, now: Moment) -> bool {
        let since = {
            let mut state = self.lock();
            state.look(now);
            state.forsaken_since(now, self.patience.overdue_after)
        };
        let (Some(since), Some(link)) = (since, self.link.upgrade()) else {
            return false;
        };
        if now.since(since) < self.patience.silence_max {
            return self.is_shown_dead(&link, since, now);
        }
        self.ask_elsewhere(&link, since, now);
        true
    }

    /// Whether its silence since then shows that it is dead: the server answered what was sent elsewhere since, and has
    /// not even acknowledged what was sent here. A server that has may be at work on it, or hold it back (CLIENT PAUSE).
    fn is_shown_dead(&self, link: &Link, since: Moment, now: Moment) -> bool {
        let served = link.ledger().served_after(since);
        if !served {
            // Nobody may have the time to find out, if all are in a hurry: each asks, and the next one has the answer.
            self.ask_elsewhere(link, since, now);
        }
        served && self.is_silent_since(since) && self.is_unacknowledged(now)
    }

    /// Has the server asked over another connection whether it is there.
    fn ask_elsewhere(&self, link: &Link, since: Moment, now: Moment) {
        if let Some(loss) = self.loss_if_abandoned(now) {
            link.decide(|ledger, now| ledger.overdue(now, since, loss.cause));
        }
    }

    /// Whether the peer's host has acknowledged nothing for as long as any reply has, by the looks that were taken.
    fn is_unacknowledged(&self, now: Moment) -> bool {
        now.since(self.lock().last_acknowledged) >= self.patience.overdue_after
    }

    /// Whether nothing has come since then, read or unread.
    pub(super) fn is_silent_since(&self, moment: Moment) -> bool {
        let state = self.lock();
        let lent = state.lent.as_ref();
        state.last_heard <= moment && lent.is_some_and(|lent| !lent.connection.has_news())
    }

    /// Whether a request whose deadline has come was sent in vain: see [`Vain`].
    pub(super) fn is_vain(&self, id: u64, sent_at: Moment) -> Option<Vain> {
        let state = self.lock();
        let waits = |asked: &Asked| !asked.caller.is_gone();
        let alone = || {
            // The youngest are the likeliest to wait.
            let mut others = state.asked.iter().rev().filter(|asked| asked.id != id);
            !others.any(waits)
        };
        let oldest = state.asked.front().map_or(sent_at, |asked| asked.sent_at);
        let mut before = state.asked.iter().take_while(|asked| asked.id < id);
        let vain = if state.last_heard <= sent_at {
            Vain::Silent(state.silent_since().unwrap_or(sent_at))
        } else if state.last_replied <= sent_at && !before.any(waits) {
            Vain::Stuck(oldest.max(state.last_replied))
        } else {
            return None;
        };
        Some(if alone() { Vain::Alone } else { vain })
    }

    /// Whether this overdue request is the one that looks often what a probe found: thousands of them would only be in
    /// each other's way. One that could not leave does not watch.
    pub(super) fn watches(&self, id: u64, could_leave: bool) -> bool {
        let mut state = self.lock();
        let watcher = state.watcher.filter(|&watcher| {
            let index = state.find(watcher).map(|(index, _)| index);
            index.is_some_and(|index| !state.asked[index].caller.is_gone())
        });
        state.watcher = match watcher {
            Some(watcher) if watcher != id => return false,
            _ => Some(id).filter(|_| could_leave),
        };
        could_leave
    }
}
