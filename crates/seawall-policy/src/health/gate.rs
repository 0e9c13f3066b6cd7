use super::{Admission, Change, Health, HealthSettings, Writes};
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

/// What is learned of writes.
impl Health {
    /// A write leaves. While the gate is closed it is the trial: until it is answered (or overdue) no other write is
    /// let through. Not reporting it costs a few refused writes more at each trial, nothing else.
    pub fn write_sent(&mut self, now: Moment) {
        if let Some(gate) = &mut self.gate {
            gate.tried(now, &self.settings, &mut self.rng);
        }
    }

    /// What the server says of writes without being sent one. Read it at
    /// [`next_gate_check`](Self::next_gate_check), or whenever INFO is read anyway.
    pub fn gate_evidence(&mut self, now: Moment, writes: Writes) -> Option<Change> {
        match writes {
            Writes::Accepted => self.open_gate(now),
            Writes::Refused(cause) => self.close_gate(now, cause),
        }
    }

    pub(super) fn close_gate(&mut self, now: Moment, cause: Cause) -> Option<Change> {
        if let Some(gate) = &mut self.gate {
            gate.refused(now, &self.settings, &mut self.rng);
            return None;
        }
        self.gate = Some(Gate::close(now, cause, &self.settings, &mut self.rng));
        Some(Change::GateClosed { cause })
    }

    pub(super) fn open_gate(&mut self, now: Moment) -> Option<Change> {
        let gate = self.gate.take()?;
        Some(Change::GateOpened {
            lasted: now.since(gate.since),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{at, health, reply};
    use super::super::{Answered, State};
    use super::*;
    use seawall_wire::error::Family;
    use seawall_wire::facts::Access;

    #[test]
    fn a_failed_save_closes_only_the_write_gate_and_an_accepted_write_opens_it() {
        let mut health = health();
        let write = |sent| Answered {
            access: Access::Write,
            ..reply(0, sent)
        };
        let change = health.server_said(at(10), Family::WritesRefused, Cause::SaveFailed, write(9));
        assert_eq!(
            change,
            Some(Change::GateClosed {
                cause: Cause::SaveFailed
            })
        );
        assert_eq!(
            (health.state(), health.write_gate()),
            (State::Up, Some((Cause::SaveFailed, at(10))))
        );
        assert_eq!(
            health.replied(at(11), write(8)),
            None,
            "sent before the gate closed"
        );
        assert_eq!(
            health.replied(at(12), reply(0, 11)),
            None,
            "a read proves nothing"
        );
        let lasted = Duration::from_millis(20);
        assert_eq!(
            health.replied(at(30), write(29)),
            Some(Change::GateOpened { lasted })
        );
        let late = health.server_said(at(31), Family::WritesRefused, Cause::SaveFailed, write(28));
        assert_eq!(late, None, "a refusal from before the accepted write");
    }

    #[test]
    fn the_servers_own_account_opens_and_closes_the_gate_without_a_write() {
        let mut health = health();
        let full = Cause::OutOfMemory;
        assert_eq!(
            health.gate_evidence(at(10), Writes::Refused(full)),
            Some(Change::GateClosed { cause: full })
        );
        let due = health.next_gate_check().expect("closed");
        assert_eq!(health.gate_evidence(due, Writes::Refused(full)), None);
        assert!(health.next_gate_check() > Some(due));
        assert!(matches!(
            health.gate_evidence(at(99), Writes::Accepted),
            Some(Change::GateOpened { .. })
        ));
    }
}
