//! Numbers that no server has, in all that a rule reads of one.

use proptest::prelude::*;

use super::*;

const FIELDS: &[&str] = &[
    "uptime_in_seconds",
    "server_time_usec",
    "arch_bits",
    "connected_clients",
    "connected_slaves",
    "cluster_enabled",
    "used_memory",
    "used_memory_rss",
    "used_memory_peak",
    "used_memory_lua",
    "used_memory_scripts",
    "total_system_memory",
    "maxmemory",
    "mem_not_counted_for_evict",
    "mem_clients_normal",
    "mem_clients_slaves",
    "mem_total_replication_buffers",
    "mem_replication_backlog",
    "mem_aof_buffer",
    "mem_fragmentation_ratio",
    "active_defrag_running",
    "number_of_cached_scripts",
    "evicted_scripts",
    "evicted_keys",
    "evicted_clients",
    "expired_stale_perc",
    "expired_time_cap_reached_count",
    "total_eviction_exceeded_time",
    "total_commands_processed",
    "total_connections_received",
    "total_net_output_bytes",
    "total_error_replies",
    "instantaneous_ops_per_sec",
    "rejected_connections",
    "keyspace_hits",
    "keyspace_misses",
    "latest_fork_usec",
    "loading",
    "loading_eta_seconds",
    "rdb_changes_since_last_save",
    "rdb_current_bgsave_time_sec",
    "rdb_last_bgsave_time_sec",
    "rdb_last_cow_size",
    "aof_last_cow_size",
    "aof_current_rewrite_time_sec",
    "aof_last_rewrite_time_sec",
    "aof_rewrites_consecutive_failures",
    "aof_delayed_fsync",
    "used_cpu_user_main_thread",
    "used_cpu_sys_main_thread",
];

const VALUES: &[&str] = &[
    "0",
    "1",
    "60",
    "18446744073709551615",
    "18446744073709551614",
    "9223372036854775807",
    "-9223372036854775808",
    "-1",
    "1e308",
    "nan",
    "inf",
    "",
    "100000000000",
];

fn one() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(VALUES)
}

fn info() -> impl Strategy<Value = String> {
    let fields = proptest::collection::vec(one(), FIELDS.len());
    (fields, one(), one(), one()).prop_map(|(values, calls, micros, keys)| {
        let mut text = vec!["# Server\nrun_id:3f2a90c1\nrole:master\n".to_owned()];
        let fields = FIELDS.iter().zip(values);
        text.extend(fields.map(|(field, value)| format!("{field}:{value}\n")));
        let commands = ["flushall", "flushdb", "swapdb", "client|pause", "client|list"];
        text.extend(commands.map(|command| {
            format!("cmdstat_{command}:calls={calls},usec={micros},usec_per_call=1.00\n")
        }));
        text.push(format!(
            "maxmemory_policy:volatile-lru\nerrorstat_OOM:count={calls}\n\
             db0:keys={keys},expires={calls},avg_ttl={micros}\ndb1:keys={keys},expires={keys},avg_ttl=0\n"
        ));
        text.concat()
    })
}

fn replies() -> impl Strategy<Value = String> {
    (one(), one(), one(), one()).prop_map(|(at, took, held, queued)| {
        format!(
            "id=7 addr=10.0.0.7:51234 name=web flags=b db={queued} multi={queued} qbuf={held} omem={held} cmd=brpop\n\
             1) 1) (integer) 14\n   2) (integer) {at}\n   3) (integer) {took}\n   4) 1) \"del\"\n   5) \"10.0.0.7:51234\"\n   6) \"\"\n\
             1) 1) \"command\"\n   2) (integer) {at}\n   3) (integer) {took}\n   4) (integer) {took}\n"
        )
    })
}

fn lines() -> impl Strategy<Value = String> {
    (one(), one(), one()).prop_map(|(one, other, third)| {
        let said = [
            format!("RDB age {one} seconds"),
            format!("Done loading RDB, keys loaded: {one}, keys expired: {other}."),
            format!("Background saving started by pid {third}"),
            format!("Background saving terminated by signal {one}"),
            format!("Fork CoW for RDB: current {one} MB, peak {other} MB, average {third} MB"),
            format!("!!! Truncating the AOF a.aof at offset {one} !!!"),
            format!("Slow script detected: still in execution after {other} milliseconds"),
            format!("the new maxmemory value set via CONFIG SET ({one}) is smaller than the current memory usage ({other})"),
            "oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo".to_owned(),
            "Ready to accept connections".to_owned(),
        ];
        let lines = said
            .iter()
            .cycle()
            .take(said.len() * 2)
            .enumerate()
            .map(|(at, words)| format!("9:M 23 Nov 2026 02:58:{at:02}.042 # {words}\n"));
        lines.collect()
    })
}

fn read(name: &str, text: &str) -> Facts {
    let (_, facts) =
        read::file(name, text.as_bytes(), Given { now: now() }).expect("it is in memory");
    facts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn no_number_makes_a_rule_panic(before in info(), after in info(), replies in replies(), lines in lines()) {
        let mut facts = read("info.txt", &format!("{before}\n{after}\n{replies}"));
        facts.add(read("redis.log", &lines));
        facts.add(application("2026-11-23T02:58:11Z TimeoutError: Timeout reading from cache:6379\n"));
        let diagnosis = diagnose(facts);
        prop_assert!(!report::text(&diagnosis, true).is_empty());
    }
}
