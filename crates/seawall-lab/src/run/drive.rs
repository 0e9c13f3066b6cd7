use super::history::{History, Outcome, Record};
use super::plan::Plan;
use super::{Interrupt, LabError};
use crate::contender::child::{Contestant, Pipe};
use crate::contender::{Answer, Order};
use crate::oracle::GRACE;
use crate::world::clock;
use seawall_model::Moment;
use std::time::Duration;

/// How often the lab writes what is due and reads what has come. At 10,000 calls a second it is ten lines a write;
/// half as long would double the lab's wake-ups to tell latencies apart that nobody reads from a scoreboard.
const TICK: Duration = Duration::from_millis(1);
/// The same while nothing is due and nothing is owed.
const IDLE_TICK: Duration = Duration::from_millis(5);
/// How long a contender may take to say `bye`.
const FAREWELL: Duration = Duration::from_millis(1500);

/// Drives the contender through the plan, in an open loop, and returns when every call is answered or overdue.
pub(super) fn drive(
    contestant: &mut Contestant,
    plan: &Plan,
    began: Moment,
    patience: Duration,
    interrupt: &Interrupt,
) -> Result<History, LabError> {
    let silent = |due| Record {
        due: began + due,
        outcome: Outcome::Silent,
    };
    let calls: Vec<Record> = plan.calls.iter().map(|call| silent(call.due)).collect();
    let last_due = calls.last().map_or(began, |call| call.due);
    let mut history = History {
        began,
        calls,
        ..History::default()
    };
    let mut driver = Driver {
        contestant,
        plan,
        next: 0,
        owed: 0,
    };
    let overdue = last_due + patience + GRACE;
    loop {
        if interrupt.is_raised() {
            return Err(LabError::Interrupted);
        }
        let now = clock::now();
        driver.order_what_is_due(now, &mut history);
        if driver.exchange(now, &mut history)? == Pipe::Closed {
            history.died = Some(
                driver.contestant.end(Duration::from_millis(200)) + &driver.contestant.complaint(),
            );
            return Ok(history);
        }
        let all_ordered = driver.next == plan.calls.len();
        if all_ordered && (driver.owed == 0 || now > overdue) {
            return Ok(history);
        }
        let tick = if driver.owed > 0 { TICK } else { IDLE_TICK };
        let next_due = history
            .calls
            .get(driver.next)
            .map_or(Moment::NEVER, |call| call.due);
        clock::sleep_until((now + tick).min(next_due.max(now + TICK)));
    }
}

/// Says `stop`, and hears the contender out until `bye`.
pub(super) fn dismiss(contestant: &mut Contestant, history: &mut History) -> Result<(), LabError> {
    let mut stop = Vec::new();
    Order::Stop.format_into(&mut stop);
    contestant.queue(&stop);
    let give_up = clock::now() + FAREWELL;
    let mut over = false;
    while !over && clock::now() < give_up {
        contestant.write().map_err(LabError::pipe)?;
        let now = clock::now();
        let pipe = contestant
            .read(|heard| over |= note(history, now, heard))
            .map_err(LabError::pipe)?;
        if pipe == Pipe::Closed {
            break;
        }
        std::thread::sleep(TICK);
    }
    contestant.end(if over { FAREWELL } else { Duration::ZERO });
    Ok(())
}

struct Driver<'a> {
    contestant: &'a mut Contestant,
    plan: &'a Plan,
    /// The first call that was not ordered yet.
    next: usize,
    /// Calls that were ordered and not answered.
    owed: usize,
}

impl Driver<'_> {
    fn order_what_is_due(&mut self, now: Moment, history: &mut History) {
        let from = self.next;
        while let Some(call) = history.calls.get(self.next).filter(|call| call.due <= now) {
            history.lab_late = history.lab_late.max(now.since(call.due));
            self.next += 1;
        }
        self.owed += self.next - from;
        self.contestant.queue(self.plan.lines(from, self.next));
    }

    fn exchange(&mut self, now: Moment, history: &mut History) -> Result<Pipe, LabError> {
        self.contestant.write().map_err(LabError::pipe)?;
        let owed = &mut self.owed;
        let pipe = self.contestant.read(|heard| {
            let ended = matches!(heard, Ok(Answer::Ok { .. } | Answer::Fail { .. }));
            note(history, now, heard);
            if ended {
                *owed = owed.saturating_sub(1);
            }
        });
        pipe.map_err(LabError::pipe)
    }
}

