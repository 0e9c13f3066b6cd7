//! Until when a call must be sent, and until when it must be answered.

use seawall_model::Moment;
use std::time::Duration;

/// How long the server itself may hold a call back before it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocking {
    /// It answers at once: every command but the blocking ones.
    No,
    /// Up to this long, by the command's own timeout. Example: `BLPOP queue 5`.
    For(Duration),
    /// Until something comes: timeout 0. The wait ends when the endpoint goes down for those too who
    /// are connected.
    UntilDown,
}

/// The end of a call: every wait, dial, handshake, attempt and pause lies before it.
///
/// There are two ends, equal for most commands. The call must be *sent* within its allowed span, whatever it is; a
/// blocking command may then be *answered* later, by its own timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    send_by: Moment,
    answer_by: Moment,
    blocking: Blocking,
}

impl Deadline {
    /// A call without an end. Only for callers who said so: a default is always finite.
    pub const NEVER: Self = Self {
        send_by: Moment::NEVER,
        answer_by: Moment::NEVER,
        blocking: Blocking::No,
    };

    /// The end of a call that starts `now` and may take `span`.
    pub fn after(now: Moment, span: Duration) -> Self {
        Self::at(now + span)
    }

    /// The end of a call, as a moment.
    pub const fn at(end: Moment) -> Self {
        Self {
            send_by: end,
            answer_by: end,
            blocking: Blocking::No,
        }
    }

    /// The end of a call that starts `now`, may take `span`, and beside that is held back by the server.
    ///
    /// A blocking command has its own timeout *plus* the deadline: `BLPOP queue 5` with a deadline of 1 s is sent
    /// within 1 s and answered within 6 s, so that the server's own "nothing came" always wins over ours.
    pub fn blocking(now: Moment, span: Duration, blocking: Blocking) -> Self {
        let send_by = now + span;
        let answer_by = match blocking {
            Blocking::No => send_by,
            Blocking::For(timeout) => send_by + timeout,
            Blocking::UntilDown => Moment::NEVER,
        };
        Self {
            send_by,
            answer_by,
            blocking,
        }
    }

    /// The end of the wait for a connection, for admission and for a retry.
    pub const fn send_by(self) -> Moment {
        self.send_by
    }

    /// The end of the wait for the reply; [`Moment::NEVER`] where only the endpoint's going down ends it.
    pub const fn answer_by(self) -> Moment {
        self.answer_by
    }

    /// Whether the wait for the reply ends when the endpoint goes down for those who are connected, and only then.
    pub const fn ends_when_down(self) -> bool {
        matches!(self.blocking, Blocking::UntilDown) && self.answer_by.is_never()
    }

    /// How long is left to send; zero once it has passed.
    pub const fn left_to_send(self, now: Moment) -> Duration {
        now.until(self.send_by)
    }

    /// How long is left for the reply; zero once it has passed.
    pub const fn left_to_answer(self, now: Moment) -> Duration {
        now.until(self.answer_by)
    }

    /// Whether it is too late to send. At the very moment of the deadline it is.
    pub fn too_late_to_send(self, now: Moment) -> bool {
        now >= self.send_by
    }

    /// Whether it is too late for a reply.
    pub fn too_late_to_answer(self, now: Moment) -> bool {
        now >= self.answer_by
    }

    /// The earlier of this and `other`, end by end: `with seawall.deadline(..)` around calls with their own.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        Self {
            send_by: self.send_by.min(other.send_by),
            answer_by: self.answer_by.min(other.answer_by),
            // What the server was asked for stays, whoever ends the wait for it.
            blocking: if self.blocking == Blocking::No {
                other.blocking
            } else {
                self.blocking
            },
        }
    }

    /// `moment`, or the last moment to send if that comes first: the end of a wait within the call.
    pub fn cap(self, moment: Moment) -> Moment {
        moment.min(self.send_by)
    }

    /// When a reply to a request that was sent at `sent_at` is overdue, where `patience` is what a healthy server may
    /// take beyond the time it was asked to hold the call back; [`Moment::NEVER`] if it may hold it for ever.
    pub fn overdue_at(self, sent_at: Moment, patience: Duration) -> Moment {
        match self.blocking {
            Blocking::No => sent_at + patience,
            Blocking::For(timeout) => sent_at + timeout + patience,
            Blocking::UntilDown => Moment::NEVER,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Moment = Moment::ORIGIN;
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_blocking_command_has_its_own_timeout_plus_the_deadline() {
        let end = Deadline::blocking(START, SECOND, Blocking::For(SECOND * 5));
        assert_eq!(end.send_by(), START + SECOND);
        assert_eq!(end.answer_by(), START + SECOND * 6);
        assert!(end.too_late_to_send(START + SECOND));
        assert!(!end.too_late_to_answer(START + SECOND));
    }

    #[test]
    fn a_timeout_of_zero_is_sent_in_time_and_waits_until_the_endpoint_goes_down() {
        let end = Deadline::blocking(START, SECOND, Blocking::UntilDown);
        assert_eq!(end.send_by(), START + SECOND);
        assert!(end.answer_by().is_never() && end.ends_when_down());
        assert!(end.overdue_at(START, SECOND).is_never());
    }

    #[test]
    fn the_earlier_of_two_deadlines_holds_end_by_end() {
        let outer = Deadline::after(START, SECOND * 2);
        let pop = Deadline::blocking(START, SECOND, Blocking::UntilDown).min(outer);
        assert_eq!(
            (pop.send_by(), pop.answer_by()),
            (START + SECOND, START + SECOND * 2)
        );
        assert!(!pop.ends_when_down(), "now a moment ends it");
        assert!(
            pop.overdue_at(START, SECOND).is_never(),
            "the server still owes nothing"
        );
        assert_eq!(outer.min(Deadline::NEVER), outer);
    }

    #[test]
    fn a_reply_held_back_by_request_is_not_overdue() {
        let patience = Duration::from_millis(250);
        let pop = Deadline::blocking(START, SECOND, Blocking::For(SECOND * 5));
        assert_eq!(
            pop.overdue_at(START, patience),
            START + SECOND * 5 + patience
        );
        assert_eq!(
            Deadline::after(START, SECOND).overdue_at(START, patience),
            START + patience
        );
    }

    #[test]
    fn what_is_left_never_goes_below_zero() {
        let end = Deadline::after(START, SECOND);
        assert_eq!(end.left_to_send(START + SECOND * 3), Duration::ZERO);
        assert_eq!(end.cap(Moment::NEVER), START + SECOND);
    }
}
