//! Why did it close? What the server and the other connections tell of a loss.

use std::time::Duration;

use seawall_model::{Cause, Moment};
use seawall_policy::health::State;

use super::super::connection::Loss;
use super::super::handshake::Server;
use super::{CloseWhy, Ledger, Lent, Order, Orders};

/// What the server told about itself is good for this long: a burst of losses asks once.
const EXAMINED_FRESH: Duration = Duration::from_millis(50);

/// Whether the server is being asked why it closed a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Examination {
    None,
    Wanted,
    UnderWay,
}

impl<C, W> Ledger<C, W> {
    /// Whether the tender has to ask now.
    pub(super) fn begin_examination(&mut self) -> bool {
        let wanted = self.examination == Examination::Wanted;
        if wanted {
            self.examination = Examination::UnderWay;
        }
        wanted
    }

    /// A connection was closed in order, in the middle of a request: have the server asked why.
    pub(crate) fn examine(&mut self, now: Moment) -> Orders<C, W> {
        let mut orders = Orders::none();
        let fresh = self
            .examined
            .is_some_and(|at| now.since(at) < EXAMINED_FRESH);
        if !fresh && self.examination == Examination::None && self.health.state() == State::Up {
            self.examination = Examination::Wanted;
            orders.wake_tender = true;
        }
        orders
    }

    /// Whether the answer is there: found since `asked`, or just before.
    pub(crate) fn examined_since(&self, asked: Moment) -> bool {
        self.examination == Examination::None
            || self
                .examined
                .is_some_and(|at| at > asked.before(EXAMINED_FRESH))
    }

    /// Names a loss by what the server told.
    ///
    /// Where ordinary clients have an output limit, a connection that was closed under a request while those at rest
    /// live was closed for its reply: CLIENT KILL and restarts end those too.
    pub(crate) fn name_anew(&self, asked: Moment, loss: &mut Loss) {
        let told = self
            .examined
            .is_some_and(|at| at > asked.before(EXAMINED_FRESH));
        if told && self.siblings_alone && self.output_limit.is_some_and(|limit| limit > 0) {
            loss.cause = Cause::OutputLimit;
        }
    }

    /// Whether the server has not said that ordinary clients have no output limit.
    pub(crate) fn may_have_output_limit(&self) -> bool {
        self.bounds.hints && self.output_limit != Some(0)
    }

    /// The server has told.
    pub(super) fn examined(&mut self, now: Moment, server: &Server) {
        self.examination = Examination::None;
        self.examined = Some(now);
        self.output_limit = server.output_limit;
        self.bounds.hints &= !server.refuses_config;
    }

    /// Looks at each connection at rest: `look` says how one was lost, and the dead are handed out.
    ///
    /// One that died since a connection in use was lost, and in the same way, died of the same cause: an idle limit
    /// does not strike both at once.
    pub(crate) fn look_over(
        &mut self,
        now: Moment,
        mut look: impl FnMut(&mut C) -> Result<(), Loss>,
    ) -> Vec<(Lent<C>, Loss)> {
        let mut dead = Vec::new();
        let resting = std::mem::take(&mut self.idle);
        self.idle.reserve(resting.len());
        for mut lent in resting {
            match look(&mut lent.connection) {
                Ok(()) => {
                    lent.seen_well = now;
                    self.idle.push(lent);
                }
                Err(loss) => {
                    let loss = self.name_with_others(&lent, loss);
                    dead.push((lent, loss));
                }
            }
        }
        self.siblings_alone = dead.is_empty();
        dead
    }

    /// A connection that had been idle for this long was forgotten by something between: those at rest that have been
    /// idle as long are taken for forgotten too, since each would cost a call an attempt to find out.
    pub(crate) fn distrust(&mut self, now: Moment, idle: Duration) -> Orders<C, W> {
        let mut orders = Orders::none();
        let (forgotten, trusted) = std::mem::take(&mut self.idle)
            .into_iter()
            .partition::<Vec<_>, _>(|lent| now.since(lent.last_used) >= idle);
        self.idle = trusted;
        let close = |lent: Lent<C>| Order::Close(lent.connection, CloseWhy::Forgotten);
        orders.todo.extend(forgotten.into_iter().map(close));
        orders
    }

    /// Names a death at rest by that of a connection in use, if that came since it was last seen well.
    pub(crate) fn name_with_others(&self, lent: &Lent<C>, loss: Loss) -> Loss {
        match self.lost_last {
            Some((at, close, cause))
                if loss.owed == 0 && close == loss.close && at >= lent.seen_well =>
            {
                Loss { cause, ..loss }
            }
            _ => loss,
        }
    }
}
