use super::causes::{is_rejection, is_word};
use super::outage::{Phase, Weight};
use super::{Change, Health, Overruled, Probe, ProbeResult, Restarted, Writes};
use seawall_model::Moment;

/// Probes, and the end of an outage.
impl Health {
    /// A probe begins; it is due at [`next_probe`](Self::next_probe).
    pub fn probe_started(&mut self, now: Moment) -> Probe {
        let probe = Probe {
            started: now,
            number: self.probes,
        };
        self.probes += 1;
        if let Some(outage) = &mut self.outage {
            outage.probe_started(probe, &self.settings, &mut self.rng);
        }
        probe
    }

    /// A probe ended, or was given up.
    pub fn probe_finished(
        &mut self,
        now: Moment,
        probe: Probe,
        result: ProbeResult,
    ) -> Option<Change> {
        if let Some(outage) = &mut self.outage {
            outage.probe_ended(probe);
        }
        let in_time = self
            .outage
            .as_ref()
            .is_some_and(|outage| probe.started >= outage.began);
        match result {
            ProbeResult::Good { run_id, write_ok } => {
                self.dialled(probe.started, None);
                self.proofs.served = self.proofs.served.max(probe.started);
                if in_time {
                    return self.recover(now, run_id, write_ok);
                }
                self.run_id = run_id.or(self.run_id);
                write_ok.and_then(|writes| self.gate_evidence(now, writes))
            }
            ProbeResult::Failed(cause) if in_time => {
                let first_contact = is_rejection(cause) && self.never_let_in(cause);
                let outage = self.outage.as_mut()?;
                let change = outage.failed(now, cause, Weight::Probe, &self.settings);
                // It never worked, and now it is reached and turns us away: that is what somebody has to act on.
                if first_contact && let Some(named) = outage.rename(cause) {
                    return Some(match change {
                        Some(Change::Down { since, .. }) => Change::Down { cause, since },
                        _ => named,
                    });
                }
                change
            }
            ProbeResult::Failed(_) => None,
        }
    }

