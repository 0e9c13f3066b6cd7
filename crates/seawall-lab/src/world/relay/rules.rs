use std::time::Duration;

use seawall_model::Moment;

use super::fault::{Fault, Lost};

/// Bytes held for one direction of one connection, beyond what the kernel holds, before the sender is read no more.
const HELD_BYTES_MAX: usize = 1 << 20;

/// A slow link holds this much of what it carries in a second: the queue of a modest router.
const SLOW_LINK_QUEUE: Duration = Duration::from_millis(250);

/// Bytes read at once at the most.
pub(super) const READ_BYTES_MAX: usize = 64 << 10;

/// A direction through the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// From clients to the server.
    Up,
    /// From the server to clients.
    Down,
}

/// What becomes of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass,
    Lose,
    Cut,
}

/// The fault in force, and what it has counted.
#[derive(Debug, Default)]
pub(super) struct Rules {
    fault: Option<Fault>,
    /// Replies that the fault was asked about.
    replies: u64,
    up_free: Moment,
    down_free: Moment,
}

impl Rules {
    pub(super) fn new(fault: Option<Fault>) -> Self {
        Self {
            fault,
            ..Self::default()
        }
    }

    /// When bytes that come now are due at the other end.
    pub(super) fn due(&mut self, way: Way, bytes: usize, now: Moment) -> Moment {
        match self.fault {
            Some(Fault::Delay(delay)) => now + delay,
            Some(Fault::Bandwidth(per_second)) => {
                let free = match way {
                    Way::Up => &mut self.up_free,
                    Way::Down => &mut self.down_free,
                };
                *free = now.max(*free) + transmission(bytes, per_second);
                *free
            }
            _ => now,
        }
    }

    /// How many bytes one direction of a connection may hold.
    pub(super) fn held_bytes_max(&self) -> usize {
        match self.fault {
            Some(Fault::Bandwidth(per_second)) => {
                let queue = u128::from(per_second) * SLOW_LINK_QUEUE.as_millis() / 1000;
                usize::try_from(queue)
                    .unwrap_or(HELD_BYTES_MAX)
                    .clamp(1, HELD_BYTES_MAX)
            }
            _ => HELD_BYTES_MAX,
        }
    }

    /// How many bytes to read at once: on a slow link little, so that connections take turns.
    pub(super) fn read_bytes_max(&self) -> usize {
        match self.fault {
            Some(Fault::Bandwidth(_)) => (self.held_bytes_max() / 8).clamp(1, READ_BYTES_MAX),
            _ => READ_BYTES_MAX,
        }
    }

    /// Judges the reply to `command`.
    pub(super) fn judge(&mut self, command: &str) -> Verdict {
        let (every, verdict) = match &self.fault {
            Some(Fault::LoseReply { every, only, .. })
                if only.as_ref().is_none_or(|names| names.contains(command)) =>
            {
                (*every, Verdict::Lose)
            }
            Some(Fault::CutInsideFrame { every, .. }) => (*every, Verdict::Cut),
            _ => return Verdict::Pass,
        };
        self.replies += 1;
        if self.replies.is_multiple_of(u64::from(every.max(1))) {
            verdict
        } else {
            Verdict::Pass
        }
    }

    /// What follows a lost or cut reply.
    pub(super) fn then(&self) -> Lost {
        match self.fault {
            Some(Fault::LoseReply { then, .. } | Fault::CutInsideFrame { then, .. }) => then,
            _ => Lost::Reset,
        }
    }

    /// After how long an idle flow is forgotten.
    pub(super) fn forgets_after(&self) -> Option<Duration> {
        match self.fault {
            Some(Fault::ResetAfterIdle(idle)) => Some(idle),
            _ => None,
        }
    }

    /// After how long an idle flow is swallowed.
    pub(super) fn swallows_after(&self) -> Option<Duration> {
        match self.fault {
            Some(Fault::SwallowAfterIdle(idle)) => Some(idle),
            _ => None,
        }
    }

    /// After how many bytes towards the client a connection is closed.
    pub(super) fn fin_after(&self) -> Option<u64> {
        match self.fault {
            Some(Fault::FinAfterBytes(bytes)) => Some(bytes),
            _ => None,
        }
    }

    pub(super) fn is_partition(&self) -> bool {
        matches!(self.fault, Some(Fault::BlackHole))
    }
}

fn transmission(bytes: usize, per_second: u64) -> Duration {
    let nanos = bytes as u128 * 1_000_000_000 / u128::from(per_second.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_third_reply_to_the_named_commands_is_lost() {
        let mut rules = Rules::new(Some(Fault::lose_reply(3, Lost::Reset, &["incr"])));
        let verdicts: Vec<Verdict> = ["INCR", "GET", "INCR", "INCR", "INCR", "GET"]
            .map(|command| rules.judge(command))
            .into();
        assert_eq!(
            verdicts
                .iter()
                .position(|verdict| *verdict == Verdict::Lose),
            Some(3)
        );
        assert_eq!(
            verdicts
                .iter()
                .filter(|verdict| **verdict == Verdict::Lose)
                .count(),
            1
        );
    }

    #[test]
    fn a_slow_link_carries_one_thing_after_another_in_each_direction() {
        let mut rules = Rules::new(Some(Fault::Bandwidth(1000)));
        let now = Moment::ORIGIN + Duration::from_secs(1);
        assert_eq!(
            rules.due(Way::Down, 100, now),
            now + Duration::from_millis(100)
        );
        assert_eq!(
            rules.due(Way::Down, 100, now),
            now + Duration::from_millis(200)
        );
        assert_eq!(rules.due(Way::Up, 50, now), now + Duration::from_millis(50));
    }

    #[test]
    fn no_bandwidth_at_all_is_a_byte_a_second_and_not_a_panic() {
        let mut rules = Rules::new(Some(Fault::Bandwidth(0)));
        assert_eq!(
            rules.due(Way::Up, 2, Moment::ORIGIN),
            Moment::ORIGIN + Duration::from_secs(2)
        );
        assert!(rules.held_bytes_max() >= 1 && rules.read_bytes_max() >= 1);
    }

    #[test]
    fn without_a_fault_everything_passes_at_once() {
        let mut rules = Rules::new(None);
        assert_eq!(rules.judge("INCR"), Verdict::Pass);
        assert_eq!(rules.due(Way::Up, 1 << 20, Moment::ORIGIN), Moment::ORIGIN);
    }
}
