//! When a connection is too old, or was idle for too long, to be used again.

use crate::backoff::mix;
use seawall_model::Moment;
use std::time::Duration;

/// The limits of a connection's life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgeingSettings {
    /// Retire a connection that is older than this; `None`: never. Default 30 minutes: after a failover or a new node
    /// behind a balancer, every connection has moved within the half hour, at the price of two dials an hour.
    pub age_max: Option<Duration>,
    /// How much earlier than `age_max` a connection may be retired, in percent of it. Default 20: a pool that was
    /// filled in one instant is renewed over six minutes, not in one instant.
    pub age_jitter_percent: u8,
    /// Retire a connection that was idle for longer than this; `None`: never. Default 180 s: below the limits that
    /// are met most (Azure's balancer 240 s, a Redis `timeout` and many firewalls 300 s, AWS NLB 350 s). A minute
    /// would make an application that calls once a minute dial for every call.
    pub idle_max: Option<Duration>,
    /// A connection that was left clean and was used no longer ago than this is handed out unseen. Default 1 ms: the
    /// look costs a system call a checkout, and under load the last reply was the look.
    pub clean_for: Duration,
}

impl Default for AgeingSettings {
    fn default() -> Self {
        Self {
            age_max: Some(Duration::from_secs(30 * 60)),
            age_jitter_percent: 20,
            idle_max: Some(Duration::from_secs(180)),
            clean_for: Duration::from_millis(1),
        }
    }
}

/// Why a connection is retired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retire {
    /// It was idle for longer than `idle_max`.
    Idle,
    /// It is older than `age_max`, less its jitter.
    Age,
    /// The server's own `timeout` is about to close it.
    ServerTimeout,
}

impl Retire {
    /// The word for it in logs, metrics and journals.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Age => "age",
            Self::ServerTimeout => "server-timeout",
        }
    }
}

/// What a connection was left like by its last user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftLike {
    /// Every reply was read, and nothing came unasked.
    Clean,
    /// Nobody looked.
    Unknown,
}

/// What to do with an idle connection that is to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checkout {
    /// Use it unseen.
    Use,
    /// Look first, without blocking: whatever waits there was not asked for, an end is an end.
    Peek,
    /// Close it, and take another.
    Retire(Retire),
}

/// The facts of one idle connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// When its handshake was complete.
    pub established: Moment,
    /// When its last reply was read, or its handshake was complete.
    pub last_used: Moment,
    /// The server's `timeout`, where it is known; zero means that the server closes nothing.
    pub server_timeout: Option<Duration>,
}

/// Decides on idle connections; one for a pool.
#[derive(Clone, Debug)]
pub struct Ageing {
    settings: AgeingSettings,
    seed: u64,
    /// No connection is retired for its age before it has this one, whatever its draw.
    safe_age: Duration,
    /// What each thousandth of the draw takes off the greatest age.
    step: Duration,
}

impl Ageing {
    /// Ageing by `settings`; `seed` spreads the ages.
    pub fn new(settings: AgeingSettings, seed: u64) -> Self {
        let age_max = settings.age_max.unwrap_or(Duration::MAX);
        let earlier = age_max / 100 * u32::from(settings.age_jitter_percent.min(100));
        Self {
            settings,
            seed,
            safe_age: age_max.saturating_sub(earlier),
            step: earlier / 1_000,
        }
    }

    /// Whether to close this idle connection now.
    pub fn retire(&self, now: Moment, life: Life) -> Option<Retire> {
        if now >= closed_by_server_at(life) {
            return Some(Retire::ServerTimeout);
        }
        if now >= self.idle_out_at(life) {
            return Some(Retire::Idle);
        }
        // Each call asks twice. A draw would be a third of what deciding on it costs, and few are old enough for one.
        let draws = now >= life.established + self.safe_age;
        (draws && now >= self.aged_out_at(life)).then_some(Retire::Age)
    }

    /// The moment from which [`retire`](Self::retire) says so, if the connection stays idle until then;
    /// [`Moment::NEVER`] without limits. For the idle sweep's timer.
    pub fn retire_at(&self, life: Life) -> Moment {
        closed_by_server_at(life)
            .min(self.idle_out_at(life))
            .min(self.aged_out_at(life))
    }

    /// What to do with this idle connection before it is handed out.
    pub fn checkout(&self, now: Moment, life: Life, left: LeftLike) -> Checkout {
        if let Some(why) = self.retire(now, life) {
            return Checkout::Retire(why);
        }
        match left {
            LeftLike::Clean if now.since(life.last_used) <= self.settings.clean_for => {
                Checkout::Use
            }
            LeftLike::Clean | LeftLike::Unknown => Checkout::Peek,
        }
    }

    fn aged_out_at(&self, life: Life) -> Moment {
        let Some(age_max) = self.settings.age_max else {
            return Moment::NEVER;
        };
        // Drawn from the connection itself: every question about one connection gets the same answer.
        let drawn = mix(life.established.as_nanos() ^ self.seed) % 1_000;
        life.established + age_max.saturating_sub(self.step * drawn as u32)
    }

