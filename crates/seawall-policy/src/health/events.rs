use super::causes::{
    cannot_serve, concerns_dialling, concerns_endpoint, is_rejection, is_word, leaves_others_alone,
};
use super::gate::Gate;
use super::outage::{Established, Outage, Phase, Weight};
use super::{
    Answered, Change, Health, History, Overruled, Probe, ProbeResult, Rejected, Restarted, Writes,
};
use seawall_model::{Cause, Moment};
use seawall_wire::error::Family;
use seawall_wire::facts::Access;

/// What happened; each answers what it changed.
impl Health {
    /// A dial that began at `dialled_at` came to a complete handshake, credentials included.
    ///
    /// It ends no outage: HELLO and AUTH are answered while a server loads. `run_id` is the server's, hashed, where
    /// it was told.
    pub fn dialled(&mut self, dialled_at: Moment, run_id: Option<u64>) {
        self.worked();
        self.proofs.opened = self.proofs.opened.max(dialled_at);
        self.run_id = run_id.or(self.run_id);
    }

    /// A dial that began at `dialled_at` failed, in its handshake at the latest.
    ///
    /// Makes the endpoint suspect, unless a dial begun later has already come about. An error that only a change of
    /// settings can cure (credentials, a certificate, not a Redis server) is no outage while it never worked: see
    /// [`admit`](Self::admit).
    pub fn dial_failed(&mut self, now: Moment, dialled_at: Moment, cause: Cause) -> Option<Change> {
        if !concerns_dialling(cause) || dialled_at < self.proofs.opened {
            return None;
        }
        if is_word(cause) || is_rejection(cause) {
            return self.turned_away(now, cause, dialled_at);
        }
        self.suspect(now, cause, Weight::Hint)
    }

    /// An established connection ended, in use or idle, other than by our own wish.
    ///
    /// Makes the endpoint suspect only if the connection was made after an earlier failure: `CLIENT KILL` and a pool
    /// full of dead idle sockets end connections on a healthy server, and the ones that replace them live.
    pub fn connection_failed(
        &mut self,
        now: Moment,
        established_at: Moment,
        cause: Cause,
    ) -> Option<Change> {
        if !concerns_endpoint(cause) {
            return None;
        }
        if let Some(outage) = &mut self.outage {
            if !leaves_others_alone(cause) {
                outage.established = Established::Failing;
            }
            return outage.failed(now, cause, Weight::Hint, &self.settings);
        }
        match self.first_failure {
            Some(first) if now.since(first) <= self.settings.failure_memory => {
                if established_at <= first {
                    return None;
                }
                let change = self.suspect(now, cause, Weight::Hint);
                if let Some(outage) = &mut self.outage {
                    outage.established = Established::Failing;
                }
                change
            }
            _ => {
                self.first_failure = Some(now);
                None
            }
        }
    }

    /// The reply to a request sent at `sent_at` is overdue. Report it once for each request.
    ///
    /// Makes the endpoint suspect, unless a request sent later was answered: then the delay is that request's, or its
    /// connection's, own.
    pub fn reply_overdue(&mut self, now: Moment, sent_at: Moment, cause: Cause) -> Option<Change> {
        if sent_at < self.proofs.served || !concerns_endpoint(cause) {
            return None;
        }
        let change = self.suspect(now, cause, Weight::Hint);
        if let Some(outage) = &mut self.outage {
            outage.established = Established::Failing;
        }
        change
    }

    /// A request was answered, and not by a word of *unavailable* or *writes refused* (these go to
    /// [`server_said`](Self::server_said)).
    ///
    /// On a connection made since the outage began it is as good as a probe, and ends the outage. On an older one it
    /// proves that old connections serve, not that new ones would: see
    /// [`admit_established`](Self::admit_established). An accepted write opens the gate.
    pub fn replied(&mut self, now: Moment, reply: Answered) -> Option<Change> {
        self.worked();
        self.proofs.served = self.proofs.served.max(reply.sent_at);
        if let Some(outage) = &mut self.outage {
            if reply.established_at > outage.began {
                return self.recover(now, None, None);
            }
            if reply.sent_at >= outage.began {
                outage.established = Established::Serving;
            }
            return None;
        }
        if self
            .first_failure
            .is_some_and(|first| reply.established_at > first)
        {
            self.first_failure = None;
        }
        if reply.access == Access::Write {
            self.proofs.wrote = self.proofs.wrote.max(reply.sent_at);
            if self
                .gate
                .as_ref()
                .is_some_and(|gate| reply.sent_at >= gate.since)
            {
                return self.open_gate(now);
            }
        }
        None
    }

