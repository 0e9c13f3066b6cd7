//! Calls that begin without a task, on a loop of threads: what becomes of those that do not simply go well.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use futures_channel::oneshot::{self, Receiver};
use seawall_model::Cause;
use seawall_wire::error::ServerError;
use seawall_wire::{Limits, Value};

use crate::asynchronous::runtime::sleep;
use crate::asynchronous::{Begun, Client, Pending, Threads};
use crate::command::Cmd;
use crate::error::Error;

type Outcome = Result<Value, (Error, Option<ServerError>)>;

/// Shorter than a call may wait for the reason of its loss.
const GREETING: Duration = Duration::from_millis(90);

/// Answers like a server, but for some commands: it closes at the first STRLEN, and is silent from the first TTL on, and from
/// each INCR, on that connection. Then it takes its time to greet, as always with PTTL. Counts the commands named ECHO.
fn peer(listener: &TcpListener, echoes: &Arc<AtomicUsize>) {
    let faults = Arc::new(AtomicUsize::new(0));
    while let Ok((stream, _)) = listener.accept() {
        let (echoes, faults) = (Arc::clone(echoes), Arc::clone(&faults));
        thread::spawn(move || converse(&stream, &echoes, &faults));
    }
}

fn converse(mut stream: &TcpStream, echoes: &AtomicUsize, faults: &AtomicUsize) -> Option<()> {
    let (mut unread, mut bytes) = (Vec::new(), [0; 4096]);
    let mut mute = false;
    loop {
        let came = stream.read(&mut bytes).ok().filter(|came| *came > 0)?;
        unread.extend_from_slice(&bytes[..came]);
        while let Ok((Value::Array(words), length)) = Value::decode(&unread, &Limits::default()) {
            unread.drain(..length);
            let name = words.first().and_then(Value::as_bytes);
            let first = |faults: &AtomicUsize| faults.fetch_add(1, Ordering::Relaxed) == 0;
            let reply: &[u8] = match name {
                Some(b"HELLO") => {
                    if faults.load(Ordering::Relaxed) > 0 {
                        thread::sleep(GREETING);
                    }
                    b"%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n"
                }
                Some(b"INFO") => b"$13\r\nrun_id:fake\r\n\r\n",
                Some(b"LLEN") => b"-WRONGTYPE not a list\r\n",
                Some(b"STRLEN") if first(faults) => return None,
                Some(b"TTL") if first(faults) => {
                    mute = true;
                    b""
                }
                Some(b"INCR") => {
                    mute = true;
                    b""
                }
                Some(b"PTTL") => {
                    thread::sleep(GREETING);
                    b":7\r\n"
                }
                Some(b"STRLEN" | b"TTL") => b":7\r\n",
                Some(b"ECHO") => {
                    echoes.fetch_add(1, Ordering::Relaxed);
                    b"+heard\r\n"
                }
                _ => b"+OK\r\n",
            };
            if !mute {
                stream.write_all(reply).ok()?;
            }
        }
    }
}

struct World {
    client: Client,
    threads: Arc<Threads>,
    echoes: Arc<AtomicUsize>,
}

impl World {
    /// A client whose shared connection is up.
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr: SocketAddr = listener.local_addr().expect("an address");
        let echoes = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&echoes);
        thread::spawn(move || peer(&listener, &counted));
        let url = format!("redis://{addr}/0?deadline=3s&ride_out=3s");
        let world = Self {
            client: Client::open(&url).expect("the URL is right"),
            threads: Threads::new().expect("descriptors"),
            echoes,
        };
        world.run(async { world.client.ping().await.expect("a server") });
        world
    }

    /// The same, with another deadline.
    fn within(&self, deadline: Duration) -> Self {
        Self {
            client: self.client.within(deadline),
            threads: Arc::clone(&self.threads),
            echoes: Arc::clone(&self.echoes),
        }
    }

    fn run<T>(&self, work: impl Future<Output = T>) -> T {
        let outcome = self.threads.block_on(None, work);
        outcome.unwrap_or_else(|_| panic!("nobody interrupts"))
    }

    /// Begins a call that can go at once.
    fn begin(&self, cmd: Cmd) -> (Pending, Receiver<Outcome>) {
        let (tell, told) = oneshot::channel();
        let told_by = move |outcome| drop(tell.send(outcome));
        match self.client.clone().begin(cmd, told_by) {
            Begun::AtOnce(pending) => (pending, told),
            Begun::Task(_) => panic!("the shared connection is up"),
        }
    }
}

fn of_key(name: &str) -> Cmd {
    Cmd::new(name).arg("key")
}

#[test]
fn a_reply_goes_straight_to_its_caller() {
    let world = World::new();
    world.run(async {
        let calls: Vec<_> = (0..20).map(|_| world.begin(of_key("ECHO"))).collect();
        for (_, told) in calls {
            assert_eq!(
                told.await.expect("told").expect("answered"),
                Value::Simple("heard".into())
            );
        }
    });
    let stats = world.client.stats();
    assert_eq!((stats.calls, stats.answered, stats.dialled), (21, 21, 1));
}

