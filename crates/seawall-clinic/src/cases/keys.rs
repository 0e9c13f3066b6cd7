//! KEYS on many keys.

use seawall_doctor::Code;

use crate::case::Case;

pub(super) const CASE: Case = Case {
    name: "keys",
    story: "KEYS walks through a million keys, and everybody else waits",
    truth: &[Code(601)],
    config: &[("appendonly", "no")],
    act: |bed| {
        // In parts: on a busy machine all at once take longer than the laboratory waits for an answer.
        for part in 0..12 {
            let prefix = format!("part{part}");
            let words: [&[u8]; 4] = [b"DEBUG", b"POPULATE", b"100000", prefix.as_bytes()];
            bed.server().command(&words)?;
        }
        let mut others: Vec<_> = (0..3).map(|_| bed.client().patience_ms(40)).collect();
        for client in &mut others {
            client.call(&["PING"]);
        }
        let mut tool = bed.client().patience_ms(5_000);
        tool.send(&[&["KEYS", "*none*"]]);
        for client in &mut others {
            client.call(&["GET", "key"]);
        }
        tool.reply();
        Ok(())
    },
    ..Case::PLAIN
};
