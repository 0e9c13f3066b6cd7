use crate::contender::{Call, Order};
use crate::scenario::{Burst, Scenario};
use std::time::Duration;

/// When a scenario's calls are due, and the lines that order them: made before the run, so that the run itself only
/// copies bytes.
pub(crate) struct Plan {
    pub(crate) calls: Vec<Planned>,
    lines: Vec<u8>,
    /// Where each call's line ends in `lines`.
    ends: Vec<usize>,
}

/// One call of the plan. Its id is its place in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Planned {
    /// When it is due, from the load's start.
    pub(crate) due: Duration,
    /// Its flow's place in the scenario.
    pub(crate) flow: usize,
}

const SECOND_NS: u64 = 1_000_000_000;

impl Plan {
    /// Lays out the scenario's flows. The seed shifts them against each other within one period of each.
    pub(crate) fn new(scenario: &Scenario, seed: u64) -> Self {
        let whole = [Burst {
            from: Duration::ZERO,
            to: scenario.lasts,
        }];
        let mut calls = Vec::new();
        for (place, flow) in scenario.flows.iter().enumerate() {
            let bursts = if flow.bursts.is_empty() {
                &whole[..]
            } else {
                &flow.bursts
            };
            let rate = u64::from(flow.per_second.max(1));
            let shift = Duration::from_nanos(mix(seed ^ place as u64) % (SECOND_NS / rate));
            for burst in bursts {
                // From the count, not from a rounded period: 1,050 a second are 1,050 in every second.
                let offsets = (0..).map(|turn| Duration::from_nanos(turn * SECOND_NS / rate));
                let due = offsets
                    .map(|offset| burst.from + shift + offset)
                    .take_while(|&due| due < burst.to);
                calls.extend(due.map(|due| Planned { due, flow: place }));
            }
        }
        calls.sort_by_key(|call| (call.due, call.flow));
        let mut lines = Vec::new();
        let mut ends = Vec::with_capacity(calls.len());
        for (id, call) in (0..).zip(&calls) {
            let flow = &scenario.flows[call.flow];
            Order::Call(Call {
                id,
                deadline: flow.deadline,
                request: flow.work.request(id),
            })
            .format_into(&mut lines);
            ends.push(lines.len());
        }
        Self { calls, lines, ends }
    }

    /// The lines of the calls `from..to`, as they are written.
    pub(crate) fn lines(&self, from: usize, to: usize) -> &[u8] {
        let start = from.checked_sub(1).map_or(0, |before| self.ends[before]);
        let end = to.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.lines.get(start..end).unwrap_or_default()
    }

    /// The ids of a flow's calls.
    pub(crate) fn ids_of(&self, flow: usize) -> Vec<u64> {
        (0..)
            .zip(&self.calls)
            .filter(|(_, call)| call.flow == flow)
            .map(|(id, _)| id)
            .collect()
    }
}

/// Scatters a number over all 64 bits (the finalizer of splitmix64).
fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Chapter, Flow};
    use crate::work::{Count, Read};

    fn scenario() -> Scenario {
        Scenario::new("test", Chapter::Calm, "a test")
            .lasts_ms(1000)
            .load(vec![
                Flow::new(105, Read::default()),
                Flow::new(10, Count).burst_ms(0, 200).burst_ms(600, 800),
            ])
    }

    #[test]
    fn every_flow_has_its_rate_in_its_bursts_and_ids_follow_time() {
        let plan = Plan::new(&scenario(), 5);
        assert_eq!(plan.ids_of(0).len(), 105);
        assert_eq!(plan.ids_of(1).len(), 4);
        assert!(plan.calls.is_sorted_by_key(|call| call.due));
        let pause = Duration::from_millis(200)..Duration::from_millis(600);
        assert!(
            plan.calls
                .iter()
                .all(|call| call.flow == 0 || !pause.contains(&call.due))
        );
    }

    #[test]
    fn lines_of_neighbouring_ranges_join_to_the_whole() {
        let plan = Plan::new(&scenario(), 5);
        let all = plan.lines(0, plan.calls.len());
        assert_eq!(
            [
                plan.lines(0, 7),
                plan.lines(7, 7),
                plan.lines(7, plan.calls.len())
            ]
            .concat(),
            all
        );
        assert!(all.starts_with(b"call 0 1000 cmd "));
        assert_eq!(
            all.split_inclusive(|&byte| byte == b'\n').count(),
            plan.calls.len()
        );
    }

    #[test]
    fn the_same_seed_makes_the_same_plan() {
        let lines = |seed| Plan::new(&scenario(), seed).lines.clone();
        assert_eq!(lines(1), lines(1));
    }
}
