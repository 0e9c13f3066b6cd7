//! The settings that the doctor may change, and what an operator must know of each.

/// A setting.
#[derive(Debug)]
pub struct Known {
    /// Its name.
    pub name: &'static str,
    /// Whom a change meets, and when.
    pub scope: &'static str,
    /// It has a value for each class of clients.
    pub by_class: bool,
}

const fn plain(name: &'static str, scope: &'static str) -> Known {
    Known {
        name,
        scope,
        by_class: false,
    }
}

const CLIENTS: &str = "every client, from now on";
const NEW: &str = "connections that are made from now on";
const SERVER: &str = "the whole server, from now on";

/// Nothing in here deletes, closes or stops: what could is looked at by `guard` before.
const KNOWN: &[Known] = &[
    plain("active-defrag-cycle-max", SERVER),
    plain("activedefrag", SERVER),
    plain("appendfsync", SERVER),
    Known {
        name: "client-output-buffer-limit",
        scope: "the clients of that class, also those that are connected",
        by_class: true,
    },
    plain("client-query-buffer-limit", CLIENTS),
    plain("hz", SERVER),
    plain("latency-monitor-threshold", "nobody: what is recorded"),
    plain("lazyfree-lazy-eviction", SERVER),
    plain("lazyfree-lazy-expire", SERVER),
    plain("lazyfree-lazy-server-del", SERVER),
    plain("lazyfree-lazy-user-del", CLIENTS),
    plain("lazyfree-lazy-user-flush", CLIENTS),
    plain("maxclients", NEW),
    plain("maxmemory", SERVER),
    plain("maxmemory-clients", "all clients together, from now on"),
    plain("maxmemory-policy", SERVER),
    plain("no-appendfsync-on-rewrite", SERVER),
    plain("repl-backlog-size", "replicas, from now on"),
    plain("repl-timeout", "replicas, from now on"),
    plain("slowlog-log-slower-than", "nobody: what is recorded"),
    plain("slowlog-max-len", "nobody: what is recorded"),
    plain("tcp-keepalive", NEW),
    plain(
        "timeout",
        "every client that rests, also those that are connected",
    ),
];

/// What is known of a setting; nothing of those that the doctor does not change.
pub fn known(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.name == name)
}

impl Known {
    /// How to have it after a restart: the file, Helm, a parameter group.
    pub fn kept_by(&self, value: &str, file: Option<&str>) -> Vec<String> {
        let name = self.name;
        let file = match file {
            Some(file) => format!(
                "in {file}: {name} {value} (or redis-cli CONFIG REWRITE, which writes all settings there)"
            ),
            None => format!(
                "the server was started without a file: on its command line --{name} {value}, or in a redis.conf"
            ),
        };
        let helm =
            format!("Helm (bitnami/redis): commonConfiguration: |- with the line {name} {value}");
        let group = if self.by_class {
            let class = value.split(' ').next().unwrap_or("");
            format!(
                "ElastiCache: {name}-{class}-hard-limit, -soft-limit and -soft-seconds of its parameter group"
            )
        } else {
            format!("managed services: {name} of the parameter group, where it has one")
        };
        vec![file, helm, group]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_deletes_or_opens_a_door_is_in_the_list() {
        for name in [
            "dir",
            "dbfilename",
            "requirepass",
            "protected-mode",
            "save",
            "bind",
            "appendonly",
            "stop-writes-on-bgsave-error",
            "replicaof",
        ] {
            assert!(known(name).is_none(), "{name}");
        }
        assert!(KNOWN.is_sorted_by_key(|known| known.name));
    }
}
