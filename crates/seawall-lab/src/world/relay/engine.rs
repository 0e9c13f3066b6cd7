use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, SyncSender};
use std::thread;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::time::Timespec;
use seawall_model::Moment;

use super::counters::Counters;
use super::door::{Door, Doorway};
use super::fault::Fault;
use super::flow::{Flow, Over, Shared};
use super::rules::{READ_BYTES_MAX, Rules};
use super::side::Side;
use crate::world::clock;

/// What epoll calls the listening socket.
const DOOR: u64 = u64::MAX;
/// What epoll calls the socket that wakes the relay for an order.
const ORDERS: u64 = u64::MAX - 1;
/// Events taken at once.
const EVENTS: usize = 256;
/// A rest when no descriptor is left for a client that waits: it stays in the backlog.
const REST: Duration = Duration::from_millis(1);

/// The longest wait at once, far below what the kernel takes.
const WAIT_MILLIS_MAX: i64 = 60_000;

/// What the relay's owner wants.
pub(super) enum Order {
    Set(Option<Fault>, SyncSender<io::Result<()>>),
    Count(SyncSender<Counters>),
    Stop,
}

/// The relay's one thread: an epoll loop over the listening socket, the flows, and its owner's orders.
pub(super) struct Engine {
    shared: Shared,
    door: Door,
    upstream: SocketAddr,
    flows: Vec<Option<Flow>>,
    free: Vec<usize>,
    /// Slots emptied in this round: an event of this round may still name them.
    emptied: Vec<usize>,
    orders: Receiver<Order>,
    wake: OwnedFd,
}

/// Whether the loop goes on.
#[derive(PartialEq, Eq)]
enum Next {
    GoOn,
    Stop,
}