    /// A request was answered by an error of this family.
    ///
    /// - *unavailable*: as good as a failed probe; several such words count once, unless their requests were sent
    ///   after the one before was heard;
    /// - *writes refused*: closes the write gate;
    /// - *credentials*: an outage if it ever worked (two words of it, or one and a probe), otherwise a mistake in the
    ///   settings;
    /// - *redirect*, *application*: a good reply.
    pub fn server_said(
        &mut self,
        now: Moment,
        family: Family,
        cause: Cause,
        reply: Answered,
    ) -> Option<Change> {
        match family {
            Family::Credentials if cause == Cause::PermissionDenied => self.replied(
                now,
                Answered {
                    access: Access::Neither,
                    ..reply
                },
            ),
            Family::Unavailable | Family::Credentials => {
                self.turned_away(now, cause, reply.sent_at)
            }
            Family::WritesRefused => {
                self.worked();
                self.proofs.served = self.proofs.served.max(reply.sent_at);
                if reply.sent_at < self.proofs.wrote {
                    None
                } else {
                    self.close_gate(now, cause)
                }
            }
            Family::Redirect | Family::Application => self.replied(
                now,
                Answered {
                    access: Access::Neither,
                    ..reply
                },
            ),
        }
    }

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

    fn worked(&mut self) {
        self.history = History::Worked;
        self.rejected = None;
    }

    /// A handshake without credentials proves nothing to a server that asks for them at the first command.
    fn never_let_in(&self, cause: Cause) -> bool {
        let never_served = self.proofs.served == Moment::ORIGIN;
        self.history == History::Never || cause == Cause::AuthRequired && never_served
    }

    fn suspect(&mut self, now: Moment, cause: Cause, weight: Weight) -> Option<Change> {
        if let Some(outage) = &mut self.outage {
            return outage.failed(now, cause, weight, &self.settings);
        }
        let run_id = self.run_id;
        let outage = self.outage.insert(Outage::begin(now, cause, run_id));
        outage
            .failed(now, cause, weight, &self.settings)
            .or(Some(Change::Suspect { cause }))
    }

    /// The server itself said that it cannot serve, or will not serve us.
    fn turned_away(&mut self, now: Moment, cause: Cause, dated: Moment) -> Option<Change> {
        if is_rejection(cause) && self.never_let_in(cause) && self.outage.is_none() {
            let retry_at = now + self.settings.auth_probe_interval;
            self.rejected = Some(Rejected { cause, retry_at });
            return None;
        }
        if self.outage.is_none()
            && let Some(overruled) = self.overruled
            && overruled.cause == cause
            && now < overruled.until
        {
            return None;
        }
        let change = self.suspect(now, cause, Weight::Word { dated });
        if let Some(outage) = &mut self.outage
            && cannot_serve(cause)
        {
            outage.established = Established::Failing;
        }
        change
    }

