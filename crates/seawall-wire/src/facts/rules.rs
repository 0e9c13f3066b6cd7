//! How arguments change what a command does. Each rule answers a better class than the command's worst, or `None`
//! where these arguments deserve the worst, or were not understood.

use super::command::{Access, CommandFacts};
use super::keys::{KeyRole, Keys};
use super::options::Arguments;
use super::replay::Replay;
use super::streams;

/// How a command's arguments change its replay class and its access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// SET: conditions and GET make its reply and effect depend on the old value.
    Set,
    /// MSETEX: as SET, after the counted pairs.
    Msetex,
    /// HSETEX: as SET, before FIELDS; single fields are replaced, not the hash.
    Hsetex,
    /// GETEX, HGETEX: without an option they only read.
    Getex,
    /// EXPIRE and its kin: NX, XX, GT and LT are conditions.
    Expire,
    /// ZADD, GEOADD: NX, XX, GT and LT are conditions, INCR adds.
    Zadd,
    /// LTRIM: repeatable if it keeps the first so many, or the last so many.
    Ltrim,
    /// ZREMRANGEBYRANK: repeatable if what it leaves are the first so many, or the last so many.
    RankRange,
    /// LREM: repeatable if it removes all that are equal (count 0).
    Lrem,
    /// Commands that store a result: repeatable if the destination is none of the sources; without one they read.
    Store,
    /// BITFIELD: GET reads, SET repeats, INCRBY does not.
    Bitfield,
    /// COPY: repeatable with REPLACE; without it a repeat is refused.
    Copy,
    /// RESTORE: repeatable with REPLACE; without it a repeat is an error.
    Restore,
    /// FUNCTION LOAD: repeatable with REPLACE; without it a repeat is an error.
    FunctionLoad,
    /// XREAD: `$` means another place each time.
    Xread,
    /// XREADGROUP: `>` takes entries, an id reads again what was taken.
    Xreadgroup,
}

type Better = Option<(Replay, Access)>;

const OVERWRITES: Better = Some((Replay::Overwrite, Access::Write));
const REPEATS: Better = Some((Replay::SameState, Access::Write));
const READS: Better = Some((Replay::Read, Access::Read));

impl Rule {
    /// What these arguments make of the command; `None`: its worst.
    pub(super) fn apply<A: AsRef<[u8]>>(
        self,
        facts: &CommandFacts,
        args: &Arguments<'_, A>,
    ) -> Better {
        if facts.refuses_count(args.len()) {
            return None;
        }
        match self {
            Self::Set => OVERWRITES.filter(|_| only_expiry(args, 3, args.len())),
            Self::Msetex => msetex(args),
            Self::Hsetex => hsetex(args),
            Self::Getex => READS.filter(|_| args.len() == 2 || args.is(2, "FIELDS")),
            Self::Expire => REPEATS.filter(|_| args.len() == 3 || args.is(3, "FIELDS")),
            Self::Zadd => zadd(args),
            Self::Ltrim => REPEATS.filter(|_| keeps_an_end(args)),
            Self::RankRange => REPEATS.filter(|_| removes_all_but_an_end(args)),
            Self::Lrem => REPEATS.filter(|_| args.number(2) == Some(0)),
            Self::Store => store(facts.keys, args),
            Self::Bitfield => bitfield(args),
            Self::Copy => REPEATS.filter(|_| has_word(args, 3, "REPLACE")),
            Self::Restore => REPEATS.filter(|_| has_word(args, 4, "REPLACE")),
            Self::FunctionLoad => REPEATS.filter(|_| args.len() == 4 && args.is(2, "REPLACE")),
            Self::Xread => READS.filter(|_| streams::begins_at_ids(args, b"$")),
            Self::Xreadgroup => REPEATS.filter(|_| streams::begins_at_ids(args, b">")),
        }
    }
}

fn has_word<A: AsRef<[u8]>>(args: &Arguments<'_, A>, from: usize, word: &str) -> bool {
    (from..args.len()).any(|at| args.is(at, word))
}

