//! What threads ask for waits for one another, where they are about to ask: one write instead of several.
//!
//! Threads that were answered together and do nothing but ask again would otherwise go apart: the last one woken writes what
//! the others have asked for, and asks alone a moment later. Whether they come is a guess from the last times. If one does not, or late, the
//! others wait for it as long as a call takes among them, and for many times after that nobody is waited for.

use std::ops::RangeInclusive;
use std::time::Duration;

use seawall_model::Moment;

/// So many were answered together at most: while more ask, the server would rest for too long.
const ANSWERED_MAX: usize = 16;

/// Of so many, half are heard by the server while the others still ask, if it has a core of its own. Of fewer, one write more
/// costs more than its rest.
pub(super) const HALVES: RangeInclusive<usize> = 8..=ANSWERED_MAX;

/// How long each of them is waited for: a turn of an interpreter's, on a slow core.
const WAIT_FOR_EACH: Duration = Duration::from_micros(40);

/// Who comes this long after the one before has something else to do, at which he would hold up the others each time.
const LATE: Duration = Duration::from_micros(100);

/// So often nobody is waited for after one who did not come: something else had to be done, once.
const HASTE_MIN: u32 = 8;

/// So often where that happens again and again: what it costs is not to be seen among a hundred calls.
const HASTE_MAX: u32 = 256;

/// Who is waited for.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    /// So many are about to ask.
    expected: usize,
    /// When so many are left, what the others have asked for goes out.
    half: usize,
    /// When the last of those came who have asked.
    last: Moment,
    /// One of those who asked looks whether the others come.
    kept: bool,
    /// So often nobody is waited for.
    haste: u32,
    /// So often nobody was, the last time that one did not come; less since, if they came.
    caution: u32,
}

impl Gathering {
    /// So many were answered together, and nobody else sits there and waits for a reply; `apart`, if the server works while these
    /// do.
    pub(super) fn begin(&mut self, answered: usize, apart: bool, now: Moment) {
        self.kept = false;
        self.last = now;
        self.expected = 0;
        self.half = if apart && HALVES.contains(&answered) {
            answered / 2
        } else {
            0
        };
        if self.haste > 0 {
            self.haste -= 1;
        } else if answered <= ANSWERED_MAX {
            self.expected = answered;
        }
    }

    /// Whether what was asked for waits for others.
    pub(super) fn holds(&self) -> bool {
        self.expected > 0
    }

    /// One of them asks, or somebody else does. Whether what was asked for so far is to go out, though the others are waited for.
    pub(super) fn came(&mut self, now: Moment) -> bool {
        if now.since(self.last) > LATE {
            self.give_up();
        }
        self.last = now;
        if self.expected == 1 {
            self.caution -= self.caution / 8;
        }
        self.expected = self.expected.saturating_sub(1);
        self.holds() && self.expected == self.half
    }

    /// One who asked waits now. How long until it has to look whether the others come, if that is up to it. It is up to
    /// the first, and still is if that one was disturbed and waits again.
    pub(super) fn keeps(&mut self, kept_before: bool) -> Option<Duration> {
        if !self.holds() || (self.kept && !kept_before) {
            return None;
        }
        self.kept = true;
        Some(WAIT_FOR_EACH * u32::try_from(self.expected).unwrap_or(u32::MAX))
    }

    /// The time to wait for them is over. Whether somebody was still waited for.
    pub(super) fn give_up(&mut self) -> bool {
        let missed = self.holds();
        if missed {
            self.caution = (2 * self.caution).clamp(HASTE_MIN, HASTE_MAX);
            self.haste = self.caution;
        }
        self.end();
        missed
    }

