//! Servers under load with which nothing is wrong: the doctor has nothing to say.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use seawall_doctor::diagnose;
use seawall_lab::world::ServerBinary;

use crate::bed::Bed;
use crate::case::Trouble;
use crate::client::Client;
use crate::verdict::{Told, told};

mod loads;

/// How long each is under load.
const LASTS: Duration = Duration::from_millis(700);

/// A server with which nothing is wrong.
pub struct Healthy {
    /// Its name: kebab-case.
    pub name: &'static str,
    /// What it is configured with.
    pub config: &'static [(&'static str, &'static str)],
    /// Before the load.
    prepare: fn(&mut Bed<'_>) -> Result<(), Trouble>,
    /// Each of these goes on at the same time on a connection of its own, again and again.
    load: &'static [fn(&mut Client, u64)],
    /// Once, in the middle of it.
    midway: fn(&Bed<'_>) -> Result<(), Trouble>,
}

impl std::fmt::Debug for Healthy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Healthy")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

pub use loads::ALL;

/// What the doctor said of a server with which nothing is wrong.
#[derive(Debug)]
pub struct Calm {
    /// Which.
    pub server: &'static Healthy,
    /// What was told, and the first screen.
    pub result: Result<(Vec<Told>, String), Trouble>,
    /// How many rounds of its load there were.
    pub rounds: u64,
}

impl Calm {
    /// Whether it said nothing at all, not even of a risk.
    pub fn is_silent(&self) -> bool {
        match &self.result {
            Ok((told, _)) => told.is_empty(),
            Err(Trouble::LeftOut(_)) => true,
            Err(_) => false,
        }
    }
}

impl Healthy {
    /// Runs it, and asks the doctor.
    pub fn run(&'static self, binary: &ServerBinary) -> Calm {
        let mut rounds = 0;
        let result = self.told(binary, &mut rounds);
        Calm {
            server: self,
            result,
            rounds,
        }
    }

    fn told(
        &self,
        binary: &ServerBinary,
        rounds: &mut u64,
    ) -> Result<(Vec<Told>, String), Trouble> {
        let mut bed = Bed::new(binary, None, self.config)?;
        (self.prepare)(&mut bed)?;
        bed.look();
        *rounds = self.under_load(&bed)?;
        let diagnosis = diagnose(bed.collected()?);
        Ok((
            told(&diagnosis),
            seawall_doctor::report::text(&diagnosis, false),
        ))
    }

    fn under_load(&self, bed: &Bed<'_>) -> Result<u64, Trouble> {
        let over = AtomicBool::new(false);
        let mut clients: Vec<_> = self
            .load
            .iter()
            .map(|load| (load, bed.client().patience_ms(5_000)))
            .collect();
        std::thread::scope(|scope| {
            let threads: Vec<_> = clients
                .iter_mut()
                .map(|(load, client)| {
                    let over = &over;
                    scope.spawn(move || {
                        let mut round = 0;
                        while !over.load(Ordering::Relaxed) {
                            load(client, round);
                            round += 1;
                        }
                        round
                    })
                })
                .collect();
            std::thread::sleep(LASTS / 2);
            let midway = (self.midway)(bed);
            let rest = Instant::now() + LASTS / 2;
            std::thread::sleep(rest.saturating_duration_since(Instant::now()));
            over.store(true, Ordering::Relaxed);
            let rounds = threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or(0))
                .sum();
            midway.map(|()| rounds)
        })
    }
}
