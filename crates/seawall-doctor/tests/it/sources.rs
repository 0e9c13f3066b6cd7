//! Every kind of file at once: their order changes nothing, and nothing of what is secret in them comes out.

use proptest::prelude::*;
use seawall_doctor::logs::Logs;
use seawall_doctor::read::{self, Given, Kind};
use seawall_doctor::stamp::Stamp;
use seawall_doctor::{Facts, diagnose, report};

const PLANTED: &str = "planted-4711";

fn given() -> Given {
    Given {
        now: Stamp::of((2026, 11, 24), (0, 0, 0), 0).expect("a date"),
    }
}

/// What one has after an incident, with something secret wherever somebody could have put it.
fn files() -> Vec<(&'static str, String)> {
    let refused: String = (11..31)
        .map(|second| {
            [
                "[2026-11-23 03:58:",
                &second.to_string(),
                ",042: ERROR/ForkPoolWorker-3] consumer: Cannot connect to redis://user:",
                PLANTED,
                "@cache:6379/0: Error 111 connecting to cache:6379. Connection refused..\n",
            ]
            .concat()
        })
        .collect();
    let redis = "9:M 23 Nov 2026 02:30:11.042 * Ready to accept connections
9:M 23 Nov 2026 02:50:11.042 # Client id=8 addr=10.0.0.7:51234 name=PLANTED flags=P omem=33600000 cmd=subscribe scheduled to be closed ASAP for overcoming of output buffer limits.
9:signal-handler (1795402691) Received SIGTERM scheduling shutdown...
9:M 23 Nov 2026 02:58:11.142 # User requested shutdown...
9:M 23 Nov 2026 02:58:11.150 # Redis is now ready to exit, bye bye...
9:M 23 Nov 2026 02:58:12.150 . - Accepted PLANTED
".replace("name=PLANTED", "name=metrics");
    let json = r#"{"time":"2026-11-23T02:58:13Z","pid":77,"level":"error","msg":"cart PLANTED","key":"PLANTED","err":{"type":"ReplyError","message":"WRONGPASS invalid username-password pair","stack":"ReplyError: WRONGPASS\n at PLANTED","command":{"name":"auth","args":["PLANTED"]}}}
{"time":"2026-11-23T02:58:14Z","pid":77,"level":"error","msg":"redis.exceptions.ResponseError: Command # 1 (SET PLANTED PLANTED) of pipeline caused error: READONLY You can't write against a read only replica."}
{"time":"2026-11-23T02:58:15Z","msg":"Timeout performing GET PLANTED (5000ms), next: SET PLANTED, endpoint: cache:6379"}
"#;
    let traceback = "2026-11-23 02:58:16,042 ERROR PLANTED
Traceback (most recent call last):
  File \"/v/redis/commands/core.py\", line 9, in hget
    return PLANTED
redis.exceptions.InvalidResponse: Protocol Error: b'PLANTED'
";
    let kernel = "2026-11-23T02:58:11+0000 host kernel: Memory cgroup out of memory: Killed process 9 (redis-server) total-vm:9kB
2026-11-23T02:58:11+0000 host kernel: audit: PLANTED\n";
    let pods = r#"{"apiVersion": "v1", "kind": "List", "items": [
{"kind": "Pod", "metadata": {"name": "redis-0", "namespace": "shop", "annotations": {"a": "PLANTED"}, "labels": {"l": "PLANTED"}},
 "spec": {"containers": [{"name": "redis", "image": "redis:7", "command": ["PLANTED"], "args": ["--requirepass", "PLANTED"],
   "env": [{"name": "PLANTED", "value": "PLANTED"}], "livenessProbe": {"exec": {"command": ["redis-cli", "-a", "PLANTED"]}}}]},
 "status": {"containerStatuses": [{"name": "redis", "restartCount": 2, "lastState": {"terminated":
   {"reason": "OOMKilled", "exitCode": 137, "message": "PLANTED", "finishedAt": "2026-11-23T02:58:11Z"}}}]}},
{"kind": "Event", "involvedObject": {"kind": "Pod", "namespace": "shop", "name": "redis-0", "fieldPath": "spec.containers{redis}"},
 "reason": "Unhealthy", "message": "Liveness probe failed: AUTH PLANTED", "lastTimestamp": "2026-11-23T02:57:00Z"}]}"#;
    let inspect = r#"[{"Name": "/cache", "State": {"Running": false, "OOMKilled": false, "ExitCode": 1, "Error": "PLANTED", "FinishedAt": "2026-11-23T02:58:11Z"},
