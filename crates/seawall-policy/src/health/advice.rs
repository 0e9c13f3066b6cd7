use super::outage::{Established, Outage, Phase};
use super::{Change, Health};
use seawall_model::{Cause, Fault, Moment};

/// What one client of an endpoint tells the others: it is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advice {
    cause: Cause,
    declared: Moment,
    established: Established,
}

impl Advice {
    /// When the probes had decided: it is the same outage as long as this is the same.
    pub const fn declared(self) -> Moment {
        self.declared
    }
}

/// Several clients of one endpoint, with settings of their own, tell each other what they found. It is advice: each goes by
/// its own probes, since a password, a certificate or a limit may be one's own alone.
impl Health {
    /// What others should know: that the endpoint is down, where the cause is its own or the network's.
    pub fn advice(&self) -> Option<Advice> {
        let Outage {
            phase: Phase::Down { declared },
            cause,
            established,
            ..
        } = *self.outage.as_ref()?
        else {
            return None;
        };
        let shared = matches!(cause.fault(), Fault::Server | Fault::Network);
        shared.then_some(Advice {
            cause,
            declared,
            established,
        })
    }

    /// Another client found the endpoint down. Makes it suspect, unless something was answered here since: a probe is due at
    /// once, and calls wait for it as they do after a failure of their own. Who was never let in has troubles of his own.
    pub fn advised(&mut self, now: Moment, advice: Advice) -> Option<Change> {
        let Advice {
            cause,
            declared,
            established,
        } = advice;
        let newest = self.proofs.served.max(self.proofs.opened);
        if self.outage.is_some() || self.rejected.is_some() || newest >= declared {
            return None;
        }
        let mut outage = Outage::begin(now, cause, self.run_id);
        outage.established = established;
        self.outage = Some(outage);
        Some(Change::Suspect { cause })
    }

    /// Another client found the endpoint up again: the next probe need not wait for its turn.
    pub fn encouraged(&mut self, now: Moment) {
        if let Some(outage) = &mut self.outage {
            outage.bring_forward(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{at, fail_probe, good, health, probe, reply};
    use super::super::{HealthSettings, State};
    use super::*;

    const REFUSED: Cause = Cause::ConnectionRefused;

    /// A health that is down from its second probe on, a millisecond or two after `millis`.
    fn down(millis: u64, cause: Cause) -> (Health, Moment) {
        let mut health = health();
        health.dial_failed(at(millis), at(millis), cause);
        let (end, _) = fail_probe(&mut health, at(millis), cause);
        let (end, _) = fail_probe(&mut health, end, cause);
        assert!(matches!(health.state(), State::Down { .. }), "{cause}");
        (health, end)
    }

    #[test]
    fn advice_makes_suspect_and_ones_own_probes_decide() {
        let (peer, told) = down(10, REFUSED);
        let advice = peer.advice().expect("it is down");
        let mut health = health();
        let change = health.advised(told, advice);
        assert_eq!(change, Some(Change::Suspect { cause: REFUSED }));
        assert_eq!(health.next_probe(), Some(told), "at once");
        assert_eq!(health.advice(), None, "a suspicion is not told on");
        assert_eq!(health.advised(told, advice), None, "it knows");
        let (_, change) = probe(&mut health, told, good(7));
        assert!(matches!(change, Some(Change::Up { .. })), "{change:?}");
        assert_eq!(
            health.advised(at(900), advice),
            None,
            "its own probe is newer"
        );
    }

    #[test]
    fn what_was_answered_here_since_outweighs_advice() {
        let (peer, told) = down(10, REFUSED);
        let advice = peer.advice().expect("it is down");
        let mut health = health();
        health.replied(at(50), reply(0, 40));
        assert!(told < at(40));
        assert_eq!(health.advised(at(51), advice), None);
        assert_eq!(health.state(), State::Up);
    }

    #[test]
    fn a_wrong_password_stays_a_mistake_in_the_settings_whatever_others_tell() {
        let (peer, told) = down(10, REFUSED);
        let mut health = Health::new(HealthSettings::default(), 1);
        health.dial_failed(at(1), at(0), Cause::AuthFailed);
        assert_eq!(
            health.advised(told, peer.advice().expect("it is down")),
            None
        );
        assert_eq!(
            health.rejected().map(|(cause, _)| cause),
            Some(Cause::AuthFailed)
        );
    }

    #[test]
    fn what_is_ones_own_trouble_is_told_to_nobody() {
        for cause in [Cause::AuthFailed, Cause::LocalLimit, Cause::TlsCertificate] {
            let (peer, _) = down(10, cause);
            assert_eq!(peer.advice(), None, "{cause}");
        }
    }

    #[test]
    fn connections_that_fail_a_peer_are_not_used_until_a_probe_has_looked() {
        let mut peer = health();
        peer.reply_overdue(at(260), at(10), Cause::ReplyTimeout);
        let (end, _) = fail_probe(&mut peer, at(260), Cause::ServerUnresponsive);
        let (end, _) = fail_probe(&mut peer, end, Cause::ServerUnresponsive);
        let mut health = health();
        health.advised(end, peer.advice().expect("it is down"));
        let ride_out = std::time::Duration::from_millis(500);
        let admission = health.admit_established(end, seawall_wire::facts::Access::Read, ride_out);
        assert!(matches!(admission, super::super::Admission::Park { .. }));
    }

    #[test]
    fn good_news_bring_the_next_probe_forward_once() {
        let (mut health, mut now) = down(10, REFUSED);
        for _ in 0..40 {
            (now, _) = fail_probe(&mut health, now, REFUSED);
        }
        let due = health.next_probe().expect("it is down");
        assert!(due > now);
        health.encouraged(now);
        assert_eq!(health.next_probe(), Some(now));
        fail_probe(&mut health, now, REFUSED);
        assert!(health.next_probe().is_some_and(|due| due > now));
        let mut up = super::super::fixtures::health();
        up.encouraged(now);
        assert_eq!(up.next_probe(), None);
    }
}
