//! The tender's side: what is to be dialled, and what came of it.

use seawall_model::journal::run_id_hash;
use seawall_model::{Fault, Moment};
use seawall_policy::dial::{Dial, Dialled};
use seawall_policy::health::{Advice, Change, Probe, ProbeResult, Restarted};

use super::super::handshake::{Curiosity, DialError, Purpose, Server};
use super::{CloseWhy, Due, Examination, Ledger, Lent, Order, Orders, Refusal, life};

impl<C, W> Ledger<C, W> {
    /// What the server is asked on a connection made for `purpose`.
    pub(crate) fn curiosity(&self, purpose: Purpose) -> Curiosity {
        let probing = purpose != Purpose::Carry;
        Curiosity {
            ping: probing,
            // Without a first run id, a restart could not be told from a blip.
            info: probing || self.run_id.is_none(),
            output_limit: purpose == Purpose::Examine && self.bounds.hints,
        }
    }

    /// What the tender has to start now.
    pub(crate) fn take_due(&mut self, now: Moment) -> Due {
        if self.closed {
            return Due::default();
        }
        let mut orders: Orders<C, W> = Orders::none();
        self.plan_dials(now, &mut orders);
        let dials = std::mem::take(&mut self.dials);
        self.dialling += dials;
        let due = self.health.next_probe().is_some_and(|at| at <= now);
        let probe = due.then(|| self.health.probe_started(now));
        Due {
            dials,
            probe,
            examine: self.begin_examination(),
        }
    }

    /// Somebody asks how things stand, while the server turned us away and never let us in: no call may come that would
    /// find out that it does by now, so a dial does.
    pub(crate) fn look_again(&mut self, now: Moment) -> Orders<C, W> {
        let mut orders = Orders::none();
        let due = self.health.rejected().is_some_and(|(_, at)| now >= at);
        let alone = self.dialling + self.dials == 0;
        if due && alone && !self.closed && self.gate.want(now) == Dial::Go {
            self.gate.started(now);
            self.dials += 1;
            orders.wake_tender = true;
        }
        orders
    }

    /// Another link to the same endpoint found it down.
    pub(crate) fn advised(&mut self, now: Moment, advice: Advice) -> Orders<C, W> {
        let mut orders = Orders::none();
        let change = self.health.advised(now, advice);
        if change.is_some() {
            self.changed(now, change, &mut orders);
            self.settle(now, &mut orders);
        }
        orders
    }

    /// Another link to the same endpoint found it up again.
    pub(crate) fn encouraged(&mut self, now: Moment) -> Orders<C, W> {
        self.health.encouraged(now);
        Orders::none()
    }

    /// A connection was established.
    pub(crate) fn dialled(
        &mut self,
        now: Moment,
        purpose: Purpose,
        began: Moment,
        lent: Lent<C>,
        server: &Server,
    ) -> Orders<C, W> {
        let mut orders = Orders::none();
        self.refusal = None;
        self.counters.dialled += 1;
        self.counters.create_time.note(now.since(began));
        match purpose {
            Purpose::Carry => {
                self.dialling = self.dialling.saturating_sub(1);
                self.gate.finished(now, Dialled::Connected);
                self.health
                    .dialled(began, server.run_id.as_deref().map(run_id_hash));
            }
            Purpose::Probe(probe) => self.probed_well(now, probe, server, &mut orders),
            Purpose::Examine => {
                self.health
                    .dialled(began, server.run_id.as_deref().map(run_id_hash));
                self.examined(now, server);
            }
        }
        if server.run_id.is_some() {
            // Another process may be a newer one.
            self.refuses_setinfo &= self.run_id == server.run_id;
            self.run_id.clone_from(&server.run_id);
        }
        self.refuses_setinfo |= server.refuses_setinfo;
        self.keep(now, lent, &mut orders);
        self.settle(now, &mut orders);
        orders
    }

    fn probed_well(
        &mut self,
        now: Moment,
        probe: Probe,
        server: &Server,
        orders: &mut Orders<C, W>,
    ) {
        self.served = self.served.max(Some(probe.started()));
        let result = ProbeResult::Good {
            run_id: server.run_id.as_deref().map(run_id_hash),
            write_ok: server.writes,
        };
        let change = self.health.probe_finished(now, probe, result);
        if let Some(Change::Up { restarted, .. }) = change {
            self.gate.endpoint_up(now);
            if restarted == Restarted::Yes {
                // They lead to a process that is no more: their resets would be news of the past.
                for stale in self.idle.drain(..) {
                    orders
                        .todo
                        .push(Order::Close(stale.connection, CloseWhy::Stale));
                }
            }
        }
        self.changed(now, change, orders);
    }

    /// No connection came about.
    pub(crate) fn dial_failed(
        &mut self,
        now: Moment,
        purpose: Purpose,
        began: Moment,
        error: &DialError,
    ) -> Orders<C, W> {
        let mut orders = Orders::none();
        self.counters.dials_failed.count(error.cause);
        self.refusal = Some(Refusal {
            cause: error.cause,
            detail: error.detail.clone(),
            server: error.server.clone(),
            retry_at: None,
        });
        let change = match purpose {
            Purpose::Carry => {
                self.dialling = self.dialling.saturating_sub(1);
                // Turned away at the door is not a dial that failed: how long to wait then is the health's affair.
                let rejected = error.cause.fault() == Fault::Settings;
                self.gate.finished(
                    now,
                    if rejected {
                        Dialled::Connected
                    } else {
                        Dialled::Failed
                    },
                );
                self.health.dial_failed(now, began, error.cause)
            }
            Purpose::Probe(probe) => {
                self.health
                    .probe_finished(now, probe, ProbeResult::Failed(error.cause))
            }
            Purpose::Examine => {
                self.examination = Examination::None;
                self.health.dial_failed(now, began, error.cause)
            }
        };
        self.changed(now, change, &mut orders);
        self.settle(now, &mut orders);
        orders
    }

    /// Time has passed: retires what is too old, and lets waiters go whose ride-out is over.
    pub(crate) fn sweep(&mut self, now: Moment) -> Orders<C, W> {
        let mut orders = Orders::none();
        let mut index = 0;
        while index < self.idle.len() {
            let lent = &self.idle[index];
            match self
                .ageing
                .retire(now, life(lent.established, lent.last_used))
            {
                Some(why) => {
                    let lent = self.idle.remove(index);
                    orders
                        .todo
                        .push(Order::Close(lent.connection, CloseWhy::Retired(why)));
                }
                None => index += 1,
            }
        }
        self.settle(now, &mut orders);
        orders
    }
}
