//! Settings of a server that rules read. They are asked for by name, and nothing else is kept of what was pasted: no secret
//! comes along (`requirepass`, `masterauth`, `tls-key-file-pass` and their like are in no list of ours).

/// Their names, as servers of today call them.
pub(crate) const SETTINGS: &[&str] = &[
    "acllog-max-len",
    "active-defrag-cycle-max",
    "active-expire-effort",
    "activedefrag",
    "aof-load-truncated",
    "aof-use-rdb-preamble",
    "appendfsync",
    "appendonly",
    "auto-aof-rewrite-min-size",
    "auto-aof-rewrite-percentage",
    "bind",
    "busy-reply-threshold",
    "client-output-buffer-limit",
    "client-query-buffer-limit",
    "cluster-allow-reads-when-down",
    "cluster-announce-bus-port",
    "cluster-announce-hostname",
    "cluster-announce-ip",
    "cluster-announce-port",
    "cluster-enabled",
    "cluster-link-sendbuf-limit",
    "cluster-node-timeout",
    "cluster-preferred-endpoint-type",
    "cluster-replica-no-failover",
    "cluster-replica-validity-factor",
    "cluster-require-full-coverage",
    "databases",
    "dbfilename",
    "dir",
    "disable-thp",
    "dynamic-hz",
    "hz",
    "io-threads",
    "io-threads-do-reads",
    "latency-monitor-threshold",
    "latency-tracking",
    "lazyfree-lazy-eviction",
    "lazyfree-lazy-expire",
    "lazyfree-lazy-server-del",
    "lazyfree-lazy-user-del",
    "lazyfree-lazy-user-flush",
    "lfu-decay-time",
    "logfile",
    "loglevel",
    "lua-time-limit",
    "max-new-connections-per-cycle",
    "max-new-tls-connections-per-cycle",
    "maxclients",
    "maxmemory",
    "maxmemory-clients",
    "maxmemory-eviction-tenacity",
    "maxmemory-policy",
    "maxmemory-samples",
    "min-replicas-max-lag",
    "min-replicas-to-write",
    "no-appendfsync-on-rewrite",
    "oom-score-adj",
    "port",
    "protected-mode",
    "proto-max-bulk-len",
    "rdb-save-incremental-fsync",
    "repl-backlog-size",
    "repl-backlog-ttl",
    "repl-disable-tcp-nodelay",
    "repl-diskless-load",
    "repl-diskless-sync",
    "repl-diskless-sync-delay",
    "repl-ping-replica-period",
    "repl-timeout",
    "replica-announce-ip",
    "replica-announce-port",
    "replica-announced",
    "replica-ignore-maxmemory",
    "replica-lazy-flush",
    "replica-priority",
    "replica-read-only",
    "replica-serve-stale-data",
    "save",
    "slowlog-log-slower-than",
    "slowlog-max-len",
    "stop-writes-on-bgsave-error",
    "supervised",
    "tcp-backlog",
    "tcp-keepalive",
    "timeout",
    "tls-auth-clients",
    "tls-cluster",
    "tls-port",
    "tls-protocols",
    "tls-replication",
    "tracking-table-max-keys",
    "unixsocket",
    "unixsocketperm",
];

/// What servers before 5.0 call some of them.
pub(crate) const FORMER: &[(&str, &str)] = &[
    ("min-slaves-max-lag", "min-replicas-max-lag"),
    ("min-slaves-to-write", "min-replicas-to-write"),
    ("repl-ping-slave-period", "repl-ping-replica-period"),
    ("slave-priority", "replica-priority"),
    ("slave-read-only", "replica-read-only"),
    ("slave-serve-stale-data", "replica-serve-stale-data"),
    (
        "cluster-slave-validity-factor",
        "cluster-replica-validity-factor",
    ),
];

/// The name of today of a setting that is kept.
pub(crate) fn kept(name: &str) -> Option<&'static str> {
    let former = FORMER.iter().find(|(former, _)| *former == name);
    let name = former.map_or(name, |(_, today)| today);
    SETTINGS.iter().find(|known| **known == name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_in_the_list() {
        let secret = ["auth", "pass", "aclfile", "key-file"];
        for name in SETTINGS {
            let harmless = *name == "tls-auth-clients";
            assert!(
                harmless || !secret.iter().any(|word| name.contains(word)),
                "{name}"
            );
        }
        assert_eq!(kept("slave-priority"), Some("replica-priority"));
        assert_eq!(kept("requirepass"), None);
    }
}
