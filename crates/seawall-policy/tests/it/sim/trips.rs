use super::schedule::GateBy;
use super::server::Meets;
use super::world::{Conn, Event, World};
use seawall_model::{Cause, Moment};
use seawall_policy::dial::Dialled;
use seawall_policy::health::{Probe, ProbeResult, Writes};
use std::time::Duration;

/// A connection in the making: for the pool, or as a probe.
#[derive(Clone, Debug)]
pub(crate) struct Trip {
    purpose: Purpose,
    began: Moment,
    /// Its handshake waits at a server that does not read.
    accepted: bool,
}

#[derive(Clone, Copy, Debug)]
enum Purpose {
    Pool,
    Probe(Probe),
}

const DIAL_LIMIT: Duration = Duration::from_secs(1);

impl World {
    pub(crate) fn dial(&mut self) {
        self.dial_gate.started(self.now);
        self.check.dial_began(self.now);
        self.set_out(Purpose::Pool, DIAL_LIMIT);
    }

    pub(crate) fn probe(&mut self) {
        let probe = self.health.probe_started(self.now);
        self.check.probe_began(self.now);
        let limit = self.health.settings().probe_timeout;
        self.set_out(Purpose::Probe(probe), limit);
    }

    fn set_out(&mut self, purpose: Purpose, limit: Duration) {
        self.ids += 1;
        self.note(30, u64::from(self.ids));
        self.trips.insert(
            self.ids,
            Trip {
                purpose,
                began: self.now,
                accepted: false,
            },
        );
        let latency = self.latency();
        self.after(latency, Event::TripArrives(self.ids));
        self.after(limit, Event::TripLimit(self.ids));
    }

    pub(crate) fn trip_arrives(&mut self, id: u32) {
        let latency = self.latency();
        let Some(trip) = self.trips.get_mut(&id) else {
            return;
        };
        match self.server.meets(self.now) {
            Meets::Void(_) => {}
            Meets::Nobody => {
                self.after(latency, Event::TripEnds(id, Some(Cause::ConnectionRefused)));
            }
            Meets::Sleeper(until) => {
                trip.accepted = true;
                self.at(until, Event::TripArrives(id));
            }
            Meets::Server => {
                trip.accepted = true;
                let told = match trip.purpose {
                    Purpose::Pool => self.server.greeting(self.now),
                    Purpose::Probe(_) => self
                        .server
                        .greeting(self.now)
                        .and_then(|()| self.server.ping(self.now)),
                };
                let takes = self.server.takes(self.now) + latency * 2;
                self.after(takes, Event::TripEnds(id, told.err()));
            }
        }
    }

    pub(crate) fn trip_limit(&mut self, id: u32) {
        let Some(trip) = self.trips.get(&id) else {
            return;
        };
        let cause = if trip.accepted {
            Cause::ServerUnresponsive
        } else {
            Cause::ConnectTimeout
        };
        self.trip_ends(id, Some(cause));
    }

    /// Every connection in the making that the server had accepted is closed.
    pub(crate) fn cut_trips(&mut self, cause: Cause) {
        let accepted: Vec<_> = self
            .trips
            .iter()
            .filter(|(_, trip)| trip.accepted)
            .map(|(id, _)| *id)
            .collect();
        for id in accepted {
            let latency = self.latency();
            self.after(latency, Event::TripEnds(id, Some(cause)));
        }
    }

    pub(crate) fn trip_ends(&mut self, id: u32, failed: Option<Cause>) {
        let Some(Trip { purpose, began, .. }) = self.trips.remove(&id) else {
            return;
        };
        self.note(31, failed.map_or(0, |cause| u64::from(cause.number())));
        let change = match (purpose, failed) {
            (Purpose::Pool, None) => {
                self.check.dial_ended();
                self.dial_gate.finished(self.now, Dialled::Connected);
                self.health
                    .dialled(began, Some(self.server.run_id(self.now)));
                self.conns.insert(id, Conn::new(self.now));
                None
            }
            (Purpose::Pool, Some(cause)) => {
                self.check.dial_ended();
                self.dial_gate.finished(self.now, Dialled::Failed);
                self.health.dial_failed(self.now, began, cause)
            }
            (Purpose::Probe(probe), failed) => {
                self.check.probe_ended();
                let result = failed.map_or_else(|| self.good(), ProbeResult::Failed);
                self.health.probe_finished(self.now, probe, result)
            }
        };
        self.changed(change);
        self.settle();
    }

    fn good(&self) -> ProbeResult {
        ProbeResult::Good {
            run_id: Some(self.server.run_id(self.now)),
            write_ok: self.account_of_writes(),
        }
    }

    /// What INFO says, where it may be read.
    pub(crate) fn account_of_writes(&self) -> Option<Writes> {
        match self.gate_by {
            GateBy::TrialWrites => None,
            GateBy::Info if self.server.writes_refused(self.now) => {
                Some(Writes::Refused(Cause::SaveFailed))
            }
            GateBy::Info => Some(Writes::Accepted),
        }
    }
}
