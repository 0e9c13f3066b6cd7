//! An attempt failed: may the call go again, and when?

use crate::backoff::Backoff;
use crate::budget::Budget;
use seawall_model::{Cause, Moment, Sent};
use seawall_wire::facts::Replay;

/// How many times a call is sent by default, the first time included. 3: the second repairs a lost connection, the
/// third one that was lost in the same burst; what fails three times fails for a reason that a fourth does not cure.
pub const ATTEMPTS_MAX: u32 = 3;

/// How many times a call is carried over from a lost connection that it shared, without that being an attempt of its
/// own. 8: where every tenth reply costs the connection, each of sixty calls on it is lost every second time, and one in
/// 256 is lost eight times; what is always there when a connection dies may be why it does.
pub const CARRIED_MAX: u32 = 8;

/// Which replay classes the caller lets be sent again after they may have run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReplayAllowance {
    /// Reads alone: `replay = "reads"`, for those who cannot have a newer value of another client overwritten.
    Reads,
    /// Reads, and plain overwrites after which no later write to the key left this client. The default.
    #[default]
    Overwrites,
    /// Also what leaves the same state but may answer differently (DEL, SADD, HSET), by the caller's own wish.
    SameState,
}

/// A failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempted {
    /// Whether it may have run. A server's refusal on its own state is [`Sent::No`]: it surely did not.
    pub sent: Sent,
    /// The least of the command's class and the connection's.
    pub replay: Replay,
    /// What the caller allows.
    pub allowance: ReplayAllowance,
    /// Whether a later write to one of its keys left this client since the first attempt that may have run. Only asked
    /// for [`Replay::Overwrite`].
    pub later_write_left: bool,
    /// How many times the call was sent until now, this time included if a byte was offered; 0 if it never was. Those
    /// that ended in [`Verdict::CarryOver`] do not count.
    pub attempts: u32,
    /// How many times it may be sent. Default [`ATTEMPTS_MAX`].
    pub attempts_max: u32,
    /// How many times it was carried over already.
    pub carried: u32,
    /// It shared the connection of this number, which ended while an older request was owed its reply: it was taken
    /// along, and may have nothing to do with the reason. `None`: it failed for itself.
    pub taken_along: Option<u64>,
    /// Why it failed.
    pub cause: Cause,
    /// When that was noticed.
    pub now: Moment,
    /// The last moment to send it: [`Deadline::send_by`](crate::deadline::Deadline::send_by).
    pub deadline: Moment,
}

impl Attempted {
    /// Whether it may be sent again although it may have run.
    fn may_repeat(&self) -> bool {
        may_repeat(self.replay, self.allowance, self.later_write_left)
    }
}

/// Whether a call may be sent again although it may have run: by its class, by what the caller allows, and, for an
/// overwrite, by whether a later write to one of its keys left this client.
///
/// [`decide`] asks this when an attempt failed. The pause and the wait for admission come after that, and other calls
/// go on meanwhile: ask again just before the call is sent, or an old value may overwrite a newer one.
pub fn may_repeat(replay: Replay, allowance: ReplayAllowance, later_write_left: bool) -> bool {
    match replay {
        Replay::Read => true,
        Replay::Overwrite => allowance >= ReplayAllowance::Overwrites && !later_write_left,
        Replay::SameState => allowance >= ReplayAllowance::SameState,
        Replay::Never => false,
    }
}

/// What becomes of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It did not run: it goes back to admission, and waits there if it must.
    Park,
    /// Send it again at this moment, by way of admission. It was paid for.
    RetryAt(Moment),
    /// Send it again at once, by way of admission: its connection was lost for another's sake, and this was no attempt
    /// of its own. It was paid for.
    CarryOver,
    /// Tell the caller.
    GiveUp(Why),
}

/// Why a call is not tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// It may have run, and running it twice could change something.
    MayHaveRun,
    /// It was sent [`ATTEMPTS_MAX`] times.
    Attempts,
    /// The budget is spent.
    Budget,
    /// No time is left.
    Deadline,
    /// The same would happen again.
    NotRetryable,
}