    fn idle_out_at(&self, life: Life) -> Moment {
        self.settings
            .idle_max
            .map_or(Moment::NEVER, |idle_max| life.last_used + idle_max)
    }
}

/// Redis looks for idle clients a few times a second and counts in whole seconds, and a request may be under way
/// while it looks: a tenth of the timeout, at least half a second, keeps clear of it.
fn closed_by_server_at(life: Life) -> Moment {
    const MARGIN_MIN: Duration = Duration::from_millis(500);
    const MARGIN_MAX: Duration = Duration::from_secs(5);
    match life.server_timeout {
        None | Some(Duration::ZERO) => Moment::NEVER,
        Some(timeout) => {
            let margin = (timeout / 10).clamp(MARGIN_MIN, MARGIN_MAX);
            life.last_used + timeout.saturating_sub(margin)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: Moment = Moment::ORIGIN;

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn life(server_timeout: Option<Duration>) -> Life {
        Life {
            established: START,
            last_used: START,
            server_timeout,
        }
    }

    fn ageing() -> Ageing {
        Ageing::new(AgeingSettings::default(), 11)
    }

    #[test]
    fn a_connection_is_retired_before_the_server_would_close_it() {
        let known = life(Some(secs(60)));
        assert_eq!(
            ageing().retire(START + secs(55), known),
            Some(Retire::ServerTimeout)
        );
        assert_eq!(ageing().retire(START + secs(54), known), None);
        assert_eq!(
            ageing().retire(START + secs(100), life(Some(Duration::ZERO))),
            None
        );
        assert_eq!(
            ageing().retire_at(life(Some(secs(1)))),
            START + Duration::from_millis(500)
        );
    }

    #[test]
    fn idle_and_age_have_limits_of_their_own() {
        assert_eq!(
            ageing().retire(START + secs(180), life(None)),
            Some(Retire::Idle)
        );
        let busy = Life {
            last_used: START + secs(1_799),
            ..life(None)
        };
        assert_eq!(
            ageing().retire(START + secs(1_800), busy),
            Some(Retire::Age)
        );
        let fresh = Life {
            last_used: START + secs(1_400),
            ..life(None)
        };
        assert_eq!(
            ageing().retire(START + secs(1_430), fresh),
            None,
            "jitter takes at most a fifth"
        );
    }

    #[test]
    fn a_pool_filled_in_one_instant_is_not_renewed_in_one() {
        let ages: std::collections::HashSet<_> = (0..8)
            .map(|n| Life {
                established: START + Duration::from_micros(n),
                ..life(None)
            })
            .map(|life| ageing().aged_out_at(life).as_nanos() / 1_000_000_000)
            .collect();
        assert!(ages.len() >= 6, "{ages:?}");
    }

    #[test]
    fn without_limits_nothing_is_retired() {
        let settings = AgeingSettings {
            age_max: None,
            idle_max: None,
            ..AgeingSettings::default()
        };
        assert!(Ageing::new(settings, 1).retire_at(life(None)).is_never());
    }

    #[test]
    fn only_a_clean_connection_used_a_moment_ago_is_used_unseen() {
        let soon = START + Duration::from_millis(1);
        let check = |now, left| ageing().checkout(now, life(None), left);
        assert_eq!(check(soon, LeftLike::Clean), Checkout::Use);
        assert_eq!(check(soon, LeftLike::Unknown), Checkout::Peek);
        assert_eq!(
            check(soon + Duration::from_nanos(1), LeftLike::Clean),
            Checkout::Peek
        );
        assert_eq!(
            check(START + secs(200), LeftLike::Clean),
            Checkout::Retire(Retire::Idle)
        );
    }

    proptest! {
        #[test]
        fn a_connection_is_retired_from_the_moment_that_was_foretold_and_not_before(
            seed in any::<u64>(),
            established in 0..secs(100_000).as_nanos() as u64,
            used in 0..secs(4_000).as_nanos() as u64,
            age_max in prop::option::of(1_u64..4_000),
            age_jitter_percent in 0_u8..=120,
            idle_max in prop::option::of(1_u64..4_000),
            server_timeout in prop::option::of(0_u64..4_000),
        ) {
            let settings = AgeingSettings {
                age_max: age_max.map(secs),
                age_jitter_percent,
                idle_max: idle_max.map(secs),
                ..AgeingSettings::default()
            };
            let established = Moment::from_nanos(established);
            let life = Life {
                established,
                last_used: established + Duration::from_nanos(used),
                server_timeout: server_timeout.map(secs),
            };
            let ageing = Ageing::new(settings, seed);
            let at = ageing.retire_at(life);
            prop_assert_eq!(ageing.retire(at.before(Duration::from_nanos(1)), life), None);
            prop_assert!(at.is_never() || ageing.retire(at, life).is_some());
        }
    }
}
