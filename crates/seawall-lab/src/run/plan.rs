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
    /// What is said beside calls, by when it is due.
    pub(crate) asides: Vec<Aside>,
}

/// A line beside the calls: a call is given up, a consumer is kept busy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Aside {
    /// When it is due, from the load's start. Never before the call that it is about.
    pub(crate) due: Duration,
    /// The line.
    pub(crate) line: Vec<u8>,
}

/// One call of the plan. Its id is its place in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Planned {
    /// When it is due, from the load's start.
    pub(crate) due: Duration,
    /// Its flow's place in the scenario.
    pub(crate) flow: usize,
    /// When its caller gives it up, from the load's start.
    pub(crate) given_up: Option<Duration>,
}

const SECOND_NS: u64 = 1_000_000_000;

impl Plan {
    /// Lays out the scenario's flows. The seed shifts them against each other within one period of each, and draws which
    /// calls are given up, and when.
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
                calls.extend(due.map(|due| Planned {
                    due,
                    flow: place,
                    given_up: None,
                }));
            }
        }
        calls.sort_by_key(|call| (call.due, call.flow));
        let asides = asides(scenario, &mut calls, seed);
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
        Self {
            calls,
            lines,
            ends,
            asides,
        }
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

/// Draws which calls are given up, and lays out what is said beside calls.
fn asides(scenario: &Scenario, calls: &mut [Planned], seed: u64) -> Vec<Aside> {
    let mut asides = Vec::new();
    let mut say = |due, order: Order| {
        let mut line = Vec::new();
        order.format_into(&mut line);
        asides.push(Aside { due, line });
    };
    for (id, call) in (0..).zip(calls) {
        let Some(given_up) = scenario.flows[call.flow].given_up else {
            continue;
        };
        // Two draws of one number would make those that are given up late the same ones as those given up at all.
        let (whether, when) = (mix(seed ^ mix(id)), mix(seed ^ mix(!id)));
        if whether.is_multiple_of(u64::from(given_up.every)) {
            let within = given_up.within.as_nanos().max(1);
            let after = u64::try_from(u128::from(when) % within).unwrap_or(0);
            let due = call.due + Duration::from_nanos(after);
            call.given_up = Some(due);
            say(due, Order::Cancel { id });
        }
    }
    for (id, listener) in (0..).zip(&scenario.listeners) {
        for pause in &listener.pauses {
            let span = pause.to.saturating_sub(pause.from);
            say(pause.from, Order::Pause { id, span });
        }
    }
    asides.sort_by_key(|aside| aside.due);
    asides
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
    use crate::scenario::{Chapter, Flow, Listener};
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
    fn calls_are_given_up_after_they_are_made_and_about_as_many_as_was_said() {
        let within = Duration::from_millis(20);
        let scenario = Scenario::new("test", Chapter::Calm, "a test")
            .lasts_ms(1000)
            .load(vec![
                Flow::new(1000, Read::default()).giving_up(4, within),
                Flow::new(1000, Count),
            ]);
        let plan = Plan::new(&scenario, 5);
        let given_up: Vec<_> = plan
            .calls
            .iter()
            .filter(|call| call.given_up.is_some())
            .collect();
        assert!((150..350).contains(&given_up.len()), "{}", given_up.len());
        assert_eq!(plan.asides.len(), given_up.len());
        assert!(plan.asides.is_sorted_by_key(|aside| aside.due));
        assert!(given_up.iter().all(|call| {
            let at = call.given_up.unwrap();
            call.flow == 0 && call.due <= at && at < call.due + within
        }));
        let late = given_up
            .iter()
            .filter(|call| call.given_up.unwrap() > call.due + within / 2);
        assert!((50..250).contains(&late.count()));
        assert!(plan.asides[0].line.starts_with(b"cancel "));
    }

    #[test]
    fn a_consumer_is_kept_busy_for_as_long_as_was_said() {
        let scenario = scenario().listener(Listener::new(1, 1).pausing_ms(200, 500));
        let plan = Plan::new(&scenario, 5);
        let pause = Aside {
            due: Duration::from_millis(200),
            line: b"pause 0 300\n".to_vec(),
        };
        assert_eq!(plan.asides, [pause]);
    }

    #[test]
    fn the_same_seed_makes_the_same_plan() {
        let lines = |seed| Plan::new(&scenario(), seed).lines.clone();
        assert_eq!(lines(1), lines(1));
    }
}
