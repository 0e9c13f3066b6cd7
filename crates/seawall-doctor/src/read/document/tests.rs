use super::*;
use crate::container::{Probe, Reason, Runner};
use crate::provider::Provider;
use crate::testing::document;

/// As `kubectl get pod,events -o json` writes it, without most of what is not looked at.
const PODS: &str = r#"{
  "apiVersion": "v1",
  "items": [
    {"apiVersion": "v1", "kind": "Pod",
     "metadata": {"name": "redis-0", "namespace": "shop", "annotations": {"a": "planted-4711"}, "managedFields": [{}]},
     "spec": {"containers": [
       {"name": "redis", "image": "docker.io/bitnami/redis:7.0.15", "args": ["--requirepass", "planted-4711"],
        "env": [{"name": "REDIS_PASSWORD", "value": "planted-4711"}],
        "resources": {"limits": {"memory": "512Mi"}}},
       {"name": "metrics", "image": "oliver006/redis_exporter:v1", "resources": {}}]},
     "status": {"phase": "Running", "containerStatuses": [
       {"name": "metrics", "restartCount": 0, "state": {"running": {"startedAt": "2026-11-23T02:00:00Z"}}, "lastState": {}},
       {"name": "redis", "restartCount": 3, "state": {"running": {"startedAt": "2026-11-23T02:58:15Z"}},
        "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled", "message": "planted-4711",
          "startedAt": "2026-11-23T01:00:00Z", "finishedAt": "2026-11-23T02:58:11Z"}}}]}},
    {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "redis-0.17", "namespace": "shop"},
     "involvedObject": {"kind": "Pod", "name": "redis-0", "namespace": "shop", "fieldPath": "spec.containers{redis}"},
     "reason": "Unhealthy", "type": "Warning", "count": 7,
     "message": "Liveness probe failed: Could not connect to Redis: planted-4711",
     "firstTimestamp": "2026-11-23T02:50:00Z", "lastTimestamp": "2026-11-23T02:57:00Z"}
  ],
  "kind": "List", "metadata": {"resourceVersion": ""}
}
"#;

#[test]
fn a_pod_tells_how_its_container_ended_and_an_event_what_its_probe_said() {
    let facts = document(PODS);
    let told: Vec<_> = facts
        .containers
        .iter()
        .map(|fact| (fact.what.container.label(), fact.what.news.clone()))
        .collect();
    let label = "pod shop/redis-0 container redis".to_owned();
    let probe = Probe::Liveness;
    let ended = News::Ended {
        reason: Reason::OomKilled,
        exit: 137,
    };
    assert_eq!(
        told,
        [
            (label.clone(), News::ProbeFailed { probe, count: 7 }),
            (label, ended)
        ]
    );
    for fact in &facts.containers {
        assert!(fact.what.container.serves);
        assert_eq!(fact.what.container.memory_limit, Some(512 << 20));
        assert_eq!(fact.what.container.restarts, 3);
    }
    assert!(!format!("{facts:?}").contains("planted"), "{facts:?}");
}