impl Engine {
    pub(super) fn new(
        at: SocketAddr,
        upstream: SocketAddr,
        orders: Receiver<Order>,
        wake: OwnedFd,
    ) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &wake, EventData::new_u64(ORDERS), EventFlags::IN)?;
        let door = Door::new(&epoll, DOOR, at)?;
        let shared = Shared {
            epoll,
            rules: Rules::default(),
            counters: Counters::default(),
            now: clock::now(),
            scratch: vec![0; READ_BYTES_MAX],
        };
        let (flows, free, emptied) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self {
            shared,
            door,
            upstream,
            flows,
            free,
            emptied,
            orders,
            wake,
        })
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.door.addr()
    }

    /// Relays until it is told to stop; then every connection is reset.
    pub(super) fn run(mut self) {
        let mut events = Vec::with_capacity(EVENTS);
        while self.turn(&mut events) == Next::GoOn {}
        self.flows.iter().flatten().for_each(Flow::arm_reset);
    }

    fn turn(&mut self, events: &mut Vec<Event>) -> Next {
        let timeout = self
            .next_tick()
            .map(|moment| timespec(clock::now().until(moment)));
        events.clear();
        // An interrupted wait is a round without events.
        let _ = epoll::wait(&self.shared.epoll, spare_capacity(events), timeout.as_ref());
        self.shared.now = clock::now();
        let mut next = Next::GoOn;
        for event in events.iter() {
            match event.data.u64() {
                ORDERS => next = self.take_orders(),
                DOOR => self.accept(),
                token => self.flow_ready(token, event.flags),
            }
        }
        if timeout.is_some() {
            self.for_each_flow(Flow::tick);
        }
        self.free.append(&mut self.emptied);
        next
    }

    fn next_tick(&self) -> Option<Moment> {
        self.flows
            .iter()
            .flatten()
            .filter_map(|flow| flow.next_tick(&self.shared))
            .min()
    }

    fn flow_ready(&mut self, token: u64, flags: EventFlags) {
        let side = if token.is_multiple_of(2) {
            Side::Client
        } else {
            Side::Server
        };
        let index = usize::try_from(token / 2).unwrap_or(usize::MAX);
        self.with_flow(index, |flow, shared| flow.ready(side, flags, shared));
    }

    /// Runs `work` on a flow and tells epoll what it waits for then; a flow that is over is dropped.
    fn with_flow(
        &mut self,
        index: usize,
        work: impl FnOnce(&mut Flow, &mut Shared) -> Result<(), Over>,
    ) {
        let Some(slot) = self.flows.get_mut(index) else {
            return;
        };
        let Some(flow) = slot else { return };
        if work(flow, &mut self.shared).is_ok() {
            flow.register(&self.shared);
        } else {
            *slot = None;
            self.emptied.push(index);
            self.shared.counters.live -= 1;
        }
    }

    fn for_each_flow(&mut self, work: impl Fn(&mut Flow, &mut Shared) -> Result<(), Over>) {
        for index in 0..self.flows.len() {
            self.with_flow(index, &work);
        }
    }

    fn accept(&mut self) {
        while let Some(accepted) = self.door.accept() {
            let Ok(client) = accepted else {
                thread::sleep(REST);
                return;
            };
            self.shared.counters.accepted += 1;
            let index = self.free_slot();
            let Ok(flow) = Flow::open(client, self.upstream, index, &mut self.shared) else {
                self.emptied.push(index);
                continue;
            };
            self.flows[index] = Some(flow);
            self.shared.counters.live += 1;
            self.with_flow(index, |_, _| Ok(()));
        }
    }

    fn free_slot(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.flows.push(None);
            self.flows.len() - 1
        })
    }

    fn take_orders(&mut self) -> Next {
        // Only says that there are orders; how often it was said does not matter.
        let _ = rustix::io::read(&self.wake, &mut [0; 8]);
        while let Ok(order) = self.orders.try_recv() {
            match order {
                Order::Set(fault, done) => {
                    let result = self.set(fault);
                    // Whoever asked may have gone.
                    let _ = done.send(result);
                }
                Order::Count(reply) => {
                    let _ = reply.send(self.shared.counters.clone());
                }
                Order::Stop => return Next::Stop,
            }
        }
        Next::GoOn
    }

    /// Ends the fault in force and begins another.
    fn set(&mut self, fault: Option<Fault>) -> io::Result<()> {
        self.for_each_flow(Flow::leave_fault);
        let was_partition = self.shared.rules.is_partition();
        self.door.set(doorway(fault.as_ref()), &self.shared.epoll)?;
        // Whoever got through the door before the fault is a flow that the fault meets.
        self.accept();
        let (fault, once) = match fault {
            Some(fault @ (Fault::ResetAll | Fault::FinAll | Fault::HalfClose)) => {
                (None, Some(fault))
            }
            Some(Fault::Gone) => (Some(Fault::Refuse), Some(Fault::ResetAll)),
            other => (other, None),
        };
        self.shared.rules = Rules::new(fault);
        if self.shared.rules.is_partition() {
            self.flows.iter().flatten().for_each(Flow::deafen);
        } else if was_partition {
            self.flows.iter().flatten().for_each(Flow::hear);
        }
        self.for_each_flow(Flow::tick);
        if let Some(fault) = once {
            self.for_each_flow(|flow, shared| strike(&fault, flow, shared));
        }
        Ok(())
    }
}

/// Does a one-shot fault to a flow.
fn strike(fault: &Fault, flow: &mut Flow, shared: &mut Shared) -> Result<(), Over> {
    if !flow.is_reachable() {
        return Ok(());
    }
    match fault {
        Fault::ResetAll => Err(flow.reset(shared)),
        Fault::FinAll => flow.part(shared),
        Fault::HalfClose => flow.half_close(shared),
        _ => Ok(()),
    }
}

fn doorway(fault: Option<&Fault>) -> Doorway {
    match fault {
        Some(Fault::Refuse | Fault::Gone) => Doorway::Shut,
        Some(Fault::BlackHole) => Doorway::Unreachable,
        _ => Doorway::Open,
    }
}

/// Rounded up to the millisecond that older kernels wait by, so that nothing is woken for before it is due.
fn timespec(span: Duration) -> Timespec {
    let millis = span.as_nanos().div_ceil(1_000_000);
    let millis = i64::try_from(millis)
        .unwrap_or(i64::MAX)
        .min(WAIT_MILLIS_MAX);
    Timespec {
        tv_sec: millis / 1000,
        tv_nsec: millis % 1000 * 1_000_000,
    }
}
