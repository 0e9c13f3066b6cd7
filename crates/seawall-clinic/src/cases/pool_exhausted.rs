//! A pool with fewer connections than calls.

use seawall_doctor::Code;

use crate::case::Case;
use crate::python::Application;

pub(super) const CASE: Case = Case {
    name: "pool-exhausted",
    story: "blocking reads hold all connections of redis-py's own pool, and requests find none",
    truth: &[Code(1)],
    act: |bed| {
        let application = Application::start(bed, include_str!("pool_exhausted.py"))?;
        bed.until("three blocked clients", |bed| {
            let clients = bed.server().info("clients")?;
            Ok(clients
                .get("blocked_clients")
                .is_some_and(|count| count == "3"))
        })?;
        bed.look_now();
        bed.server().command(&[b"RPUSH", b"looked", b"1"])?;
        let log = application.log()?;
        bed.log().append(&log);
        Ok(())
    },
    ..Case::PLAIN
};
