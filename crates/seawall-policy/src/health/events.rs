use super::causes::{
    cannot_serve, concerns_dialling, concerns_endpoint, is_rejection, is_word, leaves_others_alone,
};
use super::outage::{Established, Outage, Weight};
use super::{Answered, Change, Health, History, Rejected};
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

    pub(super) fn worked(&mut self) {
        self.history = History::Worked;
        self.rejected = None;
    }

    /// A handshake without credentials proves nothing to a server that asks for them at the first command.
    pub(super) fn never_let_in(&self, cause: Cause) -> bool {
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
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{at, fail_probe, good, health, probe, reply};
    use super::super::{HealthSettings, State};
    use super::*;
    use std::time::Duration;

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
}
