use crate::backoff::Rng;
use seawall_model::Cause;
use std::time::Duration;

/// The numbers by which the health of an endpoint is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthSettings {
    /// How long a probe may take, dial and handshake included; the shell gives it up then. Default 250 ms: a
    /// hundred times a round trip within a region, above one round the world (two round trips for dial and handshake
    /// at 100 ms each), and half a ride-out.
    pub probe_timeout: Duration,
    /// How long after it was sent a reply is overdue (a blocking command's own timeout comes on top; see
    /// [`Deadline::overdue_at`](crate::deadline::Deadline::overdue_at)). Default 250 ms: one probe more fits into a
    /// deadline of 1 s; shorter, and every slow command would send a probe.
    pub overdue_after: Duration,
    /// The shortest pause between the starts of two probes. Default 25 ms: a server that is back is found within a
    /// quarter of the 100 ms that are promised for the first good answer.
    pub probe_interval_min: Duration,
    /// The longest pause between the starts of two probes, reached when an outage is 50 s old. Default 1 s: nobody
    /// notices one second after a minute, and a thousand clients are a thousand probes a second, which a server that
    /// is just starting can bear.
    pub probe_interval_max: Duration,
    /// Between its two limits the pause is the age of the outage divided by this. Default 50: being found late costs
    /// at most 2 % of the outage.
    pub probe_age_divisor: u32,
    /// By how much a pause may be longer or shorter, in percent, at most 100. Default 20: enough that the clients of
    /// one outage do not stay in step.
    pub probe_jitter_percent: u8,
    /// How many probes must fail before an endpoint is down. Default 2: one may meet a `CLIENT KILL` or a lost packet;
    /// a third would add 250 ms to the detection of every partition.
    pub probes_to_down: u32,
    /// How many probes may be under way at once while the endpoint is down. Default 4: where packets vanish a probe
    /// takes its whole 250 ms, and the next one must not wait for it; four keep the pause below 63 ms. While it is
    /// only suspected it is one, so that two failures are two pieces of evidence.
    pub probes_at_once_max: usize,
    /// The pause between probes while the server refuses our credentials; also how long calls are refused without a
    /// dial after the very first one was refused so. Default 1 s: servers and their audits count failed logins.
    pub auth_probe_interval: Duration,
    /// How long the first failure on a connection is remembered: a connection that was made after it and fails too
    /// makes the endpoint suspect. Default 10 s: a pool that is used has replaced its dead connections by then.
    pub failure_memory: Duration,
    /// How long a call waits in an outage, from its beginning, on a route that has no other answer. Default 500 ms:
    /// it hides a restart of a small server and a failover within a host, and leaves half of a 1 s deadline.
    pub ride_out_default: Duration,
    /// The same on a route that can answer without the server. Default 100 ms: hides a reset, and is not noticed.
    pub ride_out_answered: Duration,
}

impl Default for HealthSettings {
    fn default() -> Self {
        Self {
            probe_timeout: Duration::from_millis(250),
            overdue_after: Duration::from_millis(250),
            probe_interval_min: Duration::from_millis(25),
            probe_interval_max: Duration::from_secs(1),
            probe_age_divisor: 50,
            probe_jitter_percent: 20,
            probes_to_down: 2,
            probes_at_once_max: 4,
            auth_probe_interval: Duration::from_secs(1),
            failure_memory: Duration::from_secs(10),
            ride_out_default: Duration::from_millis(500),
            ride_out_answered: Duration::from_millis(100),
        }
    }
}

impl HealthSettings {
    /// The pause between the starts of two probes, in an outage of this age that last failed for `cause`.
    pub(super) fn pause(&self, age: Duration, cause: Cause, rng: &mut Rng) -> Duration {
        let even = match cause {
            Cause::AuthFailed | Cause::AuthRequired | Cause::ProtectedMode => {
                self.auth_probe_interval
            }
            _ => {
                let longest = self.probe_interval_max.max(self.probe_interval_min);
                (age / self.probe_age_divisor.max(1)).clamp(self.probe_interval_min, longest)
            }
        };
        // Settings of zero must not become a loop without a pause.
        rng.around(even, self.probe_jitter_percent)
            .max(Duration::from_millis(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_grows_with_the_outage_within_its_limits_and_its_jitter() {
        let settings = HealthSettings::default();
        let mut rng = Rng::new(1);
        for (age_secs, millis) in [
            (0, 25),
            (1, 25),
            (4, 80),
            (25, 500),
            (50, 1_000),
            (3_600, 1_000),
        ] {
            for _ in 0..50 {
                let age = Duration::from_secs(age_secs);
                let pause = settings.pause(age, Cause::ConnectionRefused, &mut rng);
                let even = Duration::from_millis(millis);
                assert!(
                    pause >= even * 8 / 10 && pause <= even * 12 / 10,
                    "{age:?}: {pause:?}"
                );
            }
        }
    }

    #[test]
    fn refused_credentials_are_tried_once_a_second_however_young_the_outage() {
        let pause =
            HealthSettings::default().pause(Duration::ZERO, Cause::AuthFailed, &mut Rng::new(1));
        assert!(pause >= Duration::from_millis(800) && pause <= Duration::from_millis(1_200));
    }
}
