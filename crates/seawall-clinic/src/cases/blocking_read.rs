//! A blocking read that outlasts its client's patience.

use seawall_doctor::Code;

use crate::case::Case;

pub(super) const CASE: Case = Case {
    name: "blocking-read",
    story: "a worker waits for a job for longer than its socket timeout",
    truth: &[Code(208)],
    act: |bed| {
        let mut workers: Vec<_> = (0..3).map(|_| bed.client()).collect();
        for worker in &mut workers {
            bed.log().line("INFO app worker waits: BLPOP queue 30");
            worker.call(&["BLPOP", "queue", "30"]);
        }
        let mut worker = bed.client();
        worker.send(&[&["BLPOP", "queue", "30"]]);
        bed.look_now();
        worker.reply();
        Ok(())
    },
    ..Case::PLAIN
};
