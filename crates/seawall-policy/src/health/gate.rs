use super::{Admission, HealthSettings};
use crate::backoff::Rng;
use seawall_model::{Cause, Moment};
use std::time::Duration;

/// The closed write gate: the server answers reads and refuses writes.
///
/// Nothing of ours may write to the server, so it is tried in two ways. Where the tender may read INFO it reports what
/// it finds, and no write is needed. Otherwise one write of the application at a time is let through, at the cadence
/// of probes: it is not spent on that, since the server refuses it before running it, and it goes back to waiting.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    pub(super) cause: Cause,
    pub(super) since: Moment,
    /// From when on the next write is let through, or INFO should be read.
    pub(super) trial_at: Moment,
}

impl Gate {
    pub(super) fn close(
        now: Moment,
        cause: Cause,
        settings: &HealthSettings,
        rng: &mut Rng,
    ) -> Self {
        let trial_at = now + settings.pause(Duration::ZERO, cause, rng);
        Self {
            cause,
            since: now,
            trial_at,
        }
    }

    pub(super) fn admit(&self, now: Moment, ride_out: Duration) -> Admission {
        if now >= self.trial_at {
            return Admission::Send;
        }
        let end = self.since + ride_out;
        if now < end {
            // Whoever waits asks again when a trial is due: if all writers wait, one of them has to be it.
            Admission::Park {
                until: end.min(self.trial_at),
            }
        } else {
            Admission::Refuse {
                cause: self.cause,
                retry_at: self.trial_at,
            }
        }
    }

    /// A write left: the next one waits for the answer to this one, unless that is overdue.
    pub(super) fn tried(&mut self, now: Moment, settings: &HealthSettings, rng: &mut Rng) {
        let pause = settings.pause(now.since(self.since), self.cause, rng);
        self.trial_at = now + pause.max(settings.overdue_after);
    }

    /// The server refused a write again, or INFO says that it would.
    pub(super) fn refused(&mut self, now: Moment, settings: &HealthSettings, rng: &mut Rng) {
        self.trial_at = now + settings.pause(now.since(self.since), self.cause, rng);
    }
}
