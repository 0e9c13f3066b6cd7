//! Which stretch of time is shown, and where on it a moment stands.

use crate::finding::Verdict;
use crate::judge::Diagnosis;
use crate::stamp::Stamp;

/// What is shorter is shown as if it took so long, in milliseconds.
const SPAN_MIN: i64 = 30_000;

/// From when until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Axis {
    pub(super) from: Stamp,
    pub(super) to: Stamp,
}

impl Axis {
    /// Around what broke, if it is known when that was; else around all that has a time. `None` if nothing has.
    pub(super) fn of(diagnosis: &Diagnosis) -> Option<Self> {
        let broke = diagnosis.findings.iter();
        let windows = broke
            .filter(|finding| finding.verdict != Verdict::Risk)
            .filter_map(|finding| finding.window);
        let timeline = &diagnosis.timeline;
        let failures = timeline.failures.keys().map(|(at, _)| *at);
        let samples = timeline.samples.iter().filter_map(|sample| sample.at);
        if let Some(known) = hull(windows.flat_map(|(from, to)| [from, to])) {
            // What is near belongs to it: the applications' first errors, a look soon after.
            let near = i64::max(known.to.0 - known.from.0, SPAN_MIN) * 2;
            let belongs = |at: &Stamp| known.from.0 - near <= at.0 && at.0 <= known.to.0 + near;
            let all = failures.chain(samples).filter(belongs);
            return hull(all.chain([known.from, known.to])).map(Self::padded);
        }
        let events = timeline.lanes.iter().flat_map(|lane| &lane.events);
        let events = events
            .filter(|event| event.says != "the process began")
            .map(|event| event.at);
        let known = hull(events.chain(failures))?;
        hull(samples.chain([known.from, known.to])).map(Self::padded)
    }

    fn padded(self) -> Self {
        let span = self.to.0.saturating_sub(self.from.0);
        let pad = i64::max(span / 20, (SPAN_MIN - span) / 2);
        Self {
            from: Stamp(self.from.0.saturating_sub(pad)),
            to: Stamp(self.to.0.saturating_add(pad)),
        }
    }

    pub(super) fn millis(self) -> i64 {
        i64::max(self.to.0.saturating_sub(self.from.0), 1)
    }

    /// Where it stands, in hundredths of the whole; `None` if outside.
    pub(super) fn place(self, at: Stamp) -> Option<f64> {
        (self.from <= at && at <= self.to).then(|| self.clamped(at))
    }

    /// Which of so many columns it falls into; `None` if outside.
    pub(super) fn column(self, at: Stamp, columns: usize) -> Option<usize> {
        self.place(at)?;
        let into = at.0.abs_diff(self.from.0);
        let column = into.saturating_mul(columns as u64) / self.millis().unsigned_abs();
        Some(usize::try_from(column).unwrap_or(0).min(columns - 1))
    }

    /// As [`place`](Self::place), at the edge if outside.
    pub(super) fn clamped(self, at: Stamp) -> f64 {
        let into = at.0.clamp(self.from.0, self.to.0) - self.from.0;
        into as f64 * 100.0 / self.millis() as f64
    }

    /// Round moments to write beside it, from four to nine, with both ends' words not too near each other.
    pub(super) fn ticks(self) -> Vec<(f64, String)> {
        const STEPS: &[i64] = &[
            1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600,
            43_200, 86_400, 172_800, 604_800, 2_592_000, 31_536_000,
        ];
        let step = STEPS
            .iter()
            .map(|seconds| seconds * 1_000)
            .find(|step| self.millis() / step <= 7)
            .unwrap_or_else(|| (self.millis() / 7_000 + 1) * 1_000);
        let mut ticks = Vec::new();
        let mut at = (self.from.0.div_euclid(step) + 1).saturating_mul(step);
        while at < self.to.0 {
            let text = Stamp(at).to_string();
            let words = if step >= 43_200_000 {
                text.get(5..10)
            } else if step >= 60_000 {
                text.get(11..16)
            } else {
                text.get(11..19)
            };
            let place = self.clamped(Stamp(at));
            ticks.push((place, words.unwrap_or_default().to_owned()));
            at += step;
        }
        ticks
    }
}

fn hull(all: impl Iterator<Item = Stamp>) -> Option<Axis> {
    all.fold(None, |hull, at| {
        Some(hull.map_or(Axis { from: at, to: at }, |hull: Axis| Axis {
            from: hull.from.min(at),
            to: hull.to.max(at),
        }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn every_moment_has_its_place_and_the_ticks_are_few(
            from in -4_000_000_000_000_i64..4_000_000_000_000, span in 0_i64..3_000_000_000_000, at in proptest::num::i64::ANY,
        ) {
            let axis = Axis { from: Stamp(from), to: Stamp(from + span) }.padded();
            let ticks = axis.ticks();
            proptest::prop_assert!(ticks.len() <= 9, "{:?}", ticks);
            proptest::prop_assert!(ticks.iter().all(|(place, _)| (0.0..=100.0).contains(place)));
            proptest::prop_assert!((0.0..=100.0).contains(&axis.clamped(Stamp(at))));
        }
    }
}
