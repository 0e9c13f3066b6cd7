//! Ten configurations, each with a load that it is for.

use super::Healthy;
use crate::bed::Bed;
use crate::case::Trouble;
use crate::client::Client;

/// All of them.
pub const ALL: &[Healthy] = &[
    Healthy {
        name: "plain",
        config: &[],
        prepare: nothing,
        load: &[reads_and_writes, reads_and_writes, counts],
        midway: |_| Ok(()),
    },
    Healthy {
        name: "cache-that-evicts",
        config: &[
            ("maxmemory", "8mb"),
            ("maxmemory-policy", "allkeys-lru"),
            ("appendonly", "no"),
        ],
        prepare: nothing,
        load: &[fills, reads_and_writes],
        midway: |_| Ok(()),
    },
    Healthy {
        name: "queue",
        config: &[("maxmemory", "256mb"), ("maxmemory-policy", "noeviction")],
        prepare: nothing,
        load: &[pushes, pops, pops],
        midway: |_| Ok(()),
    },
    Healthy {
        name: "publish-subscribe",
        config: &[],
        prepare: nothing,
        load: &[publishes, subscribes_for_a_while],
        midway: |_| Ok(()),
    },
    Healthy {
        name: "append-only-file-rewritten",
        config: &[("appendonly", "yes"), ("appendfsync", "everysec")],
        prepare: nothing,
        load: &[reads_and_writes, counts],
        midway: |bed| Ok(bed.server().command(&[b"BGREWRITEAOF"]).map(drop)?),
    },
    Healthy {
        name: "snapshot",
        config: &[("save", "3600 1"), ("appendonly", "no")],
        prepare: nothing,
        load: &[reads_and_writes, counts],
        midway: |bed| Ok(bed.server().command(&[b"BGSAVE"]).map(drop)?),
    },
    Healthy {
        name: "with-a-replica",
        config: &[("repl-diskless-sync-delay", "0")],
        prepare: with_replica,
        load: &[reads_and_writes, counts],
        midway: |_| Ok(()),
    },
    Healthy {
        name: "many-connections",
        config: &[("maxclients", "1000"), ("tcp-keepalive", "60")],
        prepare: many,
        load: &[reads_and_writes, reads_and_writes],
        midway: |_| Ok(()),
    },
    Healthy {
        name: "pipelines-and-lists",
        config: &[("client-output-buffer-limit", "normal 64mb 0 0")],
        prepare: nothing,
        load: &[pipelines, ranges],
        midway: |_| Ok(()),
    },
    Healthy {
        name: "scripts-and-transactions",
        config: &[("loglevel", "verbose")],
        prepare: nothing,
        load: &[scripts, transacts, connects_anew],
        midway: |bed| {
            // An operator's visit leaves traces, and harms nobody.
            bed.server().command(&[b"CLIENT", b"LIST"])?;
            Ok(bed.server().command(&[b"CONFIG", b"GET", b"*"]).map(drop)?)
        },
    },
];

#[expect(clippy::unnecessary_wraps, reason = "others can fail")]
fn nothing(_: &mut Bed<'_>) -> Result<(), Trouble> {
    Ok(())
}

fn with_replica(bed: &mut Bed<'_>) -> Result<(), Trouble> {
    let port = bed.server().port().to_string();
    let of = format!("127.0.0.1 {port}");
    let replica = seawall_lab::world::Server::start(bed.binary(), &[("replicaof", &of)])?;
    bed.until("the replica's link", |_| {
        let told = replica.info("replication")?;
        Ok(told
            .get("master_link_status")
            .is_some_and(|status| status == "up"))
    })?;
    bed.keep(replica);
    Ok(())
}

fn many(bed: &mut Bed<'_>) -> Result<(), Trouble> {
    for _ in 0..200 {
        let mut client = bed.client();
        client.call(&["PING"]);
        if !client.connect() {
            return Err(Trouble::Late("a connection"));
        }
        bed.keep(client);
    }
    Ok(())
}

fn reads_and_writes(client: &mut Client, round: u64) {
    let key = format!("key:{}", round % 1000);
    client.call(&["SET", &key, "value", "EX", "600"]);
    client.call(&["GET", &key]);
}

fn counts(client: &mut Client, round: u64) {
    client.call(&["INCR", "count"]);
    client.call(&["HSET", "hash", &(round % 100).to_string(), "1"]);
}

fn fills(client: &mut Client, round: u64) {
    client.call(&["SET", &format!("fill:{round}"), &"x".repeat(8 * 1024)]);
}

fn pushes(client: &mut Client, round: u64) {
    client.call(&["LPUSH", "queue", &round.to_string()]);
    std::thread::sleep(std::time::Duration::from_millis(1));
}

fn pops(client: &mut Client, _: u64) {
    client.call(&["BRPOP", "queue", "0.2"]);
}

fn publishes(client: &mut Client, _: u64) {
    client.call(&["PUBLISH", "news", &"x".repeat(256)]);
}

fn subscribes_for_a_while(client: &mut Client, round: u64) {
    if round == 0 {
        client.call(&["SUBSCRIBE", "news"]);
    }
    client.reply();
}

fn pipelines(client: &mut Client, _: u64) {
    let set: &[&str] = &["RPUSH", "list", "an element of a list"];
    let trim: &[&str] = &["LTRIM", "list", "-1000", "-1"];
    let mut commands = vec![set; 500];
    commands.push(trim);
    client.send(&commands);
    for _ in &commands {
        client.reply();
    }
}

fn ranges(client: &mut Client, _: u64) {
    client.call(&["LRANGE", "list", "0", "-1"]);
}

fn scripts(client: &mut Client, round: u64) {
    let script = "return redis.call('INCRBY', KEYS[1], ARGV[1])";
    client.call(&["EVAL", script, "1", "sum", &(round % 7).to_string()]);
}

fn transacts(client: &mut Client, _: u64) {
    client.call(&["MULTI"]);
    client.call(&["INCR", "in"]);
    client.call(&["DECR", "out"]);
    client.call(&["EXEC"]);
}

fn connects_anew(client: &mut Client, round: u64) {
    client.call(&["PING"]);
    if round % 50 == 49 {
        client.hang_up();
    }
}