    fn recover(
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

    fn close_gate(&mut self, now: Moment, cause: Cause) -> Option<Change> {
        if let Some(gate) = &mut self.gate {
            gate.refused(now, &self.settings, &mut self.rng);
            return None;
        }
        self.gate = Some(Gate::close(now, cause, &self.settings, &mut self.rng));
        Some(Change::GateClosed { cause })
    }

    fn open_gate(&mut self, now: Moment) -> Option<Change> {
        let gate = self.gate.take()?;
        Some(Change::GateOpened {
            lasted: now.since(gate.since),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{HealthSettings, State};
    use super::*;
    use std::time::Duration;

    fn at(millis: u64) -> Moment {
        Moment::ORIGIN + Duration::from_secs(100) + Duration::from_millis(millis)
    }

    fn health() -> Health {
        let mut health = Health::new(HealthSettings::default(), 1);
        health.dialled(at(0), Some(7));
        health
    }

    fn reply(established: u64, sent: u64) -> Answered {
        Answered {
            established_at: at(established),
            sent_at: at(sent),
            access: Access::Read,
        }
    }

    fn good(run_id: u64) -> ProbeResult {
        ProbeResult::Good {
            run_id: Some(run_id),
            write_ok: None,
        }
    }

    /// Runs one probe of a millisecond, when it is due and no earlier than `from`.
    fn probe(health: &mut Health, from: Moment, result: ProbeResult) -> (Moment, Option<Change>) {
        let due = health
            .next_probe()
            .expect("an outage has a next probe")
            .max(from);
        let probe = health.probe_started(due);
        let end = due + Duration::from_millis(1);
        (end, health.probe_finished(end, probe, result))
    }

    fn fail_probe(health: &mut Health, from: Moment, cause: Cause) -> (Moment, Option<Change>) {
        probe(health, from, ProbeResult::Failed(cause))
    }

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
    fn dead_idle_sockets_and_client_kill_are_no_outage() {
        let mut health = health();
        for n in 0..8 {
            assert_eq!(
                health.connection_failed(at(10 + n), at(n), Cause::ClosedByServer),
                None
            );
        }
        assert_eq!(health.state(), State::Up);
    }

    #[test]
    fn a_connection_made_after_the_first_failure_that_fails_too_is_suspicious() {
        let mut health = health();
        assert_eq!(
            health.connection_failed(at(10), at(0), Cause::ConnectionReset),
            None
        );
        let change = health.connection_failed(at(20), at(11), Cause::ConnectionReset);
        assert_eq!(
            change,
            Some(Change::Suspect {
                cause: Cause::ConnectionReset
            })
        );
        assert_eq!(health.outage_began(), Some(at(20)));
    }

    #[test]
    fn a_reply_on_a_fresh_connection_forgets_the_first_failure_and_so_does_time() {
        let mut health = health();
        health.connection_failed(at(10), at(0), Cause::ConnectionReset);
        health.replied(at(13), reply(11, 12));
        assert_eq!(
            health.connection_failed(at(20), at(11), Cause::ConnectionReset),
            None
        );
        let later = 20 + 10_001;
        assert_eq!(
            health.connection_failed(at(later), at(later - 5), Cause::ConnectionReset),
            None
        );
    }

    #[test]
    fn evidence_from_before_the_last_proof_is_ignored() {
        let mut health = health();
        health.dialled(at(50), None);
        assert_eq!(
            health.dial_failed(at(60), at(40), Cause::ConnectTimeout),
            None
        );
        health.replied(at(71), reply(51, 70));
        assert_eq!(
            health.reply_overdue(at(300), at(49), Cause::ReplyTimeout),
            None
        );
        assert!(
            health
                .reply_overdue(at(330), at(80), Cause::ReplyTimeout)
                .is_some()
        );
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
    fn the_servers_own_word_counts_as_one_failed_probe_however_often_it_is_read() {
        let mut health = health();
        let loading = Cause::Loading;
        let change = health.server_said(at(10), Family::Unavailable, loading, reply(0, 9));
        assert_eq!(change, Some(Change::Suspect { cause: loading }));
        assert_eq!(
            health.server_said(at(10), Family::Unavailable, loading, reply(0, 9)),
            None
        );
        let (_, change) = fail_probe(&mut health, at(10), loading);
        assert_eq!(
            change,
            Some(Change::Down {
                cause: loading,
                since: at(10)
            })
        );
    }

    #[test]
    fn a_slot_without_an_owner_does_not_make_a_cluster_node_suspect_over_and_over() {
        let mut health = health();
        let word = |health: &mut Health, now| {
            health.server_said(
                at(now),
                Family::Unavailable,
                Cause::ClusterDown,
                reply(0, now - 1),
            )
        };
        assert!(word(&mut health, 10).is_some());
        probe(&mut health, at(10), good(7));
        assert_eq!(
            word(&mut health, 20),
            None,
            "a probe has just found it well"
        );
        assert!(word(&mut health, 1_100).is_some());
    }

    #[test]
    fn a_reply_on_a_connection_made_in_the_outage_is_as_good_as_a_probe() {
        let mut health = health();
        health.dial_failed(at(10), at(9), Cause::ConnectionRefused);
        assert_eq!(
            health.replied(at(12), reply(0, 11)),
            None,
            "an old connection proves less"
        );
        assert!(matches!(
            health.replied(at(14), reply(12, 13)),
            Some(Change::Up { .. })
        ));
    }

    #[test]
    fn a_wrong_password_is_an_error_at_first_and_an_outage_once_it_worked() {
        let wrong = Cause::AuthFailed;
        let mut new = Health::new(HealthSettings::default(), 1);
        assert_eq!(new.dial_failed(at(1), at(0), wrong), None);
        assert_eq!(
            (new.state(), new.next_probe()),
            (State::Up, None),
            "and nothing probes for it"
        );
        assert_eq!(new.rejected(), Some((wrong, at(1_001))));

        let mut health = health();
        let change = health.dial_failed(at(10), at(9), wrong);
        assert_eq!(change, Some(Change::Suspect { cause: wrong }));
        let (end, change) = fail_probe(&mut health, at(10), wrong);
        assert_eq!(
            change,
            Some(Change::Down {
                cause: wrong,
                since: at(10)
            })
        );
        let next = health.next_probe().expect("down");
        assert!(
            next.since(end) >= Duration::from_millis(790),
            "each second, not each 25 ms"
        );
    }

    #[test]
    fn a_server_that_asks_for_a_password_at_the_first_command_is_no_outage() {
        let mut health = health();
        let family = Family::Credentials;
        assert_eq!(
            health.server_said(at(2), family, Cause::AuthRequired, reply(0, 1)),
            None
        );
        assert_eq!(health.rejected(), Some((Cause::AuthRequired, at(1_002))));
    }

    #[test]
    fn a_refused_step_of_the_handshake_is_a_mistake_in_the_settings() {
        let mut health = Health::new(HealthSettings::default(), 1);
        assert_eq!(health.dial_failed(at(1), at(0), Cause::CommandError), None);
        assert_eq!(health.rejected(), Some((Cause::CommandError, at(1_001))));
        assert_eq!(health.dial_failed(at(2), at(1), Cause::Cancelled), None);
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

    #[test]
    fn what_the_application_does_to_itself_concerns_no_endpoint() {
        let mut health = health();
        for cause in [
            Cause::OutputLimit,
            Cause::Cancelled,
            Cause::ReplyTooLarge,
            Cause::ProtocolError,
        ] {
            health.connection_failed(at(10), at(0), cause);
            assert_eq!(health.connection_failed(at(12), at(11), cause), None);
        }
        let no_right = Cause::PermissionDenied;
        assert_eq!(
            health.server_said(at(13), Family::Credentials, no_right, reply(0, 12)),
            None
        );
        assert_eq!(health.state(), State::Up);
    }

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
}
