use super::schedule::{Fault, FaultAt, Schedule};
use seawall_model::{Cause, Moment};
use seawall_wire::facts::Access;
use std::time::Duration;

/// The server and the network before it: what something that arrives at a moment meets. It has no state of its own, the
/// faults of the schedule decide.
pub(crate) struct Server {
    faults: Vec<FaultAt>,
}

/// What bytes meet that arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meets {
    /// No process: a reset.
    Nobody,
    /// Nothing at all comes of it, if it is the first packet of a connection; later packets are sent again by the
    /// kernel and arrive then.
    Void(Moment),
    /// The kernel takes it; the process reads it then.
    Sleeper(Moment),
    /// The process reads it.
    Server,
}

/// What the server makes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// It runs, and is answered.
    Runs,
    /// It runs, and the connection is reset instead of answered.
    RunsInVain,
    /// It is refused: unavailable.
    Unavailable(Cause),
    /// It is refused: no writes.
    WritesRefused(Cause),
}

impl Server {
    pub(crate) fn new(schedule: &Schedule) -> Self {
        Self {
            faults: schedule.faults().copied().collect(),
        }
    }

    pub(crate) fn fault(&self, index: usize) -> FaultAt {
        self.faults[index]
    }

    pub(crate) fn meets(&self, now: Moment) -> Meets {
        if let Some(end) = self.until(now, Fault::Partition) {
            Meets::Void(end)
        } else if self.until(now, Fault::Restart).is_some() {
            Meets::Nobody
        } else if let Some(end) = self.until(now, Fault::Freeze) {
            Meets::Sleeper(end)
        } else {
            Meets::Server
        }
    }

    /// What a new connection is told, if not welcome.
    pub(crate) fn greeting(&self, now: Moment) -> Result<(), Cause> {
        if self.until(now, Fault::MaxClients).is_some() {
            Err(Cause::MaxClients)
        } else if self.until(now, Fault::WrongPassword).is_some() {
            Err(Cause::AuthFailed)
        } else {
            Ok(())
        }
    }

    pub(crate) fn ping(&self, now: Moment) -> Result<(), Cause> {
        self.until(now, Fault::Loading)
            .map_or(Ok(()), |_| Err(Cause::Loading))
    }

    pub(crate) fn request(&self, now: Moment, access: Access) -> Word {
        if self.until(now, Fault::Loading).is_some() {
            Word::Unavailable(Cause::Loading)
        } else if access == Access::Write && self.writes_refused(now) {
            Word::WritesRefused(Cause::SaveFailed)
        } else if self.until(now, Fault::LoseReplies).is_some() || self.loses(now) {
            Word::RunsInVain
        } else {
            Word::Runs
        }
    }

    fn loses(&self, now: Moment) -> bool {
        // Requests arrive at any nanosecond.
        self.until(now, Fault::Lossy).is_some() && now.as_nanos().is_multiple_of(Fault::LOSSY_EVERY)
    }

    pub(crate) fn writes_refused(&self, now: Moment) -> bool {
        self.until(now, Fault::SaveFailed).is_some()
    }

    /// How long a request takes inside.
    pub(crate) fn takes(&self, now: Moment) -> Duration {
        let slow = self.until(now, Fault::Slow).is_some();
        if slow {
            Duration::from_millis(120)
        } else if self.until(now, Fault::Lossy).is_some() {
            Fault::LOSSY_TAKES
        } else {
            Duration::from_micros(30)
        }
    }

    /// Another one after every restart.
    pub(crate) fn run_id(&self, now: Moment) -> u64 {
        self.faults
            .iter()
            .filter(|fault| fault.fault == Fault::Restart && fault.at <= now)
            .count() as u64
    }

    fn until(&self, now: Moment, kind: Fault) -> Option<Moment> {
        self.faults
            .iter()
            .filter(|fault| fault.fault == kind && fault.covers(now))
            .map(FaultAt::end)
            .max()
    }
}