impl Why {
    /// The word for it in logs, metrics and journals.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MayHaveRun => "may-have-run",
            Self::Attempts => "attempts",
            Self::Budget => "budget",
            Self::Deadline => "deadline",
            Self::NotRetryable => "not-retryable",
        }
    }
}

/// Decides on a failed attempt.
///
/// - What fails the same way every time is told at once: wrong settings, a reply over a limit (not another's, that took it
///   along), a broken protocol.
/// - What surely did not run goes back to admission, and that costs neither an attempt nor the budget. Only where the
///   server itself said that it is unavailable is the call counted and paid for: it was carried there and back, and
///   if the endpoint is well otherwise (one slot of a cluster has no owner) nothing else would stop the circle.
/// - What may have run goes again if its class and the caller allow it, at most [`ATTEMPTS_MAX`] times, inside the
///   deadline and within the budget. The first retry after a connection died goes at once, since that says something
///   of one connection and the next one will do; a late reply says something of the server, and is given a pause.
/// - What was [taken along](Attempted::taken_along) by a connection that many shared goes again under the same
///   conditions, at once, but counts as no attempt of its own, and is paid for together with the others: see
///   [`Budget::carry`]. At most [`CARRIED_MAX`] times; and never where a call is to be sent only once.
pub fn decide(attempt: &Attempted, budget: &mut Budget, backoff: &mut Backoff) -> Verdict {
    let now = attempt.now;
    let was_anothers = attempt.taken_along.is_some() && attempt.cause == Cause::ReplyTooLarge;
    if !retryable(attempt.cause) && !was_anothers {
        return Verdict::GiveUp(Why::NotRetryable);
    }
    if now >= attempt.deadline {
        return Verdict::GiveUp(Why::Deadline);
    }
    let turned_away = attempt.attempts > 0 && is_unavailable(attempt.cause);
    if attempt.sent == Sent::No && !turned_away {
        return Verdict::Park;
    }
    if attempt.sent == Sent::Perhaps && !attempt.may_repeat() {
        return Verdict::GiveUp(Why::MayHaveRun);
    }
    if let Some(loss) = attempt.taken_along
        && attempt.attempts_max > 1
        && attempt.carried < CARRIED_MAX
    {
        return if budget.carry(now, loss) {
            Verdict::CarryOver
        } else {
            Verdict::GiveUp(Why::Budget)
        };
    }
    if attempt.attempts >= attempt.attempts_max {
        return Verdict::GiveUp(Why::Attempts);
    }
    let at = if attempt.sent == Sent::No || goes_at_once(attempt) {
        now
    } else {
        now + backoff.pause(attempt.attempts)
    };
    if at >= attempt.deadline {
        return Verdict::GiveUp(Why::Deadline);
    }
    if !budget.withdraw(now) {
        return Verdict::GiveUp(Why::Budget);
    }
    if attempt.sent == Sent::No {
        Verdict::Park
    } else {
        Verdict::RetryAt(at)
    }
}

fn goes_at_once(attempt: &Attempted) -> bool {
    attempt.attempts <= 1 && attempt.cause.is_symptom() && attempt.cause != Cause::ReplyTimeout
}

fn is_unavailable(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::Loading | Cause::MasterDown | Cause::ClusterDown | Cause::Busy
    )
}

