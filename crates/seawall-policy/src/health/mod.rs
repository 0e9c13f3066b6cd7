//! The health of one endpoint: may a call be sent to it now, must it wait, or be refused, and why?
//!
//! `Up -> Suspect -> Down -> Up`, and beside it the write gate. A failure on one connection is no outage: it is a
//! reason to look. So a failure that a healthy server cannot explain makes the endpoint *suspect*, probes on fresh
//! connections decide, and only they can declare it *down*; one good probe makes it up.
//!
//! [`Health`]'s methods, by what they do:
//! - events, each answering what it changed: [`dialled`](Health::dialled), [`dial_failed`](Health::dial_failed),
//!   [`connection_failed`](Health::connection_failed), [`reply_overdue`](Health::reply_overdue),
//!   [`replied`](Health::replied), [`server_said`](Health::server_said),
//!   [`probe_started`](Health::probe_started), [`probe_finished`](Health::probe_finished),
//!   [`write_sent`](Health::write_sent), [`gate_evidence`](Health::gate_evidence), [`advised`](Health::advised),
//!   [`encouraged`](Health::encouraged);
//! - timers: [`next_probe`](Health::next_probe), [`next_gate_check`](Health::next_gate_check);
//! - the question: [`admit`](Health::admit), and [`admit_established`](Health::admit_established) for a call that
//!   already has a connection; [`ends_waits`](Health::ends_waits) for one that waits on it without an end;
//! - getters: [`state`](Health::state), [`write_gate`](Health::write_gate),
//!   [`outage_began`](Health::outage_began), [`attached`](Health::attached), [`advice`](Health::advice).
//!
//! Evidence is dated by when it was *sent*, not by when it was noticed: a dial that began before the last good
//! handshake, or a reply that is overdue while a later request was answered, says nothing about now. Events may come
//! a little out of order, as threads report them.

mod advice;
mod causes;
mod events;
#[cfg(test)]
mod fixtures;
mod gate;
mod outage;
mod probes;
mod settings;
mod words;

pub use advice::Advice;
pub use settings::HealthSettings;
pub use words::{Admission, Answered, Change, Probe, ProbeResult, Restarted, State, Writes};

use crate::backoff::Rng;
use gate::Gate;
use outage::{Established, Outage};
use seawall_model::{Cause, Moment};
use seawall_wire::facts::Access;
use std::time::Duration;

/// The health of one endpoint. See the [module](self).
#[derive(Clone, Debug)]
pub struct Health {
    settings: HealthSettings,
    rng: Rng,
    /// `None`: up.
    outage: Option<Outage>,
    gate: Option<Gate>,
    /// While up: the failure after which another one, on a connection made since, is suspicious.
    first_failure: Option<Moment>,
    /// The server turned us away and never let us in: not an outage, a mistake in the settings.
    rejected: Option<Rejected>,
    history: History,
    proofs: Proofs,
    /// The server's own words on commands, after which a probe found it well: they concern those commands alone.
    overruled: Option<Overruled>,
    run_id: Option<u64>,
    probes: u64,
}

/// Whether it ever worked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum History {
    Never,
    Worked,
}

/// The newest evidence that the endpoint serves, dated by when it was sent.
#[derive(Clone, Copy, Debug, Default)]
struct Proofs {
    /// A request sent then was answered.
    served: Moment,
    /// A dial begun then came to a complete handshake.
    opened: Moment,
    /// A write sent then was accepted.
    wrote: Moment,
}

#[derive(Clone, Copy, Debug)]
struct Rejected {
    cause: Cause,
    retry_at: Moment,
}

#[derive(Clone, Copy, Debug)]
struct Overruled {
    cause: Cause,
    until: Moment,
}

impl Health {
    /// An endpoint that nothing is known of, and that is taken to be up. `seed` spreads its probes.
    pub fn new(settings: HealthSettings, seed: u64) -> Self {
        Self {
            settings,
            rng: Rng::new(seed),
            outage: None,
            gate: None,
            first_failure: None,
            rejected: None,
            history: History::Never,
            proofs: Proofs::default(),
            overruled: None,
            run_id: None,
            probes: 0,
        }
    }

    /// The numbers it goes by.
    pub const fn settings(&self) -> &HealthSettings {
        &self.settings
    }

