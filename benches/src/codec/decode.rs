//! Reading replies.

use std::hint::black_box;

use bytes::Bytes;
use redis_protocol::resp3;
use seawall_wire::decode::{Visitor, visit};
use seawall_wire::encode::{self, Protocol};
use seawall_wire::scan::{Scan, Scanner};
use seawall_wire::{Limits, Value};

use crate::Result;
use crate::measure::{Contender, Pace, compare};
use crate::report::{Table, Unit};

/// What a call of the engine does with a reply: the base of the comparison.
const OURS: &str = "seawall: scan and Value";
const REDIS_RS: &str = "redis-rs: parse_redis_value";

pub(super) fn run(placement: &str, pace: Pace) -> Result<Vec<Table>> {
    samples()
        .into_iter()
        .map(|(title, reply)| one(title, &encoded(&reply), placement, pace))
        .collect()
}

fn one(title: &str, reply: &[u8], placement: &str, pace: Pace) -> Result<Table> {
    let limits = Limits::default();
    let shared = Bytes::copy_from_slice(reply);
    let mut scanner = Scanner::new(limits);
    let mut alone = Scanner::new(limits);
    let mut contenders = [
        Contender::trying(OURS, || {
            let Scan::Complete { len, .. } = scanner.scan(black_box(reply))? else {
                return Err("the reply is not whole".into());
            };
            Ok(Value::decode(&reply[..len], &limits)?)
        }),
        Contender::trying("seawall: scan alone", || Ok(alone.scan(black_box(reply))?)),
        Contender::trying("seawall: Value alone", || {
            Ok(Value::decode(black_box(reply), &limits)?)
        }),
        Contender::trying("seawall: visitor that adds lengths", || {
            let mut sum = Lengths(0);
            visit(black_box(reply), &limits, &mut sum)?;
            Ok(sum.0)
        }),
        Contender::trying("redis-protocol: decode (owned)", || {
            Ok(resp3::decode::complete::decode(black_box(reply))?)
        }),
        Contender::trying("redis-protocol: decode_bytes (shared)", || {
            Ok(resp3::decode::complete::decode_bytes(black_box(&shared))?)
        }),
        Contender::trying(REDIS_RS, || Ok(redis::parse_redis_value(black_box(reply))?)),
    ];
    let measured = compare(&mut contenders, pace, None)?;
    let title = format!("Reading {title}, {} bytes", reply.len());
    Ok(Table::new(title, placement, Unit::Ns, &measured).figure(&measured, OURS, REDIS_RS, 1.0))
}

/// What servers answer most, from the smallest to the largest.
fn samples() -> Vec<(&'static str, Value)> {
    let bulk = |len| Value::Bulk(vec![b'x'; len]);
    let pair = |n: usize| (Value::Bulk(format!("field:{n}").into_bytes()), bulk(12));
    vec![
        ("an integer", Value::Int(123_456)),
        ("a string of 16 bytes", bulk(16)),
        ("a string of 1 KiB", bulk(1024)),
        ("a map of 20 pairs", Value::Map((0..20).map(pair).collect())),
        (
            "a list of 100 strings",
            Value::Array((0..100).map(|_| bulk(16)).collect()),
        ),
    ]
}

fn encoded(reply: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    encode::value(&mut out, reply, Protocol::Resp3);
    out
}

/// The least that a caller can want: it touches every value and keeps nothing.
struct Lengths(usize);

impl<'a> Visitor<'a> for Lengths {
    fn bulk(&mut self, content: &'a [u8]) {
        self.0 += content.len();
    }
    fn int(&mut self, value: i64) {
        self.0 += value.count_ones() as usize;
    }
}
