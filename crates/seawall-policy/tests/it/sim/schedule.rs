use seawall_model::Moment;
use seawall_policy::backoff::Rng;
use seawall_policy::deadline::Blocking;
use seawall_policy::retry::ReplayAllowance;
use seawall_wire::facts::{Access, Replay};
use std::fmt;
use std::time::Duration;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process is killed; nothing listens; then it is back as another one.
    Restart,
    /// The process is stopped: its kernel accepts, and nothing is answered until it goes on.
    Freeze,
    /// Packets vanish.
    Partition,
    /// The server says LOADING.
    Loading,
    /// The server says MISCONF to writes.
    SaveFailed,
    /// Requests run, and their connections are reset instead of answered.
    LoseReplies,
    /// Every request takes [`Fault::LOSSY_TAKES`], and one in [`Fault::LOSSY_EVERY`] runs and has its connection reset
    /// instead of its answer, with all that are under way on it.
    Lossy,
    /// New connections hear that there are too many.
    MaxClients,
    /// New connections hear that the password is wrong.
    WrongPassword,
    /// Every request takes longer.
    Slow,
    /// What is sent over connections that are idle now is swallowed. Has no length.
    SwallowIdle,
    /// Every connection is closed, on a healthy server. Has no length.
    Kill,
}

impl Fault {
    pub(crate) const LOSSY_TAKES: Duration = Duration::from_millis(20);
    pub(crate) const LOSSY_EVERY: u64 = 20;
}

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FaultAt {
    pub(crate) at: Moment,
    pub(crate) lasts: Duration,
    pub(crate) fault: Fault,
}

impl CallAt {
    /// A read that begins `at`, with the recommended deadline of a second.
    pub(crate) fn read(at: Moment) -> Self {
        Self {
            at,
            access: Access::Read,
            replay: Replay::Read,
            allowance: ReplayAllowance::default(),
            key: 0,
            span: millis(1_000),
            ride_out: millis(500),
            blocking: Blocking::No,
            must: Must::End,
        }
    }
}

impl FaultAt {
    pub(crate) fn end(&self) -> Moment {
        self.at + self.lasts
    }

    pub(crate) fn covers(&self, now: Moment) -> bool {
        self.at <= now && now < self.end()
    }
}

/// One call of the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CallAt {
    pub(crate) at: Moment,
    pub(crate) access: Access,
    pub(crate) replay: Replay,
    pub(crate) allowance: ReplayAllowance,
    pub(crate) key: u8,
    pub(crate) span: Duration,
    pub(crate) ride_out: Duration,
    pub(crate) blocking: Blocking,
    pub(crate) must: Must,
}

/// What is asked of a call's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Must {
    /// That it comes by the deadline.
    End,
    /// That it is an answer: nothing was wrong any more for long when the call began.
    BeAnswered,
}

/// One line of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Fault(FaultAt),
    Call(CallAt),
}

/// Whether the tender may read the server's own account of writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GateBy {
    Info,
    TrialWrites,
}

/// How many calls a connection carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carrying {
    /// One at a time.
    One,
    /// One connection carries all of them.
    All,
}

/// Everything that decides a run.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    pub(crate) seed: u64,
    pub(crate) gate_by: GateBy,
    pub(crate) pool_max: usize,
    pub(crate) carrying: Carrying,
    pub(crate) entries: Vec<Entry>,
}

/// How far apart kills are: the second probe of a suspicion comes within 30 ms of the first, so that no two kills meet
/// both.
pub(crate) const KILLS_APART: Duration = Duration::from_millis(50);

