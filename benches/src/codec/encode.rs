//! Writing commands.

use std::hint::black_box;

use bytes::BytesMut;
use redis_protocol::resp2::{self, types::BorrowedFrame};
use seawall_wire::encode;

use crate::Result;
use crate::ground::KEY;
use crate::measure::{Contender, Pace, compare};
use crate::report::{Table, Unit};

const OURS: &str = "seawall: Cmd made and encoded";
const REDIS_RS: &str = "redis-rs: Cmd made and encoded";

pub(super) fn run(placement: &str, pace: Pace) -> Result<Vec<Table>> {
    let large = vec![b'x'; 1024];
    let samples: [(&str, Vec<&[u8]>); 3] = [
        ("GET", vec![b"GET", KEY.as_bytes()]),
        (
            "SET of 16 bytes with EX",
            vec![b"SET", KEY.as_bytes(), b"sixteen bytes ok", b"EX", b"60"],
        ),
        ("SET of 1 KiB", vec![b"SET", KEY.as_bytes(), &large]),
    ];
    samples
        .into_iter()
        .map(|(title, words)| one(title, &words, placement, pace))
        .collect()
}

/// Each appends to a buffer that is kept, as a connection does.
fn one(title: &str, words: &[&[u8]], placement: &str, pace: Pace) -> Result<Table> {
    let (mut ours, mut bare, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    let mut frames = BytesMut::new();
    let mut contenders = [
        Contender::repeating(OURS, || {
            ours.clear();
            let mut cmd = seawall::Cmd::new("");
            for word in black_box(words) {
                cmd.push(word);
            }
            encode::command(&mut ours, cmd.words());
            ours.len()
        }),
        Contender::repeating("seawall: encode::command of slices", || {
            bare.clear();
            encode::command(&mut bare, black_box(words));
            bare.len()
        }),
        Contender::trying("redis-protocol: extend_encode_borrowed", || {
            frames.clear();
            let parts: Vec<_> = black_box(words)
                .iter()
                .map(|word| BorrowedFrame::BulkString(word))
                .collect();
            let frame = BorrowedFrame::Array(&parts);
            Ok(resp2::encode::extend_encode_borrowed(
                &mut frames,
                &frame,
                false,
            )?)
        }),
        Contender::repeating(REDIS_RS, || {
            theirs.clear();
            let mut cmd = redis::Cmd::new();
            for word in black_box(words) {
                cmd.arg(word);
            }
            cmd.write_packed_command(&mut theirs);
            theirs.len()
        }),
    ];
    let measured = compare(&mut contenders, pace, None)?;
    let title = format!("Writing {title}");
    Ok(Table::new(title, placement, Unit::Ns, &measured).figure(&measured, OURS, REDIS_RS, 1.0))
}
