//! A process that stands still for a while: what came in time counts, though it is read late.

use std::process::{Child, Command, id};
use std::thread;
use std::time::Duration;

use seawall::{Cmd, asynchronous};
use seawall_lab::world::Server;

use crate::alone::alone;
use crate::ground::{client, server, url};

/// Has the server answer in 300 ms, and this process stopped from 100 ms until 900 ms from now.
fn stand_still_while_answered(server: &Server) -> (Child, thread::JoinHandle<()>) {
    let blocker = client(server.addr(), "deadline=10s&ride_out=10s");
    blocker.ping().expect("an answer");
    let sleeper = thread::spawn(move || {
        let sleep = Cmd::new("DEBUG").arg("SLEEP").arg("0.3");
        blocker.call::<()>(&sleep).expect("an answer");
    });
    let script = format!("sleep 0.1; kill -STOP {0}; sleep 0.8; kill -CONT {0}", id());
    let stopper = Command::new("sh").args(["-c", &script]).spawn();
    thread::sleep(Duration::from_millis(30));
    (stopper.expect("a shell"), sleeper)
}

#[test]
fn a_thread_takes_the_reply_that_came_while_its_process_stood_still() {
    alone(
        "stopped::a_thread_takes_the_reply_that_came_while_its_process_stood_still",
        || {
            let server = server();
            let client = client(server.addr(), "deadline=500ms");
            client.set("k", "v").expect("an answer");
            for _ in 0..3 {
                let (mut stopper, sleeper) = stand_still_while_answered(&server);
                let value = client.get::<String>("k");
                assert_eq!(value.expect("it came in time"), "v");
                stopper.wait().expect("it ends");
                sleeper.join().expect("it went well");
            }
            let stats = client.stats();
            assert_eq!((stats.outages, stats.dialled), (0, 1), "{stats:?}");
        },
    );
}

#[test]
fn a_task_takes_the_reply_that_came_while_its_process_stood_still() {
    alone(
        "stopped::a_task_takes_the_reply_that_came_while_its_process_stood_still",
        || {
            let server = server();
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(4)
                .enable_all()
                .build()
                .expect("a runtime");
            let client = asynchronous::Client::open(&url(server.addr(), "deadline=500ms"))
                .expect("the URL is right");
            runtime.block_on(async {
                client.set("k", "v").await.expect("an answer");
                for _ in 0..3 {
                    let (mut stopper, sleeper) = stand_still_while_answered(&server);
                    let calls: Vec<_> = (0..20)
                        .map(|_| {
                            let client = client.clone();
                            tokio::spawn(async move { client.get::<String>("k").await })
                        })
                        .collect();
                    for call in calls {
                        let value = call.await.expect("no panic");
                        assert_eq!(value.expect("it came in time"), "v");
                    }
                    stopper.wait().expect("it ends");
                    sleeper.join().expect("it went well");
                }
            });
            assert_eq!(client.stats().outages, 0);
        },
    );
}
