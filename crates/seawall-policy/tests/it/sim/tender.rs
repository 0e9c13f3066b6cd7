use super::Flaw;
use super::schedule::GateBy;
use super::server::Meets;
use super::world::{Event, World};
use seawall_model::Moment;
use seawall_policy::dial::Dial;
use std::time::Duration;

/// How often the tender reads INFO at the most: it may come back without an answer.
const INFO_EVERY: Duration = Duration::from_millis(10);

/// What is done without being asked: probes, the look at the write gate, dials for those who wait.
impl World {
    pub(crate) fn tend(&mut self) {
        self.tender_at = Moment::NEVER;
        let probes = self.flaw != Flaw::NeverProbes;
        if probes && self.health.next_probe().is_some_and(|due| due <= self.now) {
            self.probe();
        }
        let due = self
            .health
            .next_gate_check()
            .is_some_and(|due| due <= self.now);
        if due && self.gate_by == GateBy::Info && self.info_from <= self.now {
            self.info_from = self.now + INFO_EVERY;
            if let (Meets::Server, Some(account)) =
                (self.server.meets(self.now), self.account_of_writes())
            {
                let change = self.health.gate_evidence(self.now, account);
                self.changed(change);
            }
        }
        self.settle();
    }

    /// Sets the timers to what the policies ask for now.
    pub(crate) fn arm(&mut self) {
        let mut tender = Moment::NEVER;
        if self.flaw != Flaw::NeverProbes {
            tender = self.health.next_probe().unwrap_or(Moment::NEVER);
        }
        if self.gate_by == GateBy::Info {
            let due = self.health.next_gate_check().unwrap_or(Moment::NEVER);
            tender = tender.min(due.max(self.info_from));
        }
        if let Dial::Wait(until) = self.dial_gate.want(self.now)
            && !self.parking.is_empty()
        {
            tender = tender.min(until);
        }
        let expiry = self.parking.next_expiry().unwrap_or(Moment::NEVER);
        if tender < self.tender_at {
            self.tender_at = tender.max(self.now);
            self.at(self.tender_at, Event::Tender);
        }
        if expiry < self.expiry_at {
            self.expiry_at = expiry.max(self.now);
            self.at(self.expiry_at, Event::Expiry);
        }
    }
}
