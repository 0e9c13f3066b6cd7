//! Commands whose reply, or whose work, grows with the data: ranked, with what to use in their place.

use super::{ASK, Check, Remark, Severity, info, of_looks};
use crate::facts::Look;

/// What replies with everything, or walks through everything.
const GROWING: &[(&str, &str)] = &[
    ("keys", "SCAN with MATCH and COUNT"),
    ("smembers", "SSCAN, or smaller sets"),
    ("hgetall", "HSCAN, or HMGET of the fields that are wanted"),
    ("hkeys", "HSCAN"),
    ("hvals", "HSCAN"),
    ("lrange", "windows of some hundreds"),
    ("zrange", "windows of some hundreds, or ZSCAN"),
    ("zrevrange", "windows of some hundreds"),
    ("zrangebyscore", "LIMIT"),
    ("sort", "sorting in the client, or a sorted set"),
    ("sunion", "SSCAN of each, or SUNIONSTORE on a replica"),
    ("sinter", "SINTERCARD with LIMIT, or SSCAN"),
    ("sdiff", "SSCAN of each"),
    ("flushall", "FLUSHALL ASYNC"),
    ("flushdb", "FLUSHDB ASYNC"),
    ("del", "UNLINK for large values"),
    ("monitor", "SLOWLOG, LATENCY, or a sample of seconds"),
];

/// From so many microseconds a call on average it is felt by others.
const SLOW_MEAN: f64 = 1_000.0;

/// So many are told: who mends the first five has mended most.
const TOLD: usize = 5;

pub(super) const BIG_REPLIES: Check = Check {
    name: "big-replies",
    look: |audited| of_looks(audited, big_replies),
    wants: ASK,
};

struct Used {
    name: &'static str,
    instead: &'static str,
    calls: u64,
    mean: f64,
    slowest: u64,
}

impl Used {
    /// Time of the server's, in microseconds; what is in SLOWLOG may be older than the counters.
    fn weight(&self) -> f64 {
        self.calls as f64 * self.mean + self.slowest as f64
    }
}

fn big_replies(look: &Look) -> Option<Vec<Remark>> {
    look.info
        .keys()
        .any(|name| name.starts_with("cmdstat_"))
        .then_some(())?;
    let mut used: Vec<_> = GROWING
        .iter()
        .filter_map(|(name, instead)| of(look, name, instead))
        .collect();
    used.sort_by(|one, other| other.weight().total_cmp(&one.weight()));
    let remarks = used.iter().take(TOLD).map(|used| {
        // KEYS and MONITOR are never right in production; the others are where they are small.
        let never = matches!(used.name, "keys" | "monitor");
        let severity = if never || used.slowest >= 100_000 {
            Severity::Warn
        } else {
            Severity::Info
        };
        let slowest = if used.slowest > 0 {
            format!(", {:.1} ms at the longest", used.slowest as f64 / 1_000.0)
        } else {
            String::new()
        };
        BIG_REPLIES.says(
            severity,
            info(look),
            format!(
                "{}: {} calls {}, {:.2} ms on average{slowest}; everybody waits meanwhile",
                used.name.to_uppercase(),
                used.calls,
                look.counting_since(),
                used.mean / 1_000.0
            ),
            format!("{} in its place", used.instead),
        )
    });
    Some(remarks.collect())
}

fn of(look: &Look, name: &'static str, instead: &'static str) -> Option<Used> {
    let stat = look.info.get(&format!("cmdstat_{name}"))?;
    let text = |field: &str| stat.split(',').find_map(|part| part.strip_prefix(field));
    let calls: u64 = text("calls=")?.parse().ok()?;
    let mean: f64 = text("usec_per_call=").map_or(Ok(0.0), str::parse).ok()?;
    if !mean.is_finite() {
        return None;
    }
    let upper = name.to_uppercase();
    let slowest = look
        .slow
        .iter()
        .filter(|slow| slow.command == upper)
        .map(|slow| slow.micros)
        .max()
        .unwrap_or(0);
    let felt = matches!(name, "keys" | "monitor") || mean >= SLOW_MEAN || slowest > 0;
    (calls > 0 && felt).then_some(Used {
        name,
        instead,
        calls,
        mean,
        slowest,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Audited;
    use crate::testing::pasted;

    fn told(text: &str) -> Option<Vec<String>> {
        let audited = Audited {
            facts: pasted(&format!("# Server\nuptime_in_seconds:90\n{text}")),
            ..Audited::default()
        };
        let remarks = (BIG_REPLIES.look)(&audited)?;
        Some(
            remarks
                .into_iter()
                .map(|remark| format!("{} {}", remark.severity.name(), remark.claim))
                .collect(),
        )
    }

    #[test]
    fn what_costs_most_comes_first_and_what_is_small_is_silent() {
        let text = "cmdstat_keys:calls=10,usec=10000,usec_per_call=1000.00\n\
            cmdstat_hgetall:calls=1000,usec=9000000,usec_per_call=9000.00\n\
            cmdstat_lrange:calls=100000,usec=200000,usec_per_call=2.00\n";
        let told = told(text).expect("it can tell");
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].starts_with("info HGETALL: 1000 calls"), "{told:?}");
        assert!(told[1].starts_with("warn KEYS: 10 calls"), "{told:?}");
    }

    #[test]
    fn numbers_that_are_none_are_no_calls() {
        assert_eq!(
            told("cmdstat_keys:calls=nan,usec_per_call=inf\n"),
            Some(vec![])
        );
        assert_eq!(told(""), None);
    }
}