    // -- timers --

    /// When to begin the next probe; `None` while up. Never later than twice the probe's own limit after the last.
    pub fn next_probe(&self) -> Option<Moment> {
        self.outage
            .as_ref()
            .map(|outage| outage.next_probe(&self.settings))
    }

    /// When the write gate is due to be tried; `None` while it is open, or in an outage. The tender may read INFO then
    /// and report [`gate_evidence`](Self::gate_evidence); if it does not, the next write is let through.
    pub fn next_gate_check(&self) -> Option<Moment> {
        if self.outage.is_some() {
            None
        } else {
            self.gate.as_ref().map(|gate| gate.trial_at)
        }
    }

    // -- the question --

    /// Whether a call may be sent now, over a connection that may have to be made.
    ///
    /// In an outage it waits until `ride_out` after the outage's beginning, suspected or proved, and is refused after
    /// that. While writes are refused, a write waits and is refused likewise, and at the cadence of probes one is let
    /// through to see; report it with [`write_sent`](Self::write_sent). Where the server turned us away and it never
    /// worked, calls are refused for [`auth_probe_interval`](HealthSettings::auth_probe_interval) after each dial that
    /// was, without a wait: waiting cures no wrong password.
    pub fn admit(&self, now: Moment, access: Access, ride_out: Duration) -> Admission {
        if let Some(outage) = &self.outage {
            return outage.admission(now, ride_out, &self.settings);
        }
        if let Some(Rejected { cause, retry_at }) = self.rejected
            && now < retry_at
        {
            return Admission::Refuse { cause, retry_at };
        }
        self.admit_by_gate(now, access, ride_out)
    }

    /// The same for a call that has an established connection at hand, looked at and found clean. Ask it where
    /// [`admit`](Self::admit) did not say [`Admission::Send`] and the pool has one to give.
    ///
    /// Where only new connections fail (maxclients, a full backlog, name service, certificates, credentials, no sockets
    /// left here) the old ones serve on, and declaring an outage must not make it one: the call may be sent, until a
    /// reply on an old connection is overdue, one is lost in use, or the server says on one that it is unavailable.
    pub fn admit_established(&self, now: Moment, access: Access, ride_out: Duration) -> Admission {
        match &self.outage {
            Some(outage) if outage.established == Established::Failing => {
                outage.admission(now, ride_out, &self.settings)
            }
            _ => self.admit_by_gate(now, access, ride_out),
        }
    }

    /// Whether a wait without an end, on an established connection, ends: the endpoint is down, and not only for those who
    /// want to come in. What was turned away last shows that there is a server, and nothing of the connections it has.
    pub fn ends_waits(&self) -> bool {
        self.outage.as_ref().is_some_and(Outage::ends_waits)
    }

    // -- getters --

    /// How the endpoint is.
    pub fn state(&self) -> State {
        self.outage
            .as_ref()
            .map_or(State::Up, |outage| outage.state(&self.settings))
    }

    /// Why and since when writes are refused; `None` if they are not.
    pub fn write_gate(&self) -> Option<(Cause, Moment)> {
        self.gate.as_ref().map(|gate| (gate.cause, gate.since))
    }

    /// Why the server turned us away before it ever worked, and until when calls are refused for it unasked. Not an
    /// outage: the state is [`State::Up`].
    pub fn rejected(&self) -> Option<(Cause, Moment)> {
        self.rejected
            .map(|Rejected { cause, retry_at }| (cause, retry_at))
    }

    /// When the present outage or suspicion began.
    pub fn outage_began(&self) -> Option<Moment> {
        self.outage.as_ref().map(|outage| outage.began)
    }

    /// What else was seen in the present outage beside its cause, in order, each once.
    pub fn attached(&self) -> &[Cause] {
        self.outage.as_ref().map_or(&[], |outage| &outage.attached)
    }

