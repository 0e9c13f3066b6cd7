//! What is told of an outage: how it changes, and what becomes of the calls meanwhile.

use seawall_model::{Cause, Moment};
use seawall_policy::health::{Change, State};

use super::{Changed, Ledger, Orders};
use crate::events::of_policy;
use crate::stats::Course;

impl<C, W> Ledger<C, W> {
    /// The health may have changed: probes may be due, and those outside are told.
    pub(super) fn changed(
        &mut self,
        now: Moment,
        change: Option<Change>,
        orders: &mut Orders<C, W>,
    ) {
        orders.wake_tender |= self.health.next_probe().is_some();
        let Some(change) = change else { return };
        // Other links to the endpoint are told.
        orders.wake_tender |= matches!(change, Change::Up { .. });
        match change {
            Change::Suspect { .. } => self.counters.suspected(now),
            Change::Down { .. } => self.counters.declared(),
            Change::Up { .. }
            | Change::CauseNamed { .. }
            | Change::GateClosed { .. }
            | Change::GateOpened { .. } => {}
        }
        let course = self.counters.course(now);
        if let Change::Up {
            lasted,
            cause,
            restarted,
            ..
        } = change
        {
            self.counters.recovered(cause, lasted, of_policy(restarted));
        }
        orders.changes.push(Changed { change, course });
    }

    /// How an outage goes on, and its cause, if it is time to tell.
    pub(crate) fn progress(&mut self, now: Moment) -> Option<(Cause, Course)> {
        let State::Down { cause, .. } = self.health.state() else {
            return None;
        };
        Some((cause, self.counters.progress(now)?))
    }
}
