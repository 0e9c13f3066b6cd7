//! A port on which nothing listens.

use std::net::TcpListener;

use seawall_doctor::Code;

use crate::case::Case;

pub(super) const CASE: Case = Case {
    name: "wrong-port",
    story: "the application's URL has a port on which nothing listens",
    truth: &[Code(101)],
    act: |bed| {
        let addr = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        for _ in 0..3 {
            bed.client().at(addr).call(&["PING"]);
        }
        bed.look_now_at(&format!("redis://{addr}"));
        Ok(())
    },
    ..Case::PLAIN
};
