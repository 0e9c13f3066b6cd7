//! Changes that would do harm are not made.

use std::collections::BTreeMap;

use super::change::{Change, amount};
use crate::facts::bytes;

/// Why this change of this value on this server would do harm.
pub(super) fn harm(change: &Change, old: &str, info: &BTreeMap<String, String>) -> Option<String> {
    let number = |field: &str| info.get(field)?.parse::<u64>().ok();
    let to = amount(&change.to);
    match change.setting {
        "maxmemory" => {
            let to = to?;
            let used = number("used_memory").unwrap_or(u64::MAX);
            if to == 0 {
                return Some(
                    "without maxmemory the kernel's OOM killer is what limits it".to_owned(),
                );
            }
            if to < used {
                return Some(format!(
                    "maxmemory {} is below what is used ({}): data would be evicted or writes refused at once",
                    bytes(to),
                    bytes(used)
                ));
            }
            let room = number("total_system_memory").filter(|room| *room > 0)?;
            (to > room / 10 * 9).then(|| {
                format!(
                    "maxmemory {} is more than nine tenths of the host's {}",
                    bytes(to),
                    bytes(room)
                )
            })
        }
        "maxmemory-policy" => (change.to != "noeviction").then(|| {
            format!(
                "maxmemory-policy {} would let the server delete data",
                change.to
            )
        }),
        "maxclients" => {
            let connected = number("connected_clients").unwrap_or(u64::MAX);
            to.filter(|to| *to < connected)
                .map(|to| format!("maxclients {to} is below the {connected} that are connected"))
        }
        "maxmemory-clients" => {
            let taken = number("mem_clients_normal").unwrap_or(u64::MAX);
            let limit = match change.to.strip_suffix('%') {
                Some(percent) => {
                    let of = number("maxmemory").filter(|of| *of > 0)?;
                    of / 100 * percent.parse::<u64>().ok()?
                }
                None => to?,
            };
            (limit != 0 && limit < taken).then(|| {
                format!("maxmemory-clients {} is below what clients take ({}): some would be closed at once", bytes(limit), bytes(taken))
            })
        }
        "client-query-buffer-limit" | "repl-backlog-size" => {
            let (to, old) = (to?, amount(old)?);
            (to < old).then(|| {
                format!(
                    "{} would become smaller than it is ({})",
                    change.setting,
                    bytes(old)
                )
            })
        }
        "client-output-buffer-limit" => smaller(change, old),
        "appendfsync" => (change.to == "no").then(|| {
            "appendfsync no leaves the disk to the kernel: half a minute of writes may be lost"
                .to_owned()
        }),
        _ => None,
    }
}

/// A limit that becomes smaller closes clients; one that goes lets a slow client take all memory.
fn smaller(change: &Change, old: &str) -> Option<String> {
    let limits =
        |words: &str| -> Vec<u64> { words.split_whitespace().filter_map(amount).collect() };
    let (to, old) = (limits(&change.to), limits(old));
    if to.len() != 3 || old.len() != 3 {
        return Some(format!("{} takes three numbers", change.label()));
    }
    for place in 0..2 {
        if to[place] == 0 && old[place] != 0 {
            return Some(
                "without a limit one client that does not read takes all memory".to_owned(),
            );
        }
        if to[place] != 0 && (old[place] == 0 || to[place] < old[place]) {
            return Some(format!(
                "{} would become smaller: clients over it would be closed",
                change.label()
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn harm_of(setting: &str, to: &str, old: &str) -> Option<String> {
        let info = [
            ("used_memory", "1000000"),
            ("total_system_memory", "100000000"),
            ("connected_clients", "50"),
            ("mem_clients_normal", "2000000"),
            ("maxmemory", "10000000"),
        ];
        let info = info
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        harm(&Change::new(setting, to).expect("a change"), old, &info)
    }

    #[test]
    fn what_would_delete_close_or_fill_is_not_done() {
        for (setting, to, old) in [
            ("maxmemory", "500000", "0"),
            ("maxmemory", "0", "2000000"),
            ("maxmemory", "95000000", "2000000"),
            ("maxmemory-policy", "allkeys-lru", "noeviction"),
            ("maxclients", "49", "100"),
            ("maxmemory-clients", "5%", "0"),
            ("maxmemory-clients", "1mb", "0"),
            ("client-query-buffer-limit", "1mb", "1073741824"),
            ("repl-backlog-size", "1mb", "2097152"),
            (
                "client-output-buffer-limit",
                "pubsub 0 0 0",
                "33554432 8388608 60",
            ),
            (
                "client-output-buffer-limit",
                "pubsub 16mb 8mb 60",
                "33554432 8388608 60",
            ),
            ("client-output-buffer-limit", "normal 16mb 0 0", "0 0 0"),
            (
                "client-output-buffer-limit",
                "pubsub a b c",
                "33554432 8388608 60",
            ),
            ("appendfsync", "no", "everysec"),
        ] {
            assert!(harm_of(setting, to, old).is_some(), "{setting} {to}");
        }
    }

    #[test]
    fn what_gives_room_is() {
        for (setting, to, old) in [
            ("maxmemory", "2mb", "1000000"),
            ("maxmemory-policy", "noeviction", "allkeys-lru"),
            ("maxclients", "200", "100"),
            ("maxmemory-clients", "50%", "0"),
            (
                "client-output-buffer-limit",
                "pubsub 64mb 16mb 60",
                "33554432 8388608 60",
            ),
            ("timeout", "0", "300"),
            ("appendfsync", "everysec", "always"),
        ] {
            assert_eq!(harm_of(setting, to, old), None, "{setting} {to}");
        }
    }

    #[test]
    fn where_the_server_does_not_tell_what_is_used_nothing_is_lowered() {
        let change = Change::new("maxmemory", "2mb").expect("a change");
        assert!(harm(&change, "0", &BTreeMap::new()).is_some());
    }
}