    fn admit_by_gate(&self, now: Moment, access: Access, ride_out: Duration) -> Admission {
        match &self.gate {
            Some(gate) if access == Access::Write => gate.admit(now, ride_out),
            _ => Admission::Send,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::fixtures::{at, fail_probe, health};
    use super::*;

    const RIDE_OUT: Duration = Duration::from_millis(500);

    fn admit(health: &Health, now: u64, access: Access) -> Admission {
        health.admit(at(now), access, RIDE_OUT)
    }

    #[test]
    fn calls_wait_out_the_first_half_second_of_an_outage_and_are_refused_after() {
        let mut health = health();
        assert_eq!(admit(&health, 0, Access::Read), Admission::Send);
        health.dial_failed(at(10), at(9), Cause::ConnectionRefused);
        assert_eq!(
            admit(&health, 20, Access::Read),
            Admission::Park { until: at(510) }
        );
        assert_eq!(
            health.admit(at(120), Access::Read, Duration::from_millis(100)),
            Admission::Refuse {
                cause: Cause::ConnectionRefused,
                retry_at: at(120)
            },
            "a route that can answer waits for less, and the next probe is due"
        );
        let Admission::Refuse { retry_at, .. } = admit(&health, 510, Access::Read) else {
            panic!("the wait has an end")
        };
        assert!(retry_at >= at(510));
    }

    #[test]
    fn where_only_the_door_is_shut_calls_with_a_connection_go_on() {
        let mut health = health();
        health.dial_failed(at(10), at(9), Cause::MaxClients);
        let established =
            |health: &Health| health.admit_established(at(20), Access::Read, RIDE_OUT);
        assert_ne!(admit(&health, 20, Access::Read), Admission::Send);
        assert_eq!(established(&health), Admission::Send);
        health.connection_failed(at(21), at(0), Cause::IdleClosed);
        assert_eq!(
            established(&health),
            Admission::Send,
            "one idle socket is no news"
        );
        health.reply_overdue(at(22), at(0), Cause::ReplyTimeout);
        assert_ne!(established(&health), Admission::Send);
        let reply = Answered {
            established_at: at(0),
            sent_at: at(15),
            access: Access::Read,
        };
        health.replied(at(23), reply);
        assert_eq!(established(&health), Admission::Send, "answered after all");
    }

    #[test]
    fn a_shut_door_ends_no_wait_of_those_inside() {
        let mut health = health();
        health.dial_failed(at(10), at(9), Cause::MaxClients);
        fail_probe(&mut health, at(20), Cause::MaxClients);
        fail_probe(&mut health, at(40), Cause::AuthFailed);
        assert!(matches!(health.state(), State::Down { .. }));
        assert!(!health.ends_waits());
        fail_probe(&mut health, at(60), Cause::ConnectTimeout);
        assert!(
            health.ends_waits(),
            "nothing is known of the server any more"
        );
    }

    #[test]
    fn a_call_is_refused_unasked_for_a_second_after_the_first_contact_was() {
        let mut health = Health::new(HealthSettings::default(), 1);
        let wrong = Cause::AuthFailed;
        health.dial_failed(at(1), at(0), wrong);
        let refused = Admission::Refuse {
            cause: wrong,
            retry_at: at(1_001),
        };
        assert_eq!(admit(&health, 2, Access::Read), refused);
        assert_eq!(
            admit(&health, 1_001, Access::Read),
            Admission::Send,
            "its dial is the test"
        );
        health.dialled(at(1_001), None);
        assert_eq!(
            (health.rejected(), admit(&health, 1_003, Access::Read)),
            (None, Admission::Send)
        );
    }

    #[test]
    fn while_writes_are_refused_reads_go_on_and_one_write_at_a_time_tries() {
        let mut health = health();
        health.gate_evidence(at(0), Writes::Refused(Cause::SaveFailed));
        assert_eq!(admit(&health, 1, Access::Read), Admission::Send);
        let Admission::Park { until } = admit(&health, 1, Access::Write) else {
            panic!("writes wait within the ride-out")
        };
        assert_eq!(
            health.next_gate_check(),
            Some(until),
            "and ask again when a trial is due"
        );
        assert_eq!(
            health.admit(until, Access::Write, RIDE_OUT),
            Admission::Send
        );
        health.write_sent(until);
        assert_ne!(
            health.admit(until, Access::Write, RIDE_OUT),
            Admission::Send
        );
        let refused = Admission::Refuse {
            cause: Cause::SaveFailed,
            retry_at: health.next_gate_check().expect("closed"),
        };
        assert_eq!(health.admit(until, Access::Write, Duration::ZERO), refused);
    }
}