impl Schedule {
    /// The schedule of this seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let start = Moment::ORIGIN + Duration::from_secs(1_000) * (rng.below(2) as u32);
        let span = millis(500 + rng.below(1_000));
        let faults = match rng.below(5) {
            0 => kills(&mut rng, start, span),
            1 => one_long(&mut rng, start),
            2 => lost_replies(start, span),
            _ => mixed(&mut rng, start, span),
        };
        let calm = faults.iter().map(FaultAt::end).max().unwrap_or(start);
        let mut calls: Vec<_> = (0..20 + rng.below(40))
            .map(|_| call(&mut rng, start, span))
            .collect();
        if rng.below(8) == 0 {
            let at = start + rng.up_to(span);
            calls.extend((0..50).map(|_| CallAt {
                at: at + rng.up_to(millis(3)),
                ..call(&mut rng, at, span)
            }));
        }
        // Long after the last fault: whatever happened before, these two must be answered.
        for (access, replay) in [(Access::Read, Replay::Read), (Access::Write, Replay::Never)] {
            let at = calm.max(start + span) + millis(2_500);
            let (span, blocking, must) = (millis(1_000), Blocking::No, Must::BeAnswered);
            let any = call(&mut rng, start, span);
            calls.push(CallAt {
                at,
                access,
                replay,
                span,
                blocking,
                must,
                ..any
            });
        }
        // Apart from the seed's other chances, which stay as they were.
        let carrying = if Rng::new(!seed).below(3) == 0 {
            Carrying::All
        } else {
            Carrying::One
        };
        if carrying == Carrying::All {
            for call in &mut calls {
                // Blocking commands have connections of their own.
                call.blocking = Blocking::No;
            }
        }
        let entries = faults
            .into_iter()
            .map(Entry::Fault)
            .chain(calls.into_iter().map(Entry::Call))
            .collect();
        let gate_by = if rng.below(2) == 0 {
            GateBy::Info
        } else {
            GateBy::TrialWrites
        };
        Self {
            seed,
            gate_by,
            pool_max: 1 + rng.below(8) as usize,
            carrying,
            entries,
        }
    }

    /// One fault, and calls at an even pace that all look like `call`.
    pub(crate) fn crafted(seed: u64, fault: FaultAt, call: CallAt, every: Duration) -> Self {
        let mut entries = vec![Entry::Fault(fault)];
        let mut at = call.at;
        while at < fault.end() + call.span {
            entries.push(Entry::Call(CallAt { at, ..call }));
            at += every;
        }
        Self {
            seed,
            gate_by: GateBy::TrialWrites,
            pool_max: 8,
            carrying: Carrying::One,
            entries,
        }
    }

    /// The same, with one connection for all calls.
    pub(crate) fn shared(self) -> Self {
        Self {
            carrying: Carrying::All,
            ..self
        }
    }

    pub(crate) fn faults(&self) -> impl Iterator<Item = &FaultAt> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Fault(fault) => Some(fault),
            Entry::Call(_) => None,
        })
    }

    pub(crate) fn calls(&self) -> impl Iterator<Item = &CallAt> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Call(call) => Some(call),
            Entry::Fault(_) => None,
        })
    }

    /// From when on nothing is wrong any more.
    pub(crate) fn calm_from(&self) -> Moment {
        self.faults()
            .map(FaultAt::end)
            .max()
            .unwrap_or(Moment::ORIGIN)
    }

    /// Whether the server is healthy throughout, and only closes connections now and then.
    pub(crate) fn only_kills(&self) -> bool {
        let mut at: Vec<_> = self.faults().map(|fault| fault.at).collect();
        at.sort();
        self.faults().all(|fault| fault.fault == Fault::Kill)
            && at
                .windows(2)
                .all(|pair| pair[1].since(pair[0]) >= KILLS_APART)
    }
}

fn kills(rng: &mut Rng, start: Moment, span: Duration) -> Vec<FaultAt> {
    let mut at = start + rng.up_to(millis(60));
    let mut kills = Vec::new();
    while at < start + span {
        kills.push(FaultAt {
            at,
            lasts: Duration::ZERO,
            fault: Fault::Kill,
        });
        at = at + KILLS_APART + rng.up_to(millis(100));
    }
    kills
}

