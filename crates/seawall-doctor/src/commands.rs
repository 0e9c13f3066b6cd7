//! What commands are by the time they take: which rule knows why one was slow.

use crate::facts::{Facts, Look, Slow};
use crate::stall::{FELT_MS, Stall};
use crate::text::{Keeps, Text};

/// Why a command takes long, if it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It forks.
    Forks,
    /// It gives memory back.
    Frees,
    /// It runs all that was queued for it.
    Transaction,
    /// It runs a script.
    Script,
    /// It takes microseconds, whatever the data are and however many: if it does not, the process did not run.
    Fast,
    /// It is asked for much.
    Other,
}

/// What a command of that name is.
pub(crate) fn kind(command: &str) -> Kind {
    match command {
        "BGSAVE" | "BGREWRITEAOF" | "SYNC" | "PSYNC" => Kind::Forks,
        "DEL" | "EXPIRE" | "PEXPIRE" | "RENAME" => Kind::Frees,
        "EXEC" => Kind::Transaction,
        "EVAL" | "EVALSHA" | "EVAL_RO" | "EVALSHA_RO" | "FCALL" | "FCALL_RO" => Kind::Script,
        "PING" | "ECHO" | "GET" | "EXISTS" | "TTL" | "PTTL" | "TYPE" | "INCR" | "DECR" | "HGET"
        | "HEXISTS" | "HLEN" | "LLEN" | "SCARD" | "SISMEMBER" | "ZCARD" | "ZSCORE" | "SELECT" => {
            Kind::Fast
        }
        _ => Kind::Other,
    }
}

/// A script outran `busy-reply-threshold`, in 7.0 and before it: how many milliseconds long then.
pub(crate) const OUTRAN: &[Text] = &[
    Text::server("Slow script detected: still in execution after ").keeping(Keeps::Word),
    Text::server("Lua slow script detected: still in execution after ").keeping(Keeps::Word),
];

/// Whether a script is known to have outrun its limit.
pub(crate) fn outran(facts: &Facts) -> bool {
    OUTRAN.iter().any(|text| facts.said(text).next().is_some())
}

/// Whether a command of so many microseconds would stand in SLOWLOG: the server told it, and keeps what takes that long.
pub(crate) fn would_be_kept(look: &Look, micros: i64) -> bool {
    let threshold = look.config.get("slowlog-log-slower-than");
    let threshold = threshold.and_then(|micros| micros.parse::<i64>().ok());
    look.answered.contains("SLOWLOG GET")
        && threshold.is_none_or(|threshold| (0..=micros).contains(&threshold))
        && look.setting("slowlog-max-len") != Some(0)
}

/// What SLOWLOG tells of commands of that kind that took long enough to be felt.
pub(crate) fn slow(look: &Look, of: Kind) -> impl Iterator<Item = (&Slow, Stall)> {
    let picked = look
        .slow
        .iter()
        .filter(move |slow| slow.micros >= FELT_MS * 1_000 && kind(&slow.command) == of);
    picked.map(|slow| (slow, stall(look, slow)))
}

fn stall(look: &Look, slow: &Slow) -> Stall {
    let millis = slow.micros / 1_000;
    Stall {
        at: slow.at,
        millis,
        place: look.place("SLOWLOG"),
        says: format!("{} took {millis} ms until {}", slow.command, slow.at),
    }
}

/// The host of `host:port`.
pub(crate) fn host(addr: &str) -> &str {
    addr.rsplit_once(':').map_or(addr, |(host, _)| host)
}