    /// Nobody is waited for any more.
    pub(super) fn end(&mut self) {
        self.expected = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::ORIGIN;

    #[test]
    fn what_was_asked_for_waits_until_all_have_asked() {
        let mut gathering = Gathering::default();
        assert!(!gathering.holds());
        gathering.begin(3, false, NOW);
        gathering.came(NOW);
        assert_eq!(gathering.keeps(false), Some(2 * WAIT_FOR_EACH));
        gathering.came(NOW);
        assert_eq!(gathering.keeps(false), None, "one looks already");
        assert_eq!(
            gathering.keeps(true),
            Some(WAIT_FOR_EACH),
            "it was that one"
        );
        assert!(gathering.holds());
        gathering.came(NOW);
        assert!(!gathering.holds());
        assert!(!gathering.give_up(), "all came");
        gathering.begin(3, false, NOW);
        assert!(gathering.holds());
    }

    #[test]
    fn after_one_who_did_not_come_nobody_is_waited_for_for_a_while() {
        let mut gathering = Gathering::default();
        gathering.begin(2, false, NOW);
        gathering.came(NOW);
        assert!(gathering.give_up());
        for _ in 0..HASTE_MIN {
            assert!(!gathering.holds());
            assert_eq!(gathering.keeps(false), None);
            gathering.begin(2, false, NOW);
        }
        assert!(!gathering.holds());
        gathering.begin(2, false, NOW);
        assert!(gathering.holds());
    }

    #[test]
    fn the_more_often_one_does_not_come_the_longer_nobody_is_waited_for() {
        let mut gathering = Gathering::default();
        let mut unwaited = |comes: bool| {
            let mut times = 0;
            loop {
                gathering.begin(2, false, NOW);
                gathering.came(NOW);
                if gathering.holds() {
                    break;
                }
                times += 1;
            }
            if comes {
                gathering.came(NOW);
            }
            gathering.give_up();
            times
        };
        let missed: Vec<u32> = (0..8).map(|_| unwaited(false)).collect();
        assert_eq!(missed, [0, 8, 16, 32, 64, 128, 256, 256]);
        assert_eq!(unwaited(true), HASTE_MAX);
        for _ in 0..12 {
            assert_eq!(unwaited(true), 0, "they come");
        }
        assert_eq!(unwaited(false), 0);
        let after = unwaited(false);
        assert!((HASTE_MIN..HASTE_MAX).contains(&after), "{after}");
    }

    #[test]
    fn one_who_comes_late_is_not_waited_for_again() {
        let mut gathering = Gathering::default();
        gathering.begin(3, false, NOW);
        gathering.came(NOW + LATE);
        assert!(gathering.holds(), "each has its time");
        gathering.came(NOW + 3 * LATE);
        assert!(!gathering.holds());
        gathering.begin(3, false, NOW);
        assert!(!gathering.holds());
    }

    #[test]
    fn many_are_not_waited_for() {
        let mut gathering = Gathering::default();
        gathering.begin(ANSWERED_MAX + 1, false, NOW);
        assert!(!gathering.holds());
        gathering.begin(ANSWERED_MAX, false, NOW);
        assert!(gathering.holds());
        gathering.end();
        assert!(!gathering.holds());
    }

    #[test]
    fn half_of_them_are_heard_early_by_a_server_that_works_meanwhile() {
        let mut gathering = Gathering::default();
        let mut goes_out = |answered, apart| {
            gathering.begin(answered, apart, NOW);
            let out: Vec<bool> = (0..answered).map(|_| gathering.came(NOW)).collect();
            assert!(!gathering.holds());
            out.iter().position(|&out| out)
        };
        assert_eq!(goes_out(8, true), Some(3));
        assert_eq!(goes_out(9, true), Some(4));
        assert_eq!(goes_out(ANSWERED_MAX, true), Some(ANSWERED_MAX / 2 - 1));
        assert_eq!(goes_out(8, false), None);
        assert_eq!(goes_out(7, true), None);
        assert_eq!(goes_out(2, true), None);
    }

    #[test]
    fn strangers_who_ask_are_taken_for_those_who_are_waited_for() {
        let mut gathering = Gathering::default();
        gathering.begin(1, false, NOW);
        gathering.came(NOW);
        gathering.came(NOW);
        assert!(!gathering.holds());
    }
}
