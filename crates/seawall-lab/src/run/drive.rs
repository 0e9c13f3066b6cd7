use super::history::{Heard, History, Outcome, Record};
use super::plan::{Plan, Planned};
use super::{Interrupt, LabError};
use crate::contender::child::{ChildError, Contestant, Pipe};
use crate::contender::{Answer, Order};
use crate::oracle::GRACE;
use crate::scenario::Listener;
use crate::world::clock;
use seawall_model::Moment;
use std::time::Duration;

/// How often the lab writes what is due and reads what has come. At 10,000 calls a second it is ten lines a write;
/// half as long would double the lab's wake-ups to tell latencies apart that nobody reads from a scoreboard.
const TICK: Duration = Duration::from_millis(1);
/// The same while nothing is due and nothing is owed.
const IDLE_TICK: Duration = Duration::from_millis(5);
/// How long after the load what was published may take to reach its consumers: a full queue, on a crowded machine.
const LISTEN_OUT: Duration = Duration::from_secs(3);
/// How long a subscription may take to stand.
const SUBSCRIBING: Duration = Duration::from_secs(10);
/// How long a contender may take to say `bye`.
const FAREWELL: Duration = Duration::from_millis(1500);

/// What the contender is driven through.
pub(super) struct Course<'a> {
    pub(super) plan: &'a Plan,
    /// The subscriptions that it was asked for, and how many messages each is to hear.
    pub(super) listeners: &'a [Listener],
    pub(super) lasts: Duration,
    /// How long a call may take.
    pub(super) patience: Duration,
}

/// Asks the contender for its subscriptions, and waits until all of them stand.
pub(super) fn subscribe(
    contestant: &mut Contestant,
    listeners: &[Listener],
) -> Result<(), LabError> {
    let mut lines = Vec::new();
    for (id, place) in (0..).zip(0..listeners.len()) {
        let channels = Listener::channels(place).to_vec();
        Order::Subscribe { id, channels }.format_into(&mut lines);
    }
    contestant.queue(&lines);
    let mut standing = vec![false; listeners.len()];
    let give_up = clock::now() + SUBSCRIBING;
    while standing.contains(&false) {
        contestant.write().map_err(LabError::pipe)?;
        let mut wrong = None;
        let pipe = contestant.read(|heard| {
            let id = match heard {
                Ok(Answer::Subscribed { id }) => usize::try_from(id).ok(),
                Ok(Answer::Event(_)) => return,
                Ok(other) => {
                    wrong = Some(format!("{other:?}"));
                    return;
                }
                Err(problem) => {
                    wrong = Some(problem);
                    return;
                }
            };
            if let Some(stands) = id.and_then(|id| standing.get_mut(id)) {
                *stands = true;
            }
        });
        let pipe = pipe.map_err(LabError::pipe)?;
        if wrong.is_some() || pipe == Pipe::Closed || clock::now() >= give_up {
            let how = wrong.unwrap_or_else(|| match pipe {
                Pipe::Closed => "it ended".to_owned(),
                Pipe::Open => format!("it said nothing for {SUBSCRIBING:?}"),
            });
            return Err(ChildError::NotSubscribed {
                how,
                complaint: contestant.complaint(),
            }
            .into());
        }
        std::thread::sleep(TICK);
    }
    Ok(())
}

/// Drives the contender through its course, in an open loop, and returns when every call is answered or overdue, and the
/// last message heard or given up.
pub(super) fn drive(
    contestant: &mut Contestant,
    course: &Course<'_>,
    began: Moment,
    interrupt: &Interrupt,
) -> Result<History, LabError> {
    let plan = course.plan;
    let record = |call: &Planned| Record {
        due: began + call.due,
        given_up: call.given_up.map(|after| began + after),
        outcome: Outcome::Silent,
    };
    let calls: Vec<Record> = plan.calls.iter().map(record).collect();
    let last_due = calls.last().map_or(began, |call| call.due);
    let mut history = History {
        began,
        calls,
        heard: vec![Vec::new(); course.listeners.len()],
        ..History::default()
    };
    let mut driver = Driver {
        contestant,
        plan,
        began,
        next: 0,
        next_aside: 0,
        owed: 0,
    };
    let mut listening = Listening::new(course, began);
    let overdue = last_due + course.patience + GRACE;
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
        let calls_ended = all_ordered && (driver.owed == 0 || now > overdue);
        if calls_ended && listening.is_over(&history, now) {
            return Ok(history);
        }
        let tick = if driver.owed > 0 { TICK } else { IDLE_TICK };
        clock::sleep_until((now + tick).min(driver.next_due().max(now + TICK)));
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

/// Whether the last messages have come.
struct Listening<'a> {
    listeners: &'a [Listener],
    /// The number of each listener's last message.
    last: Vec<Option<u64>>,
    /// How much of what each consumer was given has been looked at.
    looked: Vec<usize>,
    give_up: Moment,
}

impl<'a> Listening<'a> {
    fn new(course: &Course<'a>, began: Moment) -> Self {
        let last = |listener: &Listener| listener.due_by(course.lasts).checked_sub(1);
        Self {
            listeners: course.listeners,
            last: course.listeners.iter().map(last).collect(),
            looked: vec![0; course.listeners.len()],
            give_up: began + course.lasts + LISTEN_OUT,
        }
    }

    fn is_over(&mut self, history: &History, now: Moment) -> bool {
        for (place, listener) in self.listeners.iter().enumerate() {
            let fresh = history.heard[place].get(self.looked[place]..);
            let came = fresh.unwrap_or_default().iter().any(|heard| match heard {
                Heard::Message(message) => listener.number_of(place, message) == self.last[place],
                Heard::Gap(_) => false,
            });
            self.looked[place] = history.heard[place].len();
            if came {
                self.last[place] = None;
            }
        }
        now >= self.give_up || self.last.iter().all(Option::is_none)
    }
}

struct Driver<'a> {
    contestant: &'a mut Contestant,
    plan: &'a Plan,
    began: Moment,
    /// The first call that was not ordered yet.
    next: usize,
    /// The first line beside calls that was not said yet.
    next_aside: usize,
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
        // After the calls: what is said of one comes behind it.
        while let Some(aside) = self.plan.asides.get(self.next_aside) {
            if self.began + aside.due > now {
                break;
            }
            self.contestant.queue(&aside.line);
            self.next_aside += 1;
        }
    }

    fn next_due(&self) -> Moment {
        let call = self.plan.calls.get(self.next).map(|call| call.due);
        let aside = self.plan.asides.get(self.next_aside).map(|aside| aside.due);
        let next = call.into_iter().chain(aside).min();
        next.map_or(Moment::NEVER, |due| self.began + due)
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
        Ok(Answer::Message { id, message }) => history.heard(id, Heard::Message(message)),
        Ok(Answer::Gap { id, gap }) => history.heard(id, Heard::Gap(gap)),
        Ok(Answer::Subscribed { id }) => {
            history.breach(format!("a second `subscribed` of subscription {id}"));
        }
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
        let course = Course {
            plan: &plan(per_second),
            listeners: &[],
            lasts: Duration::from_millis(300),
            patience: Duration::from_secs(10),
        };
        let mut history = drive(&mut contestant, &course, began, interrupt)?;
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
