//! How much memory, what happens when it is used up, and how the host deals with it.

use super::limits::of_bytes;
use super::{ASK, Audited, Check, HOST, Remark, Severity, config, info, of_looks};
use crate::facts::{Look, bytes};

pub(super) const MAXMEMORY: Check = Check {
    name: "maxmemory",
    look: |audited| of_looks(audited, maxmemory),
    wants: ASK,
};

fn limit(look: &Look) -> Option<u64> {
    look.number("maxmemory")
        .or_else(|| look.setting("maxmemory"))
}

fn maxmemory(look: &Look) -> Option<Vec<Remark>> {
    let limit = limit(look)?;
    let host = look.number("total_system_memory").filter(|all| *all > 0);
    if limit == 0 {
        return Some(vec![MAXMEMORY.says(
            Severity::Warn,
            config(look),
            "no maxmemory: what limits the data is the kernel's OOM killer, which ends the server",
            match host {
                Some(host) => format!("CONFIG SET maxmemory {} (60 % of the host's memory; in a container of its limit)", host / 10 * 6),
                None => "CONFIG SET maxmemory to 60 % of what it may have".to_owned(),
            },
        )]);
    }
    let used = look.number("used_memory").unwrap_or(0);
    if used.saturating_mul(10) >= limit.saturating_mul(9) && !policy(look)?.starts_with("allkeys") {
        return Some(vec![MAXMEMORY.says(
            Severity::Critical,
            info(look),
            format!(
                "{} is used, and what is evicted is not everything: writes will be refused",
                of_bytes(used, limit)
            ),
            "give keys a time to live, delete what is not needed, or raise maxmemory",
        )]);
    }
    if let Some(host) = host
        && limit > host / 5 * 4
    {
        return Some(vec![MAXMEMORY.says(
            Severity::Warn,
            info(look),
            format!(
                "maxmemory is {}: a save forks, and what is written meanwhile is there twice",
                of_bytes(limit, host)
            ),
            format!("maxmemory of {} at most", bytes(host / 10 * 6)),
        )]);
    }
    Some(Vec::new())
}

fn policy(look: &Look) -> Option<&str> {
    let policy = look
        .info
        .get("maxmemory_policy")
        .or_else(|| look.config.get("maxmemory-policy"))?;
    Some(policy)
}

pub(super) const POLICY: Check = Check {
    name: "maxmemory-policy",
    look: |audited| of_looks(audited, evicts),
    wants: ASK,
};

/// Commands of queues: whoever evicts there loses jobs.
const OF_QUEUES: &[&str] = &[
    "cmdstat_brpop",
    "cmdstat_blpop",
    "cmdstat_brpoplpush",
    "cmdstat_blmove",
    "cmdstat_xreadgroup",
    "cmdstat_bzpopmin",
];

fn evicts(look: &Look) -> Option<Vec<Remark>> {
    let policy = policy(look)?;
    if limit(look)? == 0 {
        return Some(Vec::new());
    }
    let queue = OF_QUEUES.iter().find(|name| look.info.contains_key(**name));
    if let Some(queue) = queue.filter(|_| policy.starts_with("allkeys")) {
        let command = queue.trim_start_matches("cmdstat_").to_uppercase();
        return Some(vec![POLICY.says(
            Severity::Critical,
            config(look),
            format!("{policy} deletes any key when memory is used up, and {command} is used: a queue's jobs would go with it"),
            "CONFIG SET maxmemory-policy noeviction, and room; a cache on a server of its own",
        )]);
    }
    let (keys, expires) = keyspace(look);
    if policy.starts_with("volatile") && keys > 1_000 && expires.saturating_mul(20) < keys {
        return Some(vec![POLICY.says(
            Severity::Warn,
            config(look),
            format!("{policy} may delete keys with a time to live, and {expires} of {keys} have one: writes will be refused all the same"),
            "times to live, or allkeys-lru where all of it is a cache",
        )]);
    }
    Some(Vec::new())
}

/// Keys, and those with a time to live: `db0:keys=12,expires=3,avg_ttl=0`.
fn keyspace(look: &Look) -> (u64, u64) {
    let of = |value: &str, name: &str| -> u64 {
        value
            .split(',')
            .find_map(|part| part.strip_prefix(name)?.parse().ok())
            .unwrap_or(0)
    };
    look.info
        .iter()
        .filter(|(name, _)| name.starts_with("db"))
        .fold((0, 0), |(keys, expires), (_, value)| {
            (keys + of(value, "keys="), expires + of(value, "expires="))
        })
}

pub(super) const OVERCOMMIT: Check = Check {
    name: "overcommit",
    look: overcommit,
    wants: HOST,
};

