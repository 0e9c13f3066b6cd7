//! The server closes what rests.

use std::time::Duration;

use seawall_doctor::Code;

use crate::case::Case;

pub(super) const CASE: Case = Case {
    name: "server-timeout",
    story: "the server's `timeout` ends connections that rest in a pool",
    truth: &[Code(201)],
    // Its lines on that are verbose.
    config: &[("timeout", "1"), ("loglevel", "verbose")],
    act: |bed| {
        let mut pool: Vec<_> = (0..4).map(|_| bed.client()).collect();
        for client in &mut pool {
            client.call(&["PING"]);
        }
        std::thread::sleep(Duration::from_millis(2_500));
        bed.until_said("Closing idle client")?;
        for client in &mut pool {
            client.call(&["PING"]);
        }
        Ok(())
    },
    ..Case::PLAIN
};
