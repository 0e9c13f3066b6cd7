//! A GET of 16 bytes by 50 tasks on tokio, beside redis-rs's multiplexed connection and fred.

use std::time::Duration;

use fred::interfaces::ClientLike as _;
use tokio::runtime::{Builder, Runtime};

use crate::Result;
use crate::ground::{Ground, KEY, Placement, VALUE};
use crate::measure::{Contender, Pace, compare};
use crate::report::{Table, Unit};

const OURS: &str = "seawall::asynchronous";
const REDIS_RS: &str = "redis-rs multiplexed";
const FRED: &str = "fred";

/// Tasks that call at a time, each as soon as it is answered.
const TASKS: u64 = 50;

/// Worker threads of the second runtime.
const WORKERS: usize = 2;

/// On a runtime of one thread, on one core and apart; and on one of two threads.
pub(crate) fn run(ground: &Ground, scale: f64) -> Result<Vec<Table>> {
    let pace = Pace {
        turn: Duration::from_millis(100),
        rounds: (30.0 * scale).ceil() as usize,
    };
    let mut tables = Vec::new();
    for placement in [Placement::Together, Placement::Apart] {
        let title = format!("GET by {TASKS} tasks, current-thread runtime");
        if let Some(words) = ground.place(placement)? {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            tables.push(one(ground, &runtime, title, words, pace)?);
        }
    }
    if let Some(words) = ground.place(Placement::Free)? {
        let title = format!("GET by {TASKS} tasks, runtime of {WORKERS} threads");
        let runtime = Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .enable_all()
            .build()?;
        tables.push(one(ground, &runtime, title, words, pace)?);
    }
    Ok(tables)
}

fn one(
    ground: &Ground,
    runtime: &Runtime,
    title: String,
    words: String,
    pace: Pace,
) -> Result<Table> {
    let redis_rs = runtime.block_on(redis_rs(ground))?;
    let fred = runtime.block_on(fred(ground))?;
    let mut contenders = [
        tasks(REDIS_RS, runtime, redis_rs),
        tasks(FRED, runtime, fred.clone()),
        tasks(
            OURS,
            runtime,
            seawall::asynchronous::Client::open(&ground.url())?,
        ),
    ];
    let measured = compare(&mut contenders, pace, Some(&|| ground.server_time()))?;
    drop(contenders);
    runtime.block_on(fred.quit())?;
    Ok(Table::new(title, words, Unit::Us, &measured)
        .figure(&measured, OURS, REDIS_RS, 1.0)
        .figure(&measured, OURS, FRED, 1.0))
}

/// A connection, or a handle of one, that many tasks share.
trait Shared: Clone + Send + 'static {
    fn get(&mut self) -> impl Future<Output = Result<Vec<u8>>> + Send;
}

impl Shared for redis::aio::MultiplexedConnection {
    async fn get(&mut self) -> Result<Vec<u8>> {
        Ok(redis::AsyncCommands::get(self, KEY).await?)
    }
}

impl Shared for fred::clients::Client {
    async fn get(&mut self) -> Result<Vec<u8>> {
        Ok(fred::interfaces::KeysInterface::get(self, KEY).await?)
    }
}

impl Shared for seawall::asynchronous::Client {
    async fn get(&mut self) -> Result<Vec<u8>> {
        Ok(Self::get(self, KEY).await?)
    }
}

async fn redis_rs(ground: &Ground) -> Result<redis::aio::MultiplexedConnection> {
    let client = redis::Client::open(ground.url())?;
    Ok(client.get_multiplexed_async_connection().await?)
}

async fn fred(ground: &Ground) -> Result<fred::clients::Client> {
    let config = fred::types::config::Config::from_url(&ground.url())?;
    let client = fred::types::Builder::from_config(config).build()?;
    client.init().await?;
    Ok(client)
}

/// A contender whose calls are shared out to tasks on one connection.
fn tasks<'a>(name: &str, runtime: &'a Runtime, shared: impl Shared) -> Contender<'a> {
    Contender::new(name, move |calls| {
        let share = calls / TASKS;
        runtime.block_on(async {
            let running: Vec<_> = (0..TASKS)
                .map(|_| tokio::spawn(task(shared.clone(), share)))
                .collect();
            for task in running {
                task.await??;
            }
            Ok(())
        })
    })
}

async fn task(mut shared: impl Shared, calls: u64) -> Result<()> {
    for _ in 0..calls {
        // What is compared must be right: a wrong answer would be a fast one.
        if shared.get().await? != VALUE {
            return Err("the reply is not the value that was set".into());
        }
    }
    Ok(())
}