    /// The endpoint serves again.
    pub(super) fn recover(
        &mut self,
        now: Moment,
        run_id: Option<u64>,
        write_ok: Option<Writes>,
    ) -> Option<Change> {
        let outage = self.outage.take()?;
        if outage.phase == Phase::Suspect && is_word(outage.cause) {
            let until = now + self.settings.probe_interval_max;
            self.overruled = Some(Overruled {
                cause: outage.cause,
                until,
            });
        }
        self.first_failure = None;
        self.run_id = run_id.or(self.run_id);
        let writes_refused = match write_ok {
            Some(Writes::Refused(cause)) => self.close_gate(now, cause).map(|_| cause),
            _ => None,
        };
        if let Some(gate) = &mut self.gate {
            // It may be another process by now: find out with the first write.
            gate.trial_at = now;
        }
        let restarted = match (outage.run_id_before, self.run_id) {
            (Some(before), Some(now)) if before == now => Restarted::No,
            (Some(_), Some(_)) => Restarted::Yes,
            _ => Restarted::Unknown,
        };
        let lasted = now.since(outage.began);
        Some(Change::Up {
            lasted,
            cause: outage.cause,
            restarted,
            writes_refused,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{at, fail_probe, good, health, probe};
    use super::super::{HealthSettings, State};
    use super::*;
    use seawall_model::Cause;
    use std::time::Duration;

    #[test]
    fn a_failed_dial_makes_suspect_two_failed_probes_down_and_one_good_one_up() {
        let refused = Cause::ConnectionRefused;
        let mut health = health();
        assert_eq!(
            health.dial_failed(at(10), at(9), refused),
            Some(Change::Suspect { cause: refused })
        );
        assert_eq!(health.next_probe(), Some(at(10)), "at once");
        let (end, change) = fail_probe(&mut health, at(10), refused);
        assert_eq!(change, None);
        let (end, change) = fail_probe(&mut health, end, refused);
        assert_eq!(
            change,
            Some(Change::Down {
                cause: refused,
                since: at(10)
            })
        );
        let (end, change) = probe(&mut health, end, good(8));
        let lasted = end.since(at(10));
        assert_eq!(
            change,
            Some(Change::Up {
                lasted,
                cause: refused,
                restarted: Restarted::Yes,
                writes_refused: None
            })
        );
        assert_eq!((health.state(), health.next_probe()), (State::Up, None));
    }

    #[test]
    fn a_probe_names_what_lies_behind_a_symptom_and_later_causes_are_attached() {
        let mut health = health();
        health.reply_overdue(at(10), at(0), Cause::ReplyTimeout);
        let (end, change) = fail_probe(&mut health, at(10), Cause::ServerUnresponsive);
        assert_eq!(
            change,
            Some(Change::CauseNamed {
                cause: Cause::ServerUnresponsive
            })
        );
        let (end, change) = fail_probe(&mut health, end, Cause::ConnectionRefused);
        assert_eq!(
            change,
            Some(Change::Down {
                cause: Cause::ServerUnresponsive,
                since: at(10)
            })
        );
        fail_probe(&mut health, end, Cause::Loading);
        assert_eq!(
            health.attached(),
            [
                Cause::ReplyTimeout,
                Cause::ConnectionRefused,
                Cause::Loading
            ]
        );
    }

    #[test]
    fn probes_in_suspicion_come_one_by_one_and_in_an_outage_do_not_wait_for_each_other() {
        let mut health = health();
        let timeout = HealthSettings::default().probe_timeout;
        health.reply_overdue(at(0), at(0), Cause::ReplyTimeout);
        health.probe_started(at(0));
        assert_eq!(
            health.next_probe(),
            Some(at(0) + timeout * 2),
            "only if the first one gets lost"
        );
        let mut health = self::health();
        health.dial_failed(at(0), at(0), Cause::ConnectTimeout);
        let (end, _) = fail_probe(&mut health, at(0), Cause::ConnectTimeout);
        fail_probe(&mut health, end, Cause::ConnectTimeout);
        let started: Vec<_> = (0..5)
            .map(|_| {
                let due = health.next_probe().expect("down");
                health.probe_started(due);
                due
            })
            .collect();
        assert!(
            started[3].since(started[0]) <= Duration::from_millis(90),
            "{started:?}"
        );
        assert_eq!(
            started[4],
            started[0] + timeout * 2,
            "four at once, unless one is lost"
        );
    }

    #[test]
    fn probes_of_an_earlier_outage_say_nothing_of_this_one() {
        let refused = Cause::ConnectionRefused;
        let mut health = health();
        health.dial_failed(at(0), at(0), refused);
        let (old, new) = (health.probe_started(at(1)), health.probe_started(at(2)));
        assert!(health.probe_finished(at(3), new, good(7)).is_some());
        health.dial_failed(at(10), at(9), refused);
        assert_eq!(
            health.probe_finished(at(11), old, ProbeResult::Failed(refused)),
            None
        );
        assert_eq!(
            fail_probe(&mut health, at(12), refused).1,
            None,
            "the first that counts"
        );
        assert_eq!(health.probe_finished(at(60), old, good(7)), None);
        assert_ne!(health.state(), State::Up);
    }

    #[test]
    fn a_probe_that_finds_writes_refused_ends_the_outage_and_says_so() {
        let mut health = health();
        health.dial_failed(at(10), at(9), Cause::ConnectionRefused);
        let write_ok = Some(Writes::Refused(Cause::ReadOnly));
        let (_, change) = probe(
            &mut health,
            at(10),
            ProbeResult::Good {
                run_id: None,
                write_ok,
            },
        );
        let Some(Change::Up { writes_refused, .. }) = change else {
            panic!("{change:?}")
        };
        assert_eq!(writes_refused, Some(Cause::ReadOnly));
        assert!(health.write_gate().is_some());
    }

    #[test]
    fn a_server_that_comes_up_with_another_password_at_first_contact_is_named_for_that() {
        let mut health = Health::new(HealthSettings::default(), 1);
        health.dial_failed(at(0), at(0), Cause::ConnectionRefused);
        let (_, change) = fail_probe(&mut health, at(0), Cause::AuthRequired);
        assert_eq!(
            change,
            Some(Change::CauseNamed {
                cause: Cause::AuthRequired
            })
        );
        assert_eq!(health.attached(), [Cause::ConnectionRefused]);
    }
}