#[test]
fn an_error_says_what_it_is() {
    let world = World::new();
    let outcome = world.run(async { world.begin(of_key("LLEN")).1.await.expect("told") });
    let (error, refusal) = outcome.expect_err("an error");
    assert_eq!(error.cause(), Cause::CommandError);
    assert_eq!(
        &*refusal.expect("its words").message,
        "WRONGTYPE not a list"
    );
}

#[test]
fn a_call_whose_connection_is_lost_goes_again() {
    let world = World::new();
    world.run(async {
        let (_, lost) = world.begin(of_key("STRLEN"));
        let (_, behind) = world.begin(of_key("STRLEN"));
        for told in [lost, behind] {
            assert_eq!(told.await.expect("told").expect("answered"), Value::Int(7));
        }
    });
}

#[test]
fn a_call_whose_reply_is_overdue_leaves_its_connection() {
    let world = World::new();
    world.run(async {
        let (_, told) = world.begin(of_key("TTL"));
        assert_eq!(told.await.expect("told").expect("answered"), Value::Int(7));
    });
}

#[test]
fn the_deadline_is_kept_without_a_task_too() {
    let world = World::new().within(Duration::from_millis(60));
    let outcome = world.run(async { world.begin(of_key("TTL")).1.await.expect("told") });
    assert_eq!(
        outcome.expect_err("too late").0.cause(),
        Cause::ReplyTimeout
    );
}

#[test]
fn what_is_given_up_before_it_is_written_is_never_sent() {
    let world = World::new();
    world.run(async {
        let (given_up, told) = world.begin(of_key("ECHO"));
        let (_, kept) = world.begin(of_key("ECHO"));
        given_up.give_up();
        assert!(told.await.is_err(), "nobody is told");
        kept.await.expect("told").expect("answered");
    });
    assert_eq!(world.echoes.load(Ordering::Relaxed), 1);
}

#[test]
fn what_is_given_up_later_leaves_everybody_his_own_reply() {
    let world = World::new();
    world.run(async {
        let (given_up, told) = world.begin(of_key("ECHO"));
        let (_, kept) = world.begin(of_key("STRLEN"));
        // Both are on their way.
        sleep(Duration::from_millis(1)).await;
        given_up.give_up();
        given_up.give_up();
        drop(told);
        assert_eq!(kept.await.expect("told").expect("answered"), Value::Int(7));
    });
}

#[test]
fn what_is_given_up_while_the_server_is_asked_why_does_not_go_again() {
    let world = World::new();
    world.run(async {
        let (_, lost) = world.begin(of_key("STRLEN"));
        let (given_up, told) = world.begin(of_key("ECHO"));
        // Their connection is lost, and the reason not known yet.
        sleep(GREETING / 3).await;
        given_up.give_up();
        assert!(told.await.is_err(), "nobody is told");
        assert_eq!(lost.await.expect("told").expect("answered"), Value::Int(7));
    });
    assert_eq!(world.echoes.load(Ordering::Relaxed), 0);
}

#[test]
fn the_deadline_is_kept_while_the_server_is_asked_why() {
    let world = World::new();
    let hurried = world.within(GREETING / 3);
    world.run(async {
        let (_, mut first) = world.begin(of_key("STRLEN"));
        let (_, second) = hurried.begin(of_key("STRLEN"));
        let (error, _) = second.await.expect("told").expect_err("too late");
        assert_eq!(error.cause(), Cause::ClosedByServer);
        assert!(
            matches!(first.try_recv(), Ok(None)),
            "the reason is not known yet"
        );
        assert_eq!(first.await.expect("told").expect("answered"), Value::Int(7));
    });
}

#[test]
fn what_has_a_task_by_now_can_still_be_given_up() {
    let world = World::new();
    world.run(async {
        // It may have run, and stays where it is.
        let (given_up, told) = world.begin(of_key("INCR"));
        sleep(Duration::from_millis(400)).await;
        given_up.give_up();
        assert!(told.await.is_err(), "nobody is told");
    });
}

#[test]
fn a_call_that_has_failed_is_not_answered_by_a_late_reply() {
    let world = World::new();
    let hurried = world.within(GREETING / 3);
    world.run(async {
        let (_, late) = hurried.begin(of_key("PTTL"));
        let (_, told) = world.begin(of_key("ECHO"));
        late.await.expect("told").expect_err("too late");
        // It goes on: this one waits on the same connection.
        drop(told.await.expect("told").expect("answered"));
    });
    let stats = world.client.stats();
    assert_eq!(
        (stats.calls, stats.answered, stats.failed.total()),
        (3, 2, 1)
    );
}
