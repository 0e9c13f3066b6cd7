//! What threads ask for waits for one another, where they are about to ask: one write instead of several.
//!
//! Threads that were answered together and do nothing but ask again would otherwise go apart: the last one woken writes what
//! the others have asked for, and asks alone a moment later. Whether they come is a guess from the last times. If one does not, the
//! others wait for it as long as a call takes among them, and for many times after that nobody is waited for.

use std::time::Duration;

/// So many were answered together at most: while more ask, the server would rest for too long.
const ANSWERED_MAX: usize = 16;

/// How long each of them is waited for: a turn of an interpreter's, on a slow core.
const WAIT_FOR_EACH: Duration = Duration::from_micros(40);

/// So often nobody is waited for after one who did not come: what that costs is not to be seen among a hundred calls.
const HASTE: u32 = 256;

/// Who is waited for.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    /// So many are about to ask.
    expected: usize,
    /// One of those who asked looks whether the others come.
    kept: bool,
    /// So often nobody is waited for.
    haste: u32,
}

impl Gathering {
    /// So many were answered together, and nobody else is owed a reply.
    pub(super) fn begin(&mut self, answered: usize) {
        self.kept = false;
        self.expected = 0;
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

    /// One of them asks, or somebody else does.
    pub(super) fn came(&mut self) {
        self.expected = self.expected.saturating_sub(1);
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
            self.haste = HASTE;
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

    #[test]
    fn what_was_asked_for_waits_until_all_have_asked() {
        let mut gathering = Gathering::default();
        assert!(!gathering.holds());
        gathering.begin(3);
        gathering.came();
        assert_eq!(gathering.keeps(false), Some(2 * WAIT_FOR_EACH));
        gathering.came();
        assert_eq!(gathering.keeps(false), None, "one looks already");
        assert_eq!(
            gathering.keeps(true),
            Some(WAIT_FOR_EACH),
            "it was that one"
        );
        assert!(gathering.holds());
        gathering.came();
        assert!(!gathering.holds());
        assert!(!gathering.give_up(), "all came");
        gathering.begin(3);
        assert!(gathering.holds());
    }

    #[test]
    fn after_one_who_did_not_come_nobody_is_waited_for_for_a_while() {
        let mut gathering = Gathering::default();
        gathering.begin(2);
        gathering.came();
        assert!(gathering.give_up());
        for _ in 0..HASTE {
            assert!(!gathering.holds());
            assert_eq!(gathering.keeps(false), None);
            gathering.begin(2);
        }
        assert!(!gathering.holds());
        gathering.begin(2);
        assert!(gathering.holds());
    }

    #[test]
    fn many_are_not_waited_for() {
        let mut gathering = Gathering::default();
        gathering.begin(ANSWERED_MAX + 1);
        assert!(!gathering.holds());
        gathering.begin(ANSWERED_MAX);
        assert!(gathering.holds());
        gathering.end();
        assert!(!gathering.holds());
    }

    #[test]
    fn strangers_who_ask_are_taken_for_those_who_are_waited_for() {
        let mut gathering = Gathering::default();
        gathering.begin(1);
        gathering.came();
        gathering.came();
        assert!(!gathering.holds());
    }
}
