//! What deciding costs: the engine's decisions on a call that goes well, beside circuit breakers around nothing.

use std::convert::Infallible;
use std::hint::black_box;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use failsafe::CircuitBreaker;
use rustix::time::{ClockId, clock_gettime};
use seawall::guard::{BreakerSettings, Guard, GuardSettings, Slow};
use seawall_model::Moment;
use seawall_policy::ageing::{Ageing, AgeingSettings, Life};
use seawall_policy::budget::{Budget, BudgetSettings};
use seawall_policy::health::{Admission, Answered, Health, HealthSettings};
use seawall_wire::facts::Access;

use crate::Result;
use crate::ground::Cores;
use crate::measure::{Contender, Pace, compare};
use crate::report::{Table, Unit};

const CLOCK: &str = "clock read (boot clock)";
const DECIDE: &str = "seawall: decisions, locks and clocks";
const GUARD: &str = "seawall: guard";

/// Seawall's rows, the peers', and the clock read by which DESIGN counts.
pub(crate) fn run(cores: Cores, scale: f64) -> Result<Vec<Table>> {
    let placement = cores.pin_client()?;
    let pace = Pace {
        turn: Duration::from_millis(5),
        rounds: (60.0 * scale).ceil() as usize,
    };
    let mut given = Decisions::new();
    let mut at = now();
    let guarded = Mutex::new(Decisions::new());
    let guard = Guard::new("nothing", GuardSettings::default());
    let timed = Guard::new(
        "nothing",
        GuardSettings {
            breaker: BreakerSettings {
                slow: Some(Slow {
                    after: Duration::from_secs(1),
                    share: 0.5,
                }),
                ..BreakerSettings::default()
            },
            again: None,
        },
    );
    let failsafe = failsafe::Config::new().build();
    let recloser = recloser::Recloser::default();
    let mut contenders = [
        Contender::repeating(CLOCK, now),
        Contender::repeating("clock read (Instant)", Instant::now),
        Contender::repeating("seawall: decisions, moments given", move || {
            at += Duration::from_micros(1);
            let admission = given.before(at);
            given.after(at, at);
            admission
        }),
        Contender::repeating(DECIDE, || decide(&guarded, nothing)),
        Contender::repeating(GUARD, || guard.call(nothing).is_ok()),
        Contender::repeating("seawall: guard that looks for slow calls", || {
            timed.call(nothing).is_ok()
        }),
        Contender::repeating("failsafe: call", || failsafe.call(nothing).is_ok()),
        Contender::repeating("recloser: call", || recloser.call(nothing).is_ok()),
    ];
    let measured = compare(&mut contenders, pace, None)?;
    let table = Table::new(
        "Deciding on one call that goes well",
        placement,
        Unit::Ns,
        &measured,
    );
    Ok(vec![
        table
            .figure(&measured, DECIDE, CLOCK, 4.0)
            .figure(&measured, GUARD, CLOCK, 4.0)
            .figure(&measured, GUARD, "failsafe: call", 1.0)
            .figure(&measured, GUARD, "recloser: call", 1.0),
    ])
}

/// What is guarded: nothing, which the optimiser must not know.
fn nothing() -> std::result::Result<u64, Infallible> {
    black_box(Ok(1))
}

/// A call as the engine treats it: decide under the lock, call, report under the lock; the clock is read before each.
fn decide(
    decisions: &Mutex<Decisions>,
    call: impl FnOnce() -> std::result::Result<u64, Infallible>,
) -> Option<u64> {
    let lock = || decisions.lock().unwrap_or_else(PoisonError::into_inner);
    let began = now();
    if lock().before(began) != Admission::Send {
        return None;
    }
    let answer = call();
    let ended = now();
    lock().after(began, ended);
    answer.ok()
}

/// What the ledger asks of the policies for a call on a pooled connection.
struct Decisions {
    health: Health,
    budget: Budget,
    ageing: Ageing,
    life: Life,
}

impl Decisions {
    fn new() -> Self {
        let established = now();
        let mut health = Health::new(HealthSettings::default(), 1);
        health.dialled(established, Some(1));
        Self {
            health,
            budget: Budget::new(BudgetSettings::default()),
            ageing: Ageing::new(AgeingSettings::default(), 1),
            life: Life {
                established,
                last_used: established,
                server_timeout: None,
            },
        }
    }

    fn before(&mut self, now: Moment) -> Admission {
        self.budget.call(now);
        let ride_out = self.health.settings().ride_out_default;
        let admission = self.health.admit_established(now, Access::Read, ride_out);
        if self.ageing.retire(now, self.life).is_some() {
            self.life.established = now;
        }
        admission
    }

    fn after(&mut self, sent_at: Moment, now: Moment) {
        let reply = Answered {
            established_at: self.life.established,
            sent_at,
            access: Access::Read,
        };
        black_box(self.health.replied(now, reply));
        self.life.last_used = now;
        black_box(self.ageing.retire(now, self.life));
    }
}

fn now() -> Moment {
    let time = clock_gettime(ClockId::Boottime);
    Moment::from_nanos(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}