fn one_long(rng: &mut Rng, start: Moment) -> Vec<FaultAt> {
    let fault = [
        Fault::Restart,
        Fault::Freeze,
        Fault::Partition,
        Fault::Loading,
        Fault::SaveFailed,
        Fault::MaxClients,
        Fault::WrongPassword,
    ][rng.below(7) as usize];
    vec![FaultAt {
        at: start + rng.up_to(millis(200)),
        lasts: millis(800 + rng.below(3_000)),
        fault,
    }]
}

fn lost_replies(start: Moment, span: Duration) -> Vec<FaultAt> {
    vec![FaultAt {
        at: start,
        lasts: span,
        fault: Fault::LoseReplies,
    }]
}

fn mixed(rng: &mut Rng, start: Moment, span: Duration) -> Vec<FaultAt> {
    const KINDS: [Fault; 11] = [
        Fault::Restart,
        Fault::Freeze,
        Fault::Partition,
        Fault::Loading,
        Fault::SaveFailed,
        Fault::LoseReplies,
        Fault::MaxClients,
        Fault::WrongPassword,
        Fault::Slow,
        Fault::SwallowIdle,
        Fault::Kill,
    ];
    (0..=rng.below(8))
        .map(|_| {
            let fault = KINDS[rng.below(KINDS.len() as u64) as usize];
            let lasts = match fault {
                Fault::SwallowIdle | Fault::Kill => Duration::ZERO,
                _ => millis(1 + rng.below(500)),
            };
            FaultAt {
                at: start + rng.up_to(span),
                lasts,
                fault,
            }
        })
        .collect()
}

fn call(rng: &mut Rng, start: Moment, span: Duration) -> CallAt {
    let (access, replay) = match rng.below(10) {
        0..4 => (Access::Read, Replay::Read),
        4..6 => (Access::Write, Replay::Overwrite),
        6 => (Access::Write, Replay::SameState),
        _ => (Access::Write, Replay::Never),
    };
    let allowance = match rng.below(4) {
        0 => ReplayAllowance::Reads,
        1 => ReplayAllowance::SameState,
        _ => ReplayAllowance::Overwrites,
    };
    let blocking = match (replay, rng.below(12)) {
        (Replay::Never, 0) => Blocking::For(millis(1 + rng.below(800))),
        (Replay::Never, 1) => Blocking::UntilDown,
        _ => Blocking::No,
    };
    CallAt {
        at: start + rng.up_to(span),
        access,
        replay,
        allowance,
        key: rng.below(4) as u8,
        span: millis(50 + rng.below(1_200)),
        ride_out: millis(if rng.below(3) == 0 { 100 } else { 500 }),
        blocking,
        must: Must::End,
    }
}

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines: Vec<_> = self
            .entries
            .iter()
            .map(|entry| (at(entry), entry))
            .collect();
        lines.sort_by_key(|(at, _)| *at);
        writeln!(
            f,
            "seed {}, a pool of {}, a connection carries {:?}, gate by {:?}:",
            self.seed, self.pool_max, self.carrying, self.gate_by
        )?;
        for (at, entry) in lines {
            match entry {
                Entry::Fault(fault) => {
                    writeln!(f, "  {at} fault {:?} for {:?}", fault.fault, fault.lasts)?;
                }
                Entry::Call(call) => writeln!(
                    f,
                    "  {at} call {:?}, replay {}, allowed {:?}, key {}, within {:?}, ride-out {:?}, blocking {:?}",
                    call.access,
                    call.replay,
                    call.allowance,
                    call.key,
                    call.span,
                    call.ride_out,
                    call.blocking
                )?,
            }
        }
        Ok(())
    }
}

fn at(entry: &Entry) -> Moment {
    match entry {
        Entry::Fault(fault) => fault.at,
        Entry::Call(call) => call.at,
    }
}
