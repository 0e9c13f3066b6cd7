//! A GET of 16 bytes by threads that block, beside a bare socket loop and redis-rs.

mod bare;

use std::thread;
use std::time::Duration;

use bare::Bare;
use seawall::blocking::Client;

use crate::Result;
use crate::ground::{Ground, KEY, Placement, VALUE};
use crate::measure::{Contender, Pace, compare};
use crate::report::{Table, Unit};

const BARE: &str = "bare socket loop";
const OURS: &str = "seawall::blocking";
const REDIS_RS: &str = "redis-rs Connection";

/// Threads in the second pair of tables; as many as the pool has connections by default.
const THREADS: usize = 8;

/// One thread and eight, on one core and apart.
pub(crate) fn run(ground: &Ground, scale: f64) -> Result<Vec<Table>> {
    let pace = Pace {
        turn: Duration::from_millis(100),
        rounds: (40.0 * scale).ceil() as usize,
    };
    let mut tables = Vec::new();
    for threads in [1, THREADS] {
        let client = Client::open(&ground.url())?;
        for placement in [Placement::Together, Placement::Apart] {
            if let Some(words) = ground.place(placement)? {
                tables.push(one(ground, &client, threads, placement, words, pace)?);
            }
        }
    }
    Ok(tables)
}

fn one(
    ground: &Ground,
    client: &Client,
    threads: usize,
    placement: Placement,
    words: String,
    pace: Pace,
) -> Result<Table> {
    let url = ground.url();
    let bare = many(threads, || Ok(Bare::connect(ground.addr(), KEY)?))?;
    let ours = many(threads, || Ok(client.clone()))?;
    let redis_rs = many(threads, || {
        Ok(redis::Client::open(url.as_str())?.get_connection()?)
    })?;
    let mut contenders = [
        threaded(BARE, bare, |bare| same(bare.get()?)),
        threaded(OURS, ours, |client| same(&client.get::<Vec<u8>>(KEY)?)),
        threaded(REDIS_RS, redis_rs, |connection| {
            let value: Vec<u8> = redis::Commands::get(connection, KEY)?;
            same(&value)
        }),
    ];
    let measured = compare(&mut contenders, pace, Some(&|| ground.server_time()))?;
    let title = match threads {
        1 => "Blocking GET, 1 thread".to_owned(),
        many => format!("Blocking GET, {many} threads"),
    };
    let table = Table::new(title, words, Unit::Us, &measured);
    Ok(match (threads, placement) {
        (1, Placement::Together) => table.figure(&measured, OURS, BARE, 1.2),
        _ => table,
    })
}

fn many<T>(threads: usize, mut make: impl FnMut() -> Result<T>) -> Result<Vec<T>> {
    (0..threads).map(|_| make()).collect()
}

/// A contender whose calls are shared out to as many threads as there are `states`, each with its own.
fn threaded<'a, T: Send + 'a>(
    name: &str,
    mut states: Vec<T>,
    call: impl Fn(&mut T) -> Result<()> + Send + Sync + 'a,
) -> Contender<'a> {
    if states.len() == 1
        && let Some(mut state) = states.pop()
    {
        return Contender::trying(name, move || call(&mut state));
    }
    Contender::new(name, move |calls| {
        let share = calls / states.len() as u64;
        let call = &call;
        thread::scope(|scope| {
            let running: Vec<_> = states
                .iter_mut()
                .map(|state| scope.spawn(move || (0..share).try_for_each(|_| call(state))))
                .collect();
            running.into_iter().try_for_each(|thread| {
                let ended = thread.join();
                ended.unwrap_or_else(|_| Err("a thread panicked".into()))
            })
        })
    })
}

/// What is compared must be right: a wrong answer would be a fast one.
fn same(value: &[u8]) -> Result<()> {
    if value == VALUE {
        Ok(())
    } else {
        Err("the reply is not the value that was set".into())
    }
}
