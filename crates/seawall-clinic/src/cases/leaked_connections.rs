//! Connections that nobody gives back.

use std::time::{Duration, Instant};

use seawall_doctor::Code;

use crate::case::Case;

/// So many the server lets in; one of them is the laboratory's own.
const ROOM: usize = 120;

/// Between the looks, so that what rests can be seen to rest.
const WHILE: Duration = Duration::from_millis(5_500);

pub(super) const CASE: Case = Case {
    name: "leaked-connections",
    story: "one process makes a client for each task and closes none, until the server has no more room",
    truth: &[Code(2)],
    also: &[Code(105)],
    act: |bed| {
        bed.server().config_set("maxclients", &ROOM.to_string())?;
        let mut tool = bed.client();
        tool.call(&["PING"]);
        for _ in 0..60 {
            let mut client = bed.client();
            client.call(&["GET", "key"]);
            bed.keep(client);
        }
        bed.look_at_last();
        let (began, tasks) = (Instant::now(), 70);
        for task in 1..=tasks {
            let mut client = bed.client();
            client.call(&["GET", "key"]);
            bed.keep(client);
            let due = began + WHILE * task / tasks;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        // Whoever looks now needs room for himself: something else gives its place up.
        tool.hang_up();
        bed.until("room for another client", |bed| {
            let clients = bed.server().info("clients")?;
            let connected = clients.get("connected_clients");
            Ok(connected
                .is_some_and(|count| count.parse::<usize>().is_ok_and(|count| count < ROOM)))
        })?;
        bed.look();
        bed.look_at_host();
        Ok(())
    },
    ..Case::PLAIN
};
