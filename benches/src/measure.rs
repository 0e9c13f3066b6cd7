//! Contenders side by side: in one run, in turns, so that whatever disturbs the machine disturbs all of them.

use std::hint::black_box;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::Result;

/// Something that can be called many times.
pub(crate) struct Contender<'a> {
    pub(crate) name: String,
    run: Box<dyn FnMut(u64) -> Result<()> + 'a>,
}

impl<'a> Contender<'a> {
    /// One that does `calls` calls, however it likes.
    pub(crate) fn new(name: impl Into<String>, run: impl FnMut(u64) -> Result<()> + 'a) -> Self {
        Self {
            name: name.into(),
            run: Box::new(run),
        }
    }

    /// One whose call is `call`, repeated in a loop; what it returns is kept from the optimiser.
    pub(crate) fn repeating<T>(name: impl Into<String>, mut call: impl FnMut() -> T + 'a) -> Self {
        Self::new(name, move |calls| {
            for _ in 0..calls {
                black_box(call());
            }
            Ok(())
        })
    }

    /// The same for a call that can fail; the first failure ends the run.
    pub(crate) fn trying<T>(
        name: impl Into<String>,
        mut call: impl FnMut() -> Result<T> + 'a,
    ) -> Self {
        Self::new(name, move |calls| {
            for _ in 0..calls {
                black_box(call()?);
            }
            Ok(())
        })
    }
}

/// How long and how often each contender runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// What one turn takes, about.
    pub(crate) turn: Duration,
    /// Turns of each contender that count; what comes before is warming up.
    pub(crate) rounds: usize,
}

/// What one contender's turns gave: entry `i` of two contenders was measured in the same round.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) name: String,
    /// By the clock on the wall.
    pub(crate) wall: Series,
    /// Processor time of this process, all its threads together.
    pub(crate) client: Series,
    /// Processor time of the server, if there is one.
    pub(crate) server: Series,
}

/// Nanoseconds a call, turn by turn.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series(Vec<f64>);

/// Where the middle half of some measurements lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) low: f64,
    pub(crate) median: f64,
    pub(crate) high: f64,
}

impl Series {
    /// The middle half of the turns.
    pub(crate) fn spread(&self) -> Spread {
        Spread::of(&self.0)
    }

    /// How many times as long as `base` it took, compared round by round.
    pub(crate) fn times(&self, base: &Self) -> Spread {
        let ratios: Vec<f64> = self.0.iter().zip(&base.0).map(|(a, b)| a / b).collect();
        Spread::of(&ratios)
    }
}

impl Spread {
    /// Quartiles, each the nearest measurement.
    fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |quarters: usize| {
            let last = sorted.len().saturating_sub(1);
            sorted
                .get((last * quarters + 2) / 4)
                .copied()
                .unwrap_or(f64::NAN)
        };
        Self {
            low: at(1),
            median: at(2),
            high: at(3),
        }
    }
}

/// Says how much processor time the server has used so far.
pub(crate) type ServerTime<'a> = &'a dyn Fn() -> Result<Duration>;

/// Lets the contenders run in turns, each round beginning with another of them.
pub(crate) fn compare(
    contenders: &mut [Contender<'_>],
    pace: Pace,
    server: Option<ServerTime<'_>>,
) -> Result<Vec<Measured>> {
    let server = || server.map_or(Ok(Duration::ZERO), |time| time());
    let mut calls = Vec::with_capacity(contenders.len());
    let mut measured = Vec::with_capacity(contenders.len());
    for contender in contenders.iter_mut() {
        calls.push(calls_a_turn(contender, pace.turn)?);
        measured.push(Measured {
            name: contender.name.clone(),
            wall: Series::default(),
            client: Series::default(),
            server: Series::default(),
        });
    }
    for round in 0..pace.rounds {
        for place in 0..contenders.len() {
            let which = (place + round) % contenders.len();
            let (of_server, of_client, wall) = (server()?, processor_time(), Instant::now());
            (contenders[which].run)(calls[which])?;
            let (wall, of_client) = (wall.elapsed(), processor_time().saturating_sub(of_client));
            let of_server = server()?.saturating_sub(of_server);
            let each = |time: Duration| time.as_nanos() as f64 / calls[which] as f64;
            measured[which].wall.0.push(each(wall));
            measured[which].client.0.push(each(of_client));
            measured[which].server.0.push(each(of_server));
        }
    }
    Ok(measured)
}

/// How many calls fill a turn; finding out also warms caches, pools and branch predictors.
fn calls_a_turn(contender: &mut Contender<'_>, span: Duration) -> Result<u64> {
    let wanted = span.as_nanos() as f64;
    // A multiple of the tasks and threads that share the calls of a turn.
    let mut calls: u64 = 400;
    loop {
        let began = Instant::now();
        (contender.run)(calls)?;
        let took = began.elapsed().as_nanos() as f64;
        if took >= wanted / 4.0 {
            let fitting = (calls as f64 * wanted / took) as u64;
            return Ok((fitting / 400).max(1) * 400);
        }
        calls *= 4;
    }
}

/// What all threads of this process have used so far.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_are_measurements_of_the_middle_half() {
        let spread = Spread::of(&[9.0, 1.0, 5.0, 3.0, 7.0]);
        assert_eq!((spread.low, spread.median, spread.high), (3.0, 5.0, 7.0));
    }

    #[test]
    fn ratios_pair_the_turns_of_one_round() {
        // The second round was disturbed, and both suffered.
        let (slow, base) = (Series(vec![2.0, 20.0, 2.0]), Series(vec![1.0, 10.0, 1.0]));
        let twice = Spread {
            low: 2.0,
            median: 2.0,
            high: 2.0,
        };
        assert_eq!(slow.times(&base), twice);
    }

    #[test]
    fn every_contender_has_a_turn_in_every_round() {
        let pace = Pace {
            turn: Duration::from_micros(1),
            rounds: 5,
        };
        let mut contenders = [
            Contender::repeating("a", || 1),
            Contender::repeating("b", || 2),
        ];
        let measured = compare(&mut contenders, pace, None).expect("nothing fails");
        let turns = |each: &Measured| (each.wall.0.len(), each.client.0.len());
        assert!(measured.iter().all(|each| turns(each) == (5, 5)));
    }

    #[test]
    fn a_failing_call_ends_the_run() {
        let mut contenders = [Contender::trying("broken", || Err::<(), _>("no".into()))];
        let pace = Pace {
            turn: Duration::from_micros(1),
            rounds: 1,
        };
        assert!(compare(&mut contenders, pace, None).is_err());
    }
}
