//! What the silence of the connection that all tasks share means, and when it is given up for it.

use std::time::Duration;

use seawall_model::Moment;

use super::asked::Asked;
use super::shared::{Shared, State};
use crate::link::call::Call;

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
        let lasts = |since| now.since(since) >= shared.silence_max;
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
        // Nobody may have the time to find out, if all are in a hurry: each asks, and the next one has the answer.
        let served = call.link.ledger().served_after(since);
        if !served && let Some(loss) = shared.loss_if_abandoned(now) {
            call.link
                .decide(|ledger, now| ledger.overdue(now, since, loss.cause));
        }
        served && shared.is_silent_since(since)
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
        if let Some(lent) = &mut self.lent
            && (lent.connection.is_draining() || lent.connection.has_news())
        {
            self.last_moved = now;
        }
    }

    /// Whether it has been silent for so long under a request whose caller has gone: nobody may be left who would find that
    /// out at his deadline.
    pub(super) fn is_dead(&mut self, now: Moment, silence_max: Duration) -> bool {
        let lasts = |state: &Self| {
            let since = state.silent_since();
            since.is_some_and(|since| now.since(since) >= silence_max)
        };
        if !lasts(self) || !self.asked[0].caller.is_gone() {
            return false;
        }
        self.look(now);
        lasts(self)
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