/// Whether another attempt could end differently. An outage is no reason against it: admission knows how long to wait.
fn retryable(cause: Cause) -> bool {
    !matches!(
        cause,
        Cause::NotRedis
            | Cause::AuthFailed
            | Cause::AuthRequired
            | Cause::PermissionDenied
            | Cause::ProtectedMode
            | Cause::Redirected
            | Cause::OutputLimit
            | Cause::ProtocolError
            | Cause::ReplyTooLarge
            | Cause::PoolExhausted
            | Cause::TooManyWaiting
            | Cause::DeadlineExceeded
            | Cause::Cancelled
            | Cause::ClientClosed
            | Cause::BadSettings
            | Cause::SubscriberSlow
            | Cause::CommandError
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backoff::BackoffSettings;
    use crate::budget::BudgetSettings;
    use std::time::Duration;

    fn at(millis: u64) -> Moment {
        Moment::ORIGIN + Duration::from_millis(millis)
    }

    fn lost(replay: Replay) -> Attempted {
        Attempted {
            sent: Sent::Perhaps,
            replay,
            allowance: ReplayAllowance::default(),
            later_write_left: false,
            attempts: 1,
            attempts_max: ATTEMPTS_MAX,
            carried: 0,
            taken_along: None,
            cause: Cause::ConnectionReset,
            now: at(0),
            deadline: at(1_000),
        }
    }

    fn decide_with(attempt: &Attempted, budget: &mut Budget) -> Verdict {
        decide(
            attempt,
            budget,
            &mut Backoff::new(BackoffSettings::default(), 1),
        )
    }

    fn verdict(attempt: &Attempted) -> Verdict {
        decide_with(attempt, &mut Budget::new(BudgetSettings::default()))
    }

    #[test]
    fn only_what_changes_nothing_when_run_twice_goes_again_after_it_may_have_run() {
        let may_have_run = Verdict::GiveUp(Why::MayHaveRun);
        let again = Verdict::RetryAt(at(0));
        assert_eq!(verdict(&lost(Replay::Read)), again);
        assert_eq!(verdict(&lost(Replay::Overwrite)), again);
        assert_eq!(verdict(&lost(Replay::SameState)), may_have_run);
        assert_eq!(verdict(&lost(Replay::Never)), may_have_run);
    }

    #[test]
    fn the_caller_may_allow_more_or_less_but_never_what_must_not_run_twice() {
        let with = |replay, allowance| {
            verdict(&Attempted {
                allowance,
                ..lost(replay)
            })
        };
        let may_have_run = Verdict::GiveUp(Why::MayHaveRun);
        assert_eq!(
            with(Replay::Overwrite, ReplayAllowance::Reads),
            may_have_run
        );
        assert_eq!(
            with(Replay::SameState, ReplayAllowance::SameState),
            Verdict::RetryAt(at(0))
        );
        assert_eq!(
            with(Replay::Never, ReplayAllowance::SameState),
            may_have_run
        );
    }

    #[test]
    fn an_overwrite_after_which_a_later_write_left_is_not_repeated() {
        let overwritten = Attempted {
            later_write_left: true,
            ..lost(Replay::Overwrite)
        };
        assert_eq!(verdict(&overwritten), Verdict::GiveUp(Why::MayHaveRun));
        let read = Attempted {
            later_write_left: true,
            ..lost(Replay::Read)
        };
        assert_eq!(verdict(&read), Verdict::RetryAt(at(0)));
    }

    #[test]
    fn what_was_not_sent_waits_and_costs_neither_attempt_nor_budget() {
        let mut budget = Budget::new(BudgetSettings {
            share_percent: 0,
            floor_per_second: 0,
        });
        let unsent = Attempted {
            sent: Sent::No,
            attempts: 9,
            ..lost(Replay::Never)
        };
        assert_eq!(decide_with(&unsent, &mut budget), Verdict::Park);
        let gate = Attempted {
            cause: Cause::SaveFailed,
            ..unsent
        };
        assert_eq!(
            decide_with(&gate, &mut budget),
            Verdict::Park,
            "the gate sets the pace"
        );
    }

    #[test]
    fn a_call_that_the_server_turned_away_as_unavailable_is_counted_and_paid_for() {
        let turned_away = Attempted {
            sent: Sent::No,
            cause: Cause::ClusterDown,
            ..lost(Replay::Never)
        };
        let mut budget = Budget::new(BudgetSettings::default());
        assert_eq!(decide_with(&turned_away, &mut budget), Verdict::Park);
        assert_eq!(budget.left(at(0)), 99);
        let third = Attempted {
            attempts: ATTEMPTS_MAX,
            ..turned_away
        };
        assert_eq!(
            decide_with(&third, &mut budget),
            Verdict::GiveUp(Why::Attempts)
        );
        let never_sent = Attempted {
            attempts: 0,
            ..turned_away
        };
        assert_eq!(decide_with(&never_sent, &mut budget), Verdict::Park);
        assert_eq!(budget.left(at(0)), 99);
    }

    #[test]
    fn the_first_retry_after_a_dead_connection_goes_at_once_and_others_pause() {
        let late = Attempted {
            cause: Cause::ReplyTimeout,
            ..lost(Replay::Read)
        };
        let second = Attempted {
            attempts: 2,
            ..lost(Replay::Read)
        };
        for (attempt, longest) in [(late, 10), (second, 20)] {
            let Verdict::RetryAt(when) = verdict(&attempt) else {
                panic!("{attempt:?}")
            };
            assert!(when > at(0) && when <= at(longest), "{when}");
        }
    }

    #[test]
    fn what_was_taken_along_goes_again_at_once_and_that_is_no_attempt_of_its_own() {
        let along = Attempted {
            taken_along: Some(1),
            attempts: ATTEMPTS_MAX,
            ..lost(Replay::Read)
        };
        let mut budget = Budget::new(BudgetSettings::default());
        budget.answered(at(0), 1_000);
        for _ in 0..500 {
            assert_eq!(decide_with(&along, &mut budget), Verdict::CarryOver);
        }
        assert_eq!(budget.left(at(0)), 99, "one reconnect is one retry");
        let always = Attempted {
            carried: CARRIED_MAX,
            ..along
        };
        assert_eq!(verdict(&always), Verdict::GiveUp(Why::Attempts));
        let once = Attempted {
            attempts: 1,
            attempts_max: 1,
            ..along
        };
        assert_eq!(verdict(&once), Verdict::GiveUp(Why::Attempts));
    }

    #[test]
    fn what_was_taken_along_keeps_to_its_class_its_deadline_and_the_budget() {
        let along = |replay| Attempted {
            taken_along: Some(1),
            ..lost(replay)
        };
        let may_have_run = Verdict::GiveUp(Why::MayHaveRun);
        assert_eq!(verdict(&along(Replay::Never)), may_have_run);
        assert_eq!(verdict(&along(Replay::SameState)), may_have_run);
        let unsent = Attempted {
            sent: Sent::No,
            ..along(Replay::Never)
        };
        assert_eq!(verdict(&unsent), Verdict::Park);
        let late = Attempted {
            now: at(1_000),
            ..along(Replay::Read)
        };
        assert_eq!(verdict(&late), Verdict::GiveUp(Why::Deadline));
        let mut spent = Budget::new(BudgetSettings {
            share_percent: 20,
            floor_per_second: 0,
        });
        assert_eq!(
            decide_with(&along(Replay::Read), &mut spent),
            Verdict::GiveUp(Why::Budget)
        );
    }

    #[test]
    fn attempts_deadline_and_budget_end_it() {
        let third = Attempted {
            attempts: 3,
            ..lost(Replay::Read)
        };
        assert_eq!(verdict(&third), Verdict::GiveUp(Why::Attempts));
        let late = Attempted {
            now: at(1_000),
            ..lost(Replay::Read)
        };
        assert_eq!(verdict(&late), Verdict::GiveUp(Why::Deadline));
        let mut spent = Budget::new(BudgetSettings {
            share_percent: 20,
            floor_per_second: 0,
        });
        assert_eq!(
            decide_with(&lost(Replay::Read), &mut spent),
            Verdict::GiveUp(Why::Budget)
        );
    }

    #[test]
    fn what_fails_the_same_way_every_time_is_told_at_once() {
        for cause in [
            Cause::OutputLimit,
            Cause::ProtocolError,
            Cause::ReplyTooLarge,
            Cause::AuthFailed,
            Cause::BadSettings,
            Cause::CommandError,
        ] {
            for sent in [Sent::No, Sent::Perhaps] {
                let attempt = Attempted {
                    sent,
                    cause,
                    ..lost(Replay::Read)
                };
                assert_eq!(
                    verdict(&attempt),
                    Verdict::GiveUp(Why::NotRetryable),
                    "{cause}"
                );
            }
        }
    }
}
