use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, poll};
use rustix::time::Timespec;
use seawall_model::Moment;

use super::Question;
use super::line::{Line, News};
use crate::world::clock;
use crate::world::timeline::{Serving, Timeline};

/// How often the server is asked, and how long an answer may take.
pub(super) const TICK: Duration = Duration::from_millis(5);

/// A second connection that is open and silent is replaced after this long: a partition may have begun behind it. Not
/// sooner, since a frozen server finds all of them when it thaws.
const SPARE_LIMIT: Duration = Duration::from_millis(250);

/// The probe's connections, and what they have shown.
#[derive(Debug)]
pub(super) struct Watch {
    addr: SocketAddr,
    /// Goes before the first question of a connection; it gets one reply if it is not empty.
    greeting: Vec<u8>,
    question: Question,
    /// The connection that answered last.
    main: Option<Line>,
    /// Tried while `main` is late.
    spare: Option<Line>,
    seen: Arc<Mutex<Timeline>>,
    began: Moment,
}

/// What the current tick has brought.
struct Tick {
    end: Moment,
    answer: Answer,
    redial: Redial,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Awaited,
    Come,
}

/// A lost connection is replaced at once, but once a tick: some servers close after each answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Redial {
    Free,
    Spent,
}

impl Watch {
    pub(super) fn new(
        addr: SocketAddr,
        greeting: Vec<u8>,
        question: Question,
        seen: Arc<Mutex<Timeline>>,
    ) -> Self {
        Self {
            addr,
            greeting,
            question,
            main: None,
            spare: None,
            seen,
            began: clock::now(),
        }
    }

    /// Asks once, and listens until the tick is over.
    pub(super) fn tick(&mut self) {
        let mut tick = Tick {
            end: clock::now() + TICK,
            answer: Answer::Awaited,
            redial: Redial::Free,
        };
        self.begin(&mut tick);
        loop {
            let left = clock::now().until(tick.end);
            self.wait(left);
            // Also after the last wait: an answer that came in time is in time, however late this thread woke up.
            self.look(&mut tick);
            if left.is_zero() {
                break;
            }
        }
        if tick.answer == Answer::Awaited {
            self.mark(clock::now(), Serving::Nothing);
        }
    }

    fn begin(&mut self, tick: &mut Tick) {
        let now = clock::now();
        match &mut self.main {
            Some(main) if main.is_idle() => {
                if main.ask(now) == News::Gone {
                    self.lost_main(tick);
                }
            }
            Some(main) if !main.is_dialling() => self.try_spare(now),
            _ => self.redial(now),
        }
    }

    fn redial(&mut self, now: Moment) {
        if let Some(line) = self.main.take() {
            line.abandon();
        }
        self.main = Line::dial(self.addr, self.question, now).ok();
    }

    fn try_spare(&mut self, now: Moment) {
        let patience = match &self.spare {
            Some(spare) if !spare.is_dialling() => SPARE_LIMIT,
            _ => Duration::ZERO,
        };
        if self
            .spare
            .as_ref()
            .is_none_or(|spare| now.since(spare.since()) >= patience)
        {
            if let Some(line) = self.spare.take() {
                line.abandon();
            }
            self.spare = Line::dial(self.addr, self.question, now).ok();
        }
    }

    fn lost_main(&mut self, tick: &mut Tick) {
        self.main = self.spare.take();
        if self.main.is_none() && tick.redial == Redial::Free {
            tick.redial = Redial::Spent;
            let now = clock::now();
            tick.end = now + TICK;
            self.redial(now);
        }
    }

    fn wait(&self, limit: Duration) {
        let mut fds: Vec<PollFd<'_>> = self
            .main
            .iter()
            .chain(&self.spare)
            .map(Line::poll_fd)
            .collect();
        let limit = Timespec {
            tv_sec: 0,
            tv_nsec: limit.min(TICK).subsec_nanos().into(),
        };
        // An interrupted wait is a short one.
        let _ = poll(&mut fds, Some(&limit));
    }

    fn look(&mut self, tick: &mut Tick) {
        let now = clock::now();
        match self
            .main
            .as_mut()
            .map_or(News::None, |main| main.look(&self.greeting, now))
        {
            News::None => {}
            News::Answer(serving) => {
                tick.answer = Answer::Come;
                self.mark(now, serving);
                if let Some(line) = self.spare.take() {
                    line.abandon();
                }
            }
            News::Gone => self.lost_main(tick),
        }
        match self
            .spare
            .as_mut()
            .map_or(News::None, |spare| spare.look(&self.greeting, now))
        {
            News::None => {}
            News::Answer(serving) => {
                tick.answer = Answer::Come;
                self.mark(now, serving);
                if let Some(line) = self.main.take() {
                    line.abandon();
                }
                self.main = self.spare.take();
            }
            News::Gone => self.spare = None,
        }
    }

    /// Writes down what holds at `now`. Between two answers the server served; from its last answer to its next it did not,
    /// if an answer was missing between.
    fn mark(&self, now: Moment, serving: Serving) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.intervals().last().map(|last| last.serving) {
            None if serving != Serving::Nothing => seen.extend(now, now, serving),
            Some(Serving::Nothing) => {
                seen.extend(self.began, now, Serving::Nothing);
                seen.extend(self.began, now, serving);
            }
            _ => seen.extend(self.began, now, serving),
        }
    }
}
