use std::collections::HashSet;

use super::command::Access;
use super::lookup::lookup;
use super::options::Arguments;
use super::replay::Replay;
use crate::encode::{self, Protocol};

/// What an empty cache would answer.
///
/// Only commands for which that is honest have one: not those whose reply decides something (SET NX, GETDEL, INCR,
/// LPUSH, scripts, EXEC), and not those without a key (KEYS, SCAN, DBSIZE).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MissAnswer {
    /// `+OK`: SET, LTRIM.
    Ok,
    /// Nothing (RESP2: the null bulk string): GET.
    Nil,
    /// Nothing where a list would stand (RESP2: the null array): XREAD.
    NilArray,
    /// [`Nil`](Self::Nil), or an empty array where a count was asked for: SRANDMEMBER.
    NilUnlessCounted,
    /// [`Nil`](Self::Nil), or an empty array with the option COUNT: LPOS.
    NilUnlessCountOption,
    /// 0: EXISTS, DEL, LLEN.
    Zero,
    /// -2, which means "no such key": TTL.
    NoSuchKey,
    /// The empty string: GETRANGE.
    EmptyString,
    /// An empty array: LRANGE.
    EmptyArray,
    /// An empty set (RESP2: array): SMEMBERS.
    EmptySet,
    /// An empty map (RESP2: array): HGETALL.
    EmptyMap,
    /// The cursor 0 and an empty array: HSCAN.
    ScanEnd,
    /// The simple string `none`: TYPE.
    NoType,
    /// [`Nil`](Self::Nil) for each argument from this one on: MGET.
    NilEach {
        /// Counted from the command's name.
        from: u8,
    },
    /// [`NilArray`](Self::NilArray) for each argument from this one on: GEOPOS.
    NilArrayEach {
        /// Counted from the command's name.
        from: u8,
    },
    /// [`Zero`](Self::Zero) for each argument from this one on: SMISMEMBER.
    ZeroEach {
        /// Counted from the command's name.
        from: u8,
    },
    /// [`NoSuchKey`](Self::NoSuchKey) for each argument from this one on: HTTL.
    NoSuchKeyEach {
        /// Counted from the command's name.
        from: u8,
    },
    /// How many different arguments stand from this one on, one in `step`: what SADD and HSET would have added.
    CountNew {
        /// The first of them, counted from the command's name.
        from: u8,
        /// One in so many: HSET 2, for values follow.
        step: u8,
    },
}

/// What an empty cache would answer to these arguments; `None` where no answer would be honest.
///
/// A write has an answer only if it may be repeated: a condition (SET NX, EXPIRE GT) asks for what is not known.
pub fn miss<A: AsRef<[u8]>>(args: &[A]) -> Option<MissAnswer> {
    let facts = lookup(args)?;
    let words = Arguments(args);
    let found = facts.classify(args);
    if facts.refuses_count(args.len()) || found.replay == Replay::Never {
        return None;
    }
    match facts.miss?.settle(&words) {
        // ZADD's only option that is no condition shifts what would be counted.
        MissAnswer::CountNew { from: 3.., .. } if words.is(2, "CH") => None,
        // SORT with STORE answers how many it stored.
        MissAnswer::EmptyArray if found.access == Access::Write => None,
        answer => Some(answer),
    }
}

impl MissAnswer {
    /// Appends the reply that a server without the key would send to these arguments.
    pub fn encode<A: AsRef<[u8]>>(self, out: &mut Vec<u8>, args: &[A], protocol: Protocol) {
        let each = |out: &mut Vec<u8>, from: u8, one: Self| {
            let count = args.len().saturating_sub(usize::from(from));
            encode::array_header(out, count);
            (0..count).for_each(|_| one.encode(out, args, protocol));
        };
        match self.settle(&Arguments(args)) {
            Self::Ok => encode::simple(out, "OK"),
            Self::Nil | Self::NilUnlessCounted | Self::NilUnlessCountOption => {
                encode::null(out, protocol);
            }
            Self::NilArray if protocol == Protocol::Resp2 => out.extend_from_slice(b"*-1\r\n"),
            Self::NilArray => encode::null(out, protocol),
            Self::Zero => encode::int(out, 0),
            Self::NoSuchKey => encode::int(out, -2),
            Self::EmptyString => encode::bulk(out, ""),
            Self::EmptyArray => encode::array_header(out, 0),
            Self::EmptySet => encode::set_header(out, 0, protocol),
            Self::EmptyMap => encode::map_header(out, 0, protocol),
            Self::ScanEnd => {
                encode::array_header(out, 2);
                encode::bulk(out, "0");
                encode::array_header(out, 0);
            }
            Self::NoType => encode::simple(out, "none"),
            Self::NilEach { from } => each(out, from, Self::Nil),
            Self::NilArrayEach { from } => each(out, from, Self::NilArray),
            Self::ZeroEach { from } => each(out, from, Self::Zero),
            Self::NoSuchKeyEach { from } => each(out, from, Self::NoSuchKey),
            Self::CountNew { from, step } => {
                let counted = args.iter().skip(from.into()).step_by(step.max(1).into());
                let different: HashSet<&[u8]> = counted.map(AsRef::as_ref).collect();
                encode::int(out, i64::try_from(different.len()).unwrap_or(i64::MAX));
            }
        }
    }

    /// Chooses between the two answers of a command that has two.
    fn settle<A: AsRef<[u8]>>(self, args: &Arguments<'_, A>) -> Self {
        let counted = match self {
            Self::NilUnlessCounted => args.len() > 2,
            Self::NilUnlessCountOption => (3..args.len()).any(|at| args.is(at, "COUNT")),
            other => return other,
        };
        if counted { Self::EmptyArray } else { Self::Nil }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(line: &str) -> Option<String> {
        let args: Vec<&str> = line.split(' ').collect();
        let mut out = Vec::new();
        miss(&args)?.encode(&mut out, &args, Protocol::Resp3);
        Some(String::from_utf8_lossy(&out).replace("\r\n", " "))
    }

    #[test]
    fn an_empty_cache_answers_in_the_form_of_the_command() {
        let cases = [
            ("get k", "_ "),
            ("MGET a b c", "*3 _ _ _ "),
            ("HMGET h a b", "*2 _ _ "),
            ("GEOPOS g a", "*1 _ "),
            ("SADD s a b a", ":2 "),
            ("HSET h a 1 b 2 a 3", ":2 "),
            ("ZADD z 1 a 1 b", ":2 "),
            ("HGETALL h", "%0 "),
            ("SMEMBERS s", "~0 "),
            ("HSCAN h 0", "*2 $1 0 *0 "),
            ("LPOS l a", "_ "),
            ("LPOS l a RANK 1 COUNT 2", "*0 "),
            ("SRANDMEMBER s", "_ "),
            ("SRANDMEMBER s 2", "*0 "),
            ("SET k v EX 10", "+OK "),
            ("TTL k", ":-2 "),
        ];
        for (line, reply) in cases {
            assert_eq!(answer(line).as_deref(), Some(reply), "{line}");
        }
    }

    #[test]
    fn what_decides_something_has_no_answer() {
        for line in [
            "SET k v NX",
            "SET k v GET",
            "GETSET k v",
            "GETDEL k",
            "INCR k",
            "LPUSH l a",
            "EXPIRE k 1 NX",
            "ZADD z NX 1 a",
            "ZADD z CH 1 a",
            "SORT l STORE d",
            "EVAL s 0",
            "EXEC",
            "KEYS *",
            "SCAN 0",
            "GET",
            "NOSUCH k",
        ] {
            assert_eq!(answer(line), None, "{line}");
        }
    }
}
