use super::causes::shuts_the_door;
use super::{Admission, Change, HealthSettings, Probe, State};
use crate::backoff::Rng;
use seawall_model::{Cause, Moment};
use std::time::Duration;

/// How many causes are kept beside the first; those after them say nothing new.
pub(super) const ATTACHED_MAX: usize = 8;

/// From the failure that made an endpoint suspect to the first good probe.
#[derive(Clone, Debug)]
pub(super) struct Outage {
    pub(super) began: Moment,
    pub(super) cause: Cause,
    pub(super) attached: Vec<Cause>,
    pub(super) phase: Phase,
    pub(super) established: Established,
    /// The server's run id when it began.
    pub(super) run_id_before: Option<u64>,
    /// What failed last: it sets the cadence.
    latest: Cause,
    failed_probes: u32,
    /// When the last failed probe was noticed: what was sent before that is no second piece of evidence.
    counted_at: Moment,
    next_probe: Moment,
    under_way: Vec<Probe>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Suspect,
    Down { declared: Moment },
}

/// How the connections do that were there when the outage began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Established {
    /// Well, for all we know: it was a dial that failed, or a request sent since then was answered.
    Serving,
    /// One was lost in use since then, its reply is overdue, or it was told *unavailable*.
    Failing,
}

/// What a failure weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// It is a reason to probe.
    Hint,
    /// It is as good as a failed probe: the server's own word on a request that was sent then.
    Word {
        /// When the request was sent, or the dial begun.
        dated: Moment,
    },
    /// It is a failed probe.
    Probe,
}

impl Outage {
    pub(super) fn begin(now: Moment, cause: Cause, run_id: Option<u64>) -> Self {
        Self {
            began: now,
            cause,
            attached: Vec::new(),
            phase: Phase::Suspect,
            established: Established::Serving,
            run_id_before: run_id,
            latest: cause,
            failed_probes: 0,
            counted_at: Moment::ORIGIN,
            next_probe: now,
            under_way: Vec::new(),
        }
    }

    /// Another failure, or the first one itself. Answers what it changed.
    pub(super) fn failed(
        &mut self,
        now: Moment,
        cause: Cause,
        weight: Weight,
        settings: &HealthSettings,
    ) -> Option<Change> {
        let named = self.note(cause);
        let counts = match weight {
            Weight::Hint => false,
            Weight::Word { dated } => self.failed_probes == 0 || dated >= self.counted_at,
            Weight::Probe => true,
        };
        if counts {
            self.failed_probes = self.failed_probes.saturating_add(1);
            self.counted_at = now;
            self.latest = cause;
        }
        if self.phase == Phase::Suspect && self.failed_probes >= settings.probes_to_down {
            self.phase = Phase::Down { declared: now };
            return Some(Change::Down {
                cause: self.cause,
                since: self.began,
            });
        }
        named
    }

    /// The outage has this cause, whatever it had before.
    pub(super) fn rename(&mut self, cause: Cause) -> Option<Change> {
        if self.cause == cause {
            return None;
        }
        self.attach(self.cause);
        self.attached.retain(|other| *other != cause);
        self.cause = cause;
        Some(Change::CauseNamed { cause })
    }

    /// The first cause wins, unless it was only a symptom and this one is not.
    fn note(&mut self, cause: Cause) -> Option<Change> {
        if self.cause.is_symptom() && !cause.is_symptom() {
            return self.rename(cause);
        }
        if cause != self.cause {
            self.attach(cause);
        }
        None
    }

    fn attach(&mut self, cause: Cause) {
        if self.attached.len() < ATTACHED_MAX && !self.attached.contains(&cause) {
            self.attached.push(cause);
        }
    }

    pub(super) fn probe_started(&mut self, probe: Probe, settings: &HealthSettings, rng: &mut Rng) {
        let now = probe.started;
        self.under_way
            .retain(|other| now < forgotten_at(*other, settings));
        self.under_way.push(probe);
        self.next_probe = now + settings.pause(now.since(self.began), self.latest, rng);
    }

    /// The next probe is due now, if none is under way.
    pub(super) fn bring_forward(&mut self, now: Moment) {
        self.next_probe = self.next_probe.min(now);
    }

    pub(super) fn probe_ended(&mut self, probe: Probe) {
        self.under_way.retain(|other| *other != probe);
    }

    /// When to start the next probe. There always is one: a probe whose end is never reported is forgotten, so that
    /// a shell that loses one cannot hold an endpoint down for ever.
    pub(super) fn next_probe(&self, settings: &HealthSettings) -> Moment {
        let at_once = match self.phase {
            Phase::Suspect => 1,
            Phase::Down { .. } => settings.probes_at_once_max.max(1),
        };
        match self.under_way.first() {
            Some(oldest) if self.under_way.len() >= at_once => {
                self.next_probe.max(forgotten_at(*oldest, settings))
            }
            _ => self.next_probe,
        }
    }

    pub(super) fn admission(
        &self,
        now: Moment,
        ride_out: Duration,
        settings: &HealthSettings,
    ) -> Admission {
        let until = self.began + ride_out;
        if now < until {
            return Admission::Park { until };
        }
        let retry_at = self.next_probe(settings).max(now);
        Admission::Refuse {
            cause: self.cause,
            retry_at,
        }
    }

    /// Whether it is down for those too who are connected.
    pub(super) fn ends_waits(&self) -> bool {
        matches!(self.phase, Phase::Down { .. }) && !shuts_the_door(self.latest)
    }

    pub(super) fn state(&self, settings: &HealthSettings) -> State {
        match self.phase {
            Phase::Suspect => State::Suspect {
                since: self.began,
                cause: self.cause,
            },
            Phase::Down { declared } => State::Down {
                since: self.began,
                declared,
                cause: self.cause,
                next_probe: self.next_probe(settings),
            },
        }
    }
}

fn forgotten_at(probe: Probe, settings: &HealthSettings) -> Moment {
    probe.started + settings.probe_timeout * 2
}
