use super::lookup::lookup;
use super::options::Arguments;
use super::replay::Replay;

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
    if facts.refuses_count(args.len()) || facts.classify(args).replay == Replay::Never {
        return None;
    }
    match facts.miss? {
        MissAnswer::NilUnlessCounted if args.len() > 2 => Some(MissAnswer::EmptyArray),
        MissAnswer::NilUnlessCountOption if (3..args.len()).any(|at| words.is(at, "COUNT")) => {
            Some(MissAnswer::EmptyArray)
        }
        MissAnswer::NilUnlessCounted | MissAnswer::NilUnlessCountOption => Some(MissAnswer::Nil),
        // ZADD's only option that is no condition shifts what would be counted.
        MissAnswer::CountNew { from: 3.., .. } if words.is(2, "CH") => None,
        answer => Some(answer),
    }
}