#[test]
fn it_is_the_same_written_compactly_and_entry_by_entry() {
    let whole: Value = serde_json::from_str(PODS).expect("JSON");
    let compact = whole.to_string();
    let entries: Vec<_> = whole["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(Value::to_string)
        .collect();
    for text in [
        compact,
        entries.join("\n"),
        format!("[{}]", entries.join(",")),
    ] {
        assert_eq!(document(&text).containers, document(PODS).containers);
    }
}

#[test]
fn what_breaks_off_is_read_as_far_as_it_goes_and_said() {
    let at = PODS.find(r#"{"apiVersion": "v1", "kind": "Event""#);
    let facts = document(&PODS[..at.expect("an event") + 30]);
    assert_eq!(facts.containers.len(), 1);
    assert!(facts.unseen[0].why.contains("breaks off"), "{facts:?}");
}

#[test]
fn docker_inspect_tells_of_a_kill_and_of_an_exit() {
    let inspect = |oom: bool, running: bool, exit: i64| {
        let text = format!(
            r#"[
    {{
        "Id": "ab12",
        "State": {{"Status": "exited", "Running": {running}, "OOMKilled": {oom}, "ExitCode": {exit},
                  "Error": "", "StartedAt": "2026-11-23T01:58:11.1Z", "FinishedAt": "2026-11-23T02:58:11.123456789Z"}},
        "Name": "/cache", "RestartCount": 1,
        "HostConfig": {{"Memory": 536870912}},
        "Config": {{"Image": "redis:7", "Env": ["PASSWORD=planted-4711"], "Cmd": ["redis-server", "--requirepass", "planted-4711"]}}
    }}
]
"#
        );
        document(&text)
    };
    let killed = inspect(true, true, 0);
    let fact = &killed.containers[0];
    assert_eq!(fact.what.container.runner, Runner::Docker);
    assert_eq!(fact.what.container.label(), "container cache");
    assert!(matches!(
        fact.what.news,
        News::Ended {
            reason: Reason::OomKilled,
            ..
        }
    ));
    assert_eq!(
        fact.at.expect("a time").to_string(),
        "2026-11-23T02:58:11.123Z"
    );
    let ended = inspect(false, false, 137);
    assert!(matches!(
        ended.containers[0].what.news,
        News::Ended {
            reason: Reason::Error,
            exit: 137
        }
    ));
    assert!(!format!("{killed:?}{ended:?}").contains("planted"));
}

#[test]
fn providers_tell_what_they_did() {
    let aws = r#"{
    "Events": [
        {"SourceIdentifier": "shop-001", "SourceType": "cache-cluster",
         "Message": "Failover from master node shop-001 to replica node shop-002 completed", "Date": "2026-11-23T02:58:11.042000+00:00"},
        {"SourceIdentifier": "shop-001", "SourceType": "cache-cluster", "Message": "Finished recovery for cache nodes 0001", "Date": "2026-11-23T03:08:11.042000+00:00"}
    ]
}"#;
    let gcp = r#"[{"insertId": "x", "logName": "projects/p/logs/cloudaudit.googleapis.com%2Factivity",
  "protoPayload": {"serviceName": "redis.googleapis.com", "methodName": "google.cloud.redis.v1.CloudRedis.FailoverInstance",
  "resourceName": "projects/p/locations/l/instances/shop"}, "timestamp": "2026-11-23T02:58:11.042Z"}]"#;
    let azure = r#"[{"eventTimestamp": "2026-11-23T02:58:11.042Z", "operationName": {"value": "Microsoft.Cache/redis/forceReboot/action"},
  "resourceId": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Cache/Redis/shop", "claims": {"name": "planted-4711"}}]"#;
    let acts = |text: &str| -> Vec<_> {
        let facts = document(text);
        let all = facts.provider.iter();
        all.map(|fact| {
            assert!(fact.at.is_some());
            let what = &fact.what;
            (what.provider, what.resource.clone(), what.act)
        })
        .collect()
    };
    let shop = |number: &str| format!("shop{number}");
    assert_eq!(
        acts(aws),
        [
            (Provider::Aws, shop("-001"), Act::Failover),
            (Provider::Aws, shop("-001"), Act::NodeRecovered)
        ]
    );
    assert_eq!(acts(gcp), [(Provider::Gcp, shop(""), Act::FailoverAsked)]);
    assert_eq!(acts(azure), [(Provider::Azure, shop(""), Act::Restarted)]);
}

#[test]
fn an_evicted_pod_tells_of_what_there_was_too_little() {
    let pod = r#"{
  "kind": "Pod", "metadata": {"name": "valkey-0"}, "spec": {"containers": [{"name": "valkey", "image": "valkey/valkey:8"}]},
  "status": {"reason": "Evicted", "message": "The node was low on resource: memory. Threshold quantity: 100Mi", "startTime": "2026-11-23T02:58:11Z"}}"#;
    let facts = document(pod);
    assert_eq!(
        facts.containers[0].what.news,
        News::Evicted("memory".to_owned())
    );
    assert!(facts.containers[0].what.container.serves);
}

#[test]
fn other_json_is_nothing_that_is_known() {
    for text in [
        "{\"a\": 1}",
        "[]",
        "[{}]",
        "{\n}",
        "{\"items\": {}}",
        "{\"items\": 7}",
        "[{\"kind\": 7}]",
        "{",
        "[1,",
    ] {
        let mut facts = Facts::default();
        assert!(!read("any.json", text.as_bytes(), &mut facts), "{text}");
    }
}

#[test]
fn logs_of_one_object_a_line_are_no_documents() {
    for head in [
        r#"{"time":"2026-11-23T02:58:11Z","level":"error","msg":"x"}"#,
        "[9] 25 Dec 00:03:01.996 # User requested shutdown...",
        "[12345.678901] Out of memory",
        "9:M 23 Nov 2026 02:58:11.042 * Ready",
        r#"{"log":"x\n","stream":"stdout","time":"2026-11-23T02:58:11Z"}"#,
    ] {
        assert!(!begins(format!("{head}\n{head}\n").as_bytes()), "{head}");
    }
    assert!(begins(PODS.as_bytes()));
}

#[test]
fn an_entry_without_an_end_ends_the_reading_and_not_the_memory() {
    let endless = std::io::repeat(b'x');
    let text = b"[{\"kind\": \"Pod\", \"metadata\": {\"name\": \"";
    let mut facts = Facts::default();
    assert!(!read("any.json", text.chain(endless), &mut facts));
}
