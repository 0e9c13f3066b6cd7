//! How much of a storm is kept, so that it does not push out what came before it.

use std::time::Duration;

use seawall_model::Moment;

/// A burst may fill this part of the ring.
const BURST_SHARE: u64 = 8;

/// A storm without end takes at least this long to come round the ring: five minutes are what somebody who is called
/// needs to look.
const ROUND: Duration = Duration::from_secs(300);

/// What a record is worth when there are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// It is kept whatever comes: health, outages.
    Kept,
    /// One of many like it: single connections and calls.
    Detail,
}

/// How many bytes of details may still be kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    area_bytes: u64,
    /// Bytes that may still be kept; below zero where the last record was longer.
    left: i64,
    filled: Moment,
    refused: u64,
}

impl Allowance {
    pub(super) fn new(area_bytes: u64) -> Self {
        Self {
            area_bytes,
            left: signed(area_bytes / BURST_SHARE),
            filled: Moment::ORIGIN,
            refused: 0,
        }
    }

    /// Whether there is room for another detail.
    pub(super) fn admits(&mut self, now: Moment) -> bool {
        self.fill(now);
        let admits = self.left > 0;
        self.refused += u64::from(!admits);
        admits
    }

    /// A detail of this many bytes was kept.
    pub(super) fn spend(&mut self, bytes: u64) {
        self.left = self.left.saturating_sub(signed(bytes));
    }

    /// How many were refused, once there is room again to say so.
    pub(super) fn take_refused(&mut self, now: Moment) -> Option<u64> {
        self.fill(now);
        (self.refused > 0 && self.left > 0).then(|| std::mem::take(&mut self.refused))
    }

    fn fill(&mut self, now: Moment) {
        let most = signed(self.area_bytes / BURST_SHARE);
        let millis = now.since(self.filled).as_millis();
        let earned = u128::from(self.area_bytes) * millis / ROUND.as_millis();
        if earned > 0 {
            let earned = signed(u64::try_from(earned).unwrap_or(u64::MAX));
            self.left = self.left.saturating_add(earned).min(most);
            self.filled = now;
        }
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD_BYTES: u64 = 64;

    fn at(millis: u64) -> Moment {
        Moment::ORIGIN + Duration::from_millis(millis)
    }

    /// Bytes kept of a storm of a record each millisecond.
    fn storm(allowance: &mut Allowance, from: u64, to: u64) -> u64 {
        let mut kept = 0;
        for millis in from..to {
            if allowance.admits(at(millis)) {
                allowance.spend(RECORD_BYTES);
                kept += RECORD_BYTES;
            }
        }
        kept
    }

    #[test]
    fn a_burst_is_kept_whole_and_a_storm_does_not_come_round_in_five_minutes() {
        let area = 1 << 20;
        let mut allowance = Allowance::new(area);
        assert_eq!(storm(&mut allowance, 0, 1_000), 1_000 * RECORD_BYTES);
        assert_eq!(allowance.take_refused(at(1_000)), None);
        let kept = storm(&mut allowance, 1_000, 240_000);
        assert!(kept < area, "{kept} bytes in four minutes");
        assert!(kept > area / 2, "{kept} bytes in four minutes");
    }

    #[test]
    fn what_was_refused_is_told_once_there_is_room() {
        let mut allowance = Allowance::new(16 << 10);
        let kept = storm(&mut allowance, 0, 500);
        let refused = 500 - kept / RECORD_BYTES;
        assert_eq!(allowance.take_refused(at(60_000)), Some(refused));
        assert_eq!(allowance.take_refused(at(60_001)), None);
        assert!(allowance.admits(at(60_002)));
    }
}
