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
}

impl Ageing {
    /// Ageing by `settings`; `seed` spreads the ages.
    pub const fn new(settings: AgeingSettings, seed: u64) -> Self {
        Self { settings, seed }
    }

    /// Whether to close this idle connection now.
    pub fn retire(&self, now: Moment, life: Life) -> Option<Retire> {
        [
            (closed_by_server_at(life), Retire::ServerTimeout),
            (self.idle_out_at(life), Retire::Idle),
            (self.aged_out_at(life), Retire::Age),
        ]
        .into_iter()
        .find_map(|(at, why)| (now >= at).then_some(why))
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
        let earlier = age_max / 100 * u32::from(self.settings.age_jitter_percent.min(100));
        life.established + age_max.saturating_sub(earlier / 1_000 * drawn as u32)
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
}