/// Whether the arguments from `from` to below `end` say when it expires, and nothing else.
fn only_expiry<A: AsRef<[u8]>>(args: &Arguments<'_, A>, from: usize, end: usize) -> bool {
    let mut at = from;
    while at < end {
        at += if args.is_any(at, &["EX", "PX", "EXAT", "PXAT"]) {
            2
        } else if args.is(at, "KEEPTTL") {
            1
        } else {
            return false;
        };
    }
    at == end
}

/// `MSETEX numkeys key value .. [options]`
fn msetex<A: AsRef<[u8]>>(args: &Arguments<'_, A>) -> Better {
    let options = args.count(1)?.checked_mul(2)?.checked_add(2)?;
    OVERWRITES.filter(|_| options <= args.len() && only_expiry(args, options, args.len()))
}

/// `HSETEX key [options] FIELDS numfields field value ..`
fn hsetex<A: AsRef<[u8]>>(args: &Arguments<'_, A>) -> Better {
    let fields = (2..args.len()).find(|&at| args.is(at, "FIELDS"))?;
    REPEATS.filter(|_| only_expiry(args, 2, fields))
}

/// The options stand before the first score, which no word can be taken for.
fn zadd<A: AsRef<[u8]>>(args: &Arguments<'_, A>) -> Better {
    let options = (2..args.len()).take_while(|&at| args.is(at, "CH")).count();
    let conditional = args.is_any(2 + options, &["NX", "XX", "GT", "LT", "INCR"]);
    REPEATS.filter(|_| !conditional)
}

/// Whether LTRIM keeps the first so many elements, or the last so many, or all: then a second run finds nothing to
/// remove. `0 -2`, though, removes the last element each time.
fn keeps_an_end<A: AsRef<[u8]>>(args: &Arguments<'_, A>) -> bool {
    match (args.number(2), args.number(3)) {
        (Some(0), Some(stop)) => stop >= -1,
        (Some(start), Some(-1)) => start < 0,
        _ => false,
    }
}

/// Whether ZREMRANGEBYRANK leaves the first so many members (`100 -1`), or the last so many (`0 -101`), or none.
fn removes_all_but_an_end<A: AsRef<[u8]>>(args: &Arguments<'_, A>) -> bool {
    match (args.number(2), args.number(3)) {
        (Some(0), Some(stop)) => stop < 0,
        (Some(start), Some(-1)) => start >= 0,
        _ => false,
    }
}

fn store<A: AsRef<[u8]>>(keys: Keys, args: &Arguments<'_, A>) -> Better {
    let mut located = keys.locate(args.0);
    let Some(destination) = located.find(|located| located.role.writes()) else {
        return READS;
    };
    if keys == Keys::Sort && has_pattern(args) {
        return None;
    }
    let mut sources = keys
        .locate(args.0)
        .filter(|located| located.role == KeyRole::Read)
        .peekable();
    sources.peek()?;
    REPEATS.filter(|_| sources.all(|source| source.key != destination.key))
}

/// Whether SORT makes up keys from what it sorts: the destination may be among them.
fn has_pattern<A: AsRef<[u8]>>(args: &Arguments<'_, A>) -> bool {
    (2..args.len()).any(|at| {
        args.is_any(at, &["BY", "GET"]) && args.get(at + 1).is_some_and(|word| word.contains(&b'*'))
    })
}

/// `BITFIELD key [GET type offset | SET type offset value | INCRBY .. | OVERFLOW mode] ..`
fn bitfield<A: AsRef<[u8]>>(args: &Arguments<'_, A>) -> Better {
    let mut better = READS;
    let mut at = 2;
    while at < args.len() {
        at += if args.is(at, "GET") {
            3
        } else if args.is(at, "SET") {
            better = REPEATS;
            4
        } else if args.is(at, "OVERFLOW") {
            2
        } else {
            return None;
        };
    }
    better.filter(|_| at == args.len())
}