fn overcommit(audited: &Audited) -> Option<Vec<Remark>> {
    let mode = audited.host.as_ref()?.overcommit?;
    Some(if mode == 1 {
        Vec::new()
    } else {
        vec![OVERCOMMIT.says(
            Severity::Warn,
            "/proc/sys/vm/overcommit_memory",
            format!("vm.overcommit_memory is {mode}: a save's fork may be refused though there is room, and writes with it (MISCONF)"),
            "sysctl -w vm.overcommit_memory=1, and in /etc/sysctl.d",
        )]
    })
}

pub(super) const HUGE_PAGES: Check = Check {
    name: "transparent-huge-pages",
    look: huge_pages,
    wants: HOST,
};

fn huge_pages(audited: &Audited) -> Option<Vec<Remark>> {
    let always = audited.host.as_ref()?.huge_pages_always?;
    // The server turns them off for itself since 6.2, unless it is told not to.
    let own = of_looks(audited, |look| {
        let off = look
            .config
            .get("disable-thp")
            .is_some_and(|word| word == "yes");
        off.then(Vec::new)
    });
    Some(match (always, own) {
        (false, _) | (_, Some(_)) => Vec::new(),
        (true, None) => vec![HUGE_PAGES.says(
            Severity::Warn,
            "/sys/kernel/mm/transparent_hugepage/enabled",
            "transparent huge pages are on: after a fork each write copies 2 MB, and everybody waits",
            "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled, and restart the server",
        )],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Host;
    use crate::testing::pasted;

    fn audited(text: &str) -> Audited {
        Audited {
            facts: pasted(&format!("# Server\nuptime_in_seconds:90\n{text}")),
            ..Audited::default()
        }
    }

    fn severities(remarks: Option<Vec<Remark>>) -> Option<Vec<Severity>> {
        Some(remarks?.into_iter().map(|remark| remark.severity).collect())
    }

    #[test]
    fn memory_without_a_limit_or_almost_used_is_told() {
        let info = |limit: u64, used: u64, policy: &str| {
            let text = format!(
                "used_memory:{used}\nmaxmemory:{limit}\nmaxmemory_policy:{policy}\ntotal_system_memory:1000000\n"
            );
            severities((MAXMEMORY.look)(&audited(&text)))
        };
        assert_eq!(info(0, 10, "noeviction"), Some(vec![Severity::Warn]));
        assert_eq!(info(100, 95, "noeviction"), Some(vec![Severity::Critical]));
        assert_eq!(info(100, 95, "allkeys-lru"), Some(vec![]));
        assert_eq!(info(900_000, 95, "noeviction"), Some(vec![Severity::Warn]));
    }

    #[test]
    fn a_queue_on_a_server_that_evicts_is_critical() {
        let text = "maxmemory:100\nmaxmemory_policy:allkeys-lru\ncmdstat_brpop:calls=1,usec=1,usec_per_call=1.00\n";
        assert_eq!(
            severities((POLICY.look)(&audited(text))),
            Some(vec![Severity::Critical])
        );
        assert_eq!(
            severities((POLICY.look)(&audited(
                "maxmemory:100\nmaxmemory_policy:allkeys-lru\n"
            ))),
            Some(vec![])
        );
    }

    #[test]
    fn keys_without_a_time_to_live_make_a_volatile_policy_none() {
        let text =
            "maxmemory:100\nmaxmemory_policy:volatile-lru\ndb0:keys=5000,expires=10,avg_ttl=0\n";
        let told = audited(text);
        // Pasted INFO keeps no keyspace: only a live look does.
        let wanted = if told.facts.looks[0].info.contains_key("db0") {
            vec![Severity::Warn]
        } else {
            vec![]
        };
        assert_eq!(severities((POLICY.look)(&told)), Some(wanted));
    }

    #[test]
    fn the_host_is_judged_where_it_is_known() {
        assert_eq!((OVERCOMMIT.look)(&audited("")), None);
        let host = Host {
            overcommit: Some(0),
            huge_pages_always: Some(true),
            ..Host::default()
        };
        let mut told = audited("");
        told.host = Some(host);
        assert_eq!(
            severities((OVERCOMMIT.look)(&told)),
            Some(vec![Severity::Warn])
        );
        assert_eq!(
            severities((HUGE_PAGES.look)(&told)),
            Some(vec![Severity::Warn])
        );
        told.facts = pasted("# Server\nuptime_in_seconds:90\n1) \"disable-thp\"\n2) \"yes\"\n");
        assert_eq!(severities((HUGE_PAGES.look)(&told)), Some(vec![]));
    }
}