/// Notes what the contender said; true at `bye`.
fn note(history: &mut History, at: Moment, heard: Result<Answer, String>) -> bool {
    match heard {
        Ok(Answer::Ok { id, reply }) => history.ended(id, Outcome::Answered { at, reply }),
        Ok(Answer::Fail { id, failure }) => history.ended(id, Outcome::Failed { at, failure }),
        Ok(Answer::Event(event)) => history.events.push((at, event)),
        Ok(Answer::Stats(stats)) => history.stats = stats,
        Ok(Answer::Ready { .. }) => history.breach("a second `ready`".to_owned()),
        Ok(Answer::Bye) => return true,
        Err(problem) => history.breach(problem),
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contender::{Reply, Settings};
    use crate::scenario::{Chapter, Flow, Scenario};
    use crate::work::Read;

    fn greeted(script: &str) -> Contestant {
        let mut contestant = Contestant::start(&["sh", "-c", script]).unwrap();
        let settings = Settings {
            url: "redis://127.0.0.1:1".into(),
            deadline_ms: 1000,
            workers: 1,
            scenario: "test".into(),
            seed: 1,
        };
        contestant
            .greet(&Order::Hello(settings), Duration::from_secs(20))
            .unwrap();
        contestant
    }

    fn plan(per_second: u32) -> Plan {
        let flow = Flow::new(per_second, Read::default());
        Plan::new(
            &Scenario::new("test", Chapter::Calm, "a test")
                .lasts_ms(300)
                .load(vec![flow]),
            1,
        )
    }

    fn driven(script: &str, per_second: u32, interrupt: &Interrupt) -> Result<History, LabError> {
        let mut contestant = greeted(script);
        let began = clock::now();
        let patience = Duration::from_secs(10);
        let mut history = drive(
            &mut contestant,
            &plan(per_second),
            began,
            patience,
            interrupt,
        )?;
        dismiss(&mut contestant, &mut history)?;
        Ok(history)
    }

    /// Answers every call with nil.
    const NIL: &str = "read hello; echo ready sed 1; \
        exec sed -u -n -e 's/^call \\([0-9]*\\) .*/ok \\1 nil/p' -e 's/^stop/bye/p'";

    #[test]
    fn ten_thousand_calls_a_second_are_carried_and_each_answer_finds_its_call() {
        let history = driven(NIL, 10_000, &Interrupt::never()).unwrap();
        assert_eq!((history.calls.len(), history.breach_count), (3000, 0));
        assert!(
            history
                .calls
                .iter()
                .all(|call| call.outcome.reply() == Some(&Reply::Nil))
        );
        assert!(
            history
                .calls
                .iter()
                .all(|call| call.outcome.at().is_some_and(|at| at >= call.due))
        );
        assert_eq!(history.died, None);
    }

    #[test]
    fn a_contender_that_dies_in_the_middle_leaves_its_calls_silent_and_its_last_words() {
        let script = "read hello; echo ready sh 1; read word id rest; echo ok $id nil; echo oh no >&2; exit 7";
        let history = driven(script, 100, &Interrupt::never()).unwrap();
        let silent = history
            .calls
            .iter()
            .filter(|call| call.outcome == Outcome::Silent)
            .count();
        assert_eq!((history.calls.len(), silent), (30, 29));
        let died = history.died.unwrap();
        assert!(died.contains('7') && died.contains("oh no"), "{died}");
    }

    #[test]
    fn an_interrupt_ends_the_run_at_once() {
        let interrupt = Interrupt::never();
        interrupt.raise();
        assert!(matches!(
            driven(NIL, 100, &interrupt),
            Err(LabError::Interrupted)
        ));
    }
}