"RestartCount": 1, "HostConfig": {"Memory": 0}, "Config": {"Image": "redis:7", "Env": ["PLANTED=PLANTED"], "Cmd": ["PLANTED"]}, "Args": ["PLANTED"]}]"#;
    let events = r#"{"Events": [{"SourceIdentifier": "shop-001", "Message": "Failover from master node shop-001 to replica node PLANTED completed", "Date": "2026-11-23T02:58:11Z"}]}"#;
    let info = "# Server\nredis_version:7.0.15\nrun_id:abc\nuptime_in_seconds:100\nrole:master\n# Clients\nconnected_clients:7\n# Keyspace\ndb0:keys=1,expires=0\nid=7 addr=10.0.0.9:5 name= flags=N omem=0 cmd=get user=PLANTED\n";
    let compose = "redis-1  | 9:M 23 Nov 2026 02:58:11.042 * Ready to accept connections
web-1    | 2026-11-23T02:58:17Z redis.exceptions.ConnectionError: Connection closed by server. while SET PLANTED PLANTED\n";
    vec![
        ("app.log", refused),
        ("redis.log", redis.replace("PLANTED", PLANTED)),
        ("json.log", json.replace("PLANTED", PLANTED)),
        ("traceback.log", traceback.replace("PLANTED", PLANTED)),
        ("kernel.log", kernel.replace("PLANTED", PLANTED)),
        ("pods.json", pods.replace("PLANTED", PLANTED)),
        ("inspect.json", inspect.replace("PLANTED", PLANTED)),
        ("events.json", events.replace("PLANTED", PLANTED)),
        ("info.txt", info.replace("PLANTED", PLANTED)),
        ("compose.log", compose.replace("PLANTED", PLANTED)),
    ]
}

fn together(files: &[(&str, String)]) -> Facts {
    let mut facts = Facts::default();
    for (name, text) in files {
        let (kind, told) = read::file(name, text.as_bytes(), given()).expect("it is in memory");
        assert_ne!(kind, Kind::Unknown, "{name}");
        facts.add(told);
    }
    facts
}

#[test]
fn nothing_secret_of_any_kind_of_file_is_in_any_output() {
    let facts = together(&files());
    let lines: Vec<_> = facts
        .client_log
        .iter()
        .map(|fact| fact.place.to_string())
        .collect();
    assert_eq!(lines.len(), 25, "{lines:?}");
    assert!(!format!("{facts:?}").contains(PLANTED), "{facts:#?}");
    let logs = Logs::of(facts.clone());
    let diagnosis = diagnose(facts);
    assert!(diagnosis.first().is_some());
    for told in [
        report::text(&diagnosis, true),
        report::json(&diagnosis).to_string(),
        report::markdown(&diagnosis),
        report::sarif(&diagnosis).to_string(),
        report::junit(&diagnosis),
        report::html(&diagnosis),
        logs.text(),
        logs.json().to_string(),
    ] {
        assert!(!told.contains(PLANTED), "{told}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn the_order_of_files_changes_nothing(files in Just(files()).prop_shuffle(), left_out in 0_usize..10) {
        let mut some = files;
        some.truncate(some.len() - left_out);
        let mut sorted = some.clone();
        sorted.sort();
        let (one, other) = (together(&some), together(&sorted));
        prop_assert_eq!(Logs::of(one.clone()).text(), Logs::of(other.clone()).text());
        let (one, other) = (diagnose(one), diagnose(other));
        prop_assert_eq!(report::text(&one, true), report::text(&other, true));
        prop_assert_eq!(report::json(&one).to_string(), report::json(&other).to_string());
    }

    #[test]
    fn no_damage_to_a_file_makes_a_reader_panic(which in 0_usize..10, at in any::<prop::sample::Index>(), bytes in proptest::collection::vec(any::<u8>(), 0..8), cut in any::<bool>()) {
        let (name, text) = files().swap_remove(which);
        let mut damaged = text.into_bytes();
        let at = at.index(damaged.len());
        let end = if cut { damaged.len() } else { (at + bytes.len()).min(damaged.len()) };
        damaged.splice(at..end, bytes);
        if let Ok((_, facts)) = read::file(name, &damaged[..], given()) {
            let _ = Logs::of(facts.clone()).text();
            let _ = report::text(&diagnose(facts), true);
        }
    }
}
