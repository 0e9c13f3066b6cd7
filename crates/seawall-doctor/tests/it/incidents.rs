//! Six incidents, told by what an operator really has of them: files under `tests/incidents`.

use std::fmt::Write as _;
use std::path::Path;

use seawall_doctor::finding::{Confidence, Finding, Verdict};
use seawall_doctor::read::{self, Given, Kind};
use seawall_doctor::stamp::Stamp;
use seawall_doctor::{Diagnosis, Facts, diagnose, report};

fn given() -> Given {
    Given {
        now: Stamp::of((2026, 11, 23), (9, 0, 0), 0).expect("a date"),
    }
}

/// Reads the files of an incident, in that order.
fn of(incident: &str, files: &[&str]) -> Vec<Facts> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/incidents")
        .join(incident);
    let read = |file: &&str| {
        let content = std::fs::read(folder.join(file)).expect("it is there");
        let (kind, facts) = read::file(file, content.as_slice(), given()).expect("it is in memory");
        assert_ne!(kind, Kind::Unknown, "{incident}/{file}");
        facts
    };
    files.iter().map(read).collect()
}

/// The diagnosis of all of it, and that their order changes nothing.
fn diagnosed(sources: Vec<Facts>) -> Diagnosis {
    let all = |sources: &mut dyn Iterator<Item = Facts>| {
        let mut facts = Facts::default();
        sources.for_each(|source| facts.add(source));
        diagnose(facts)
    };
    let diagnosis = all(&mut sources.clone().into_iter());
    let backwards = all(&mut sources.into_iter().rev());
    assert_eq!(
        report::text(&diagnosis, true),
        report::text(&backwards, true),
        "the order of the sources changed the verdict"
    );
    diagnosis
}

fn found<'a>(diagnosis: &'a Diagnosis, code: &str) -> &'a Finding {
    let found = diagnosis
        .findings
        .iter()
        .find(|finding| finding.code.to_string() == code);
    found.unwrap_or_else(|| panic!("{code} was not found:\n{}", report::text(diagnosis, true)))
}

/// The first finding is that one.
fn first<'a>(diagnosis: &'a Diagnosis, code: &str) -> &'a Finding {
    let first = diagnosis.first();
    let is = first.is_some_and(|first| first.code.to_string() == code);
    assert!(
        is,
        "{code} is not the first:\n{}",
        report::text(diagnosis, true)
    );
    found(diagnosis, code)
}

fn says(finding: &Finding, words: &[&str]) {
    for words in words {
        assert!(
            finding.claim.contains(words),
            "`{words}` is not in: {}",
            finding.claim
        );
    }
}

#[test]
fn resets_after_a_deploy_are_pods_times_workers_times_pool() {
    let mut sources = of("deploy", &["app.log", "info-before.txt", "info-after.txt"]);
    // 49 pods of 4 workers, each with a pool of 50.
    let mut clients = String::new();
    for number in 0..9_800_u32 {
        let (pod, place) = (number / 200, number % 200);
        writeln!(
            clients,
            "id={} addr=10.0.{}.{}:{} laddr=10.0.0.2:6379 fd={} name=web age={} idle={} flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 \
             qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=1024 rbp=0 obl=0 oll=0 omem=0 tot-mem=1928 events=r cmd=get user=default redir=-1 resp=2",
            40_000 + number,
            pod / 20 + 4,
            pod % 20 + 10,
            32_768 + place * 11,
            number + 9,
            place + 60,
            place % 50
        )
        .expect("it fits");
    }
    let (_, clients) =
        read::file("clients.txt", clients.as_bytes(), given()).expect("it is in memory");
    sources.push(clients);
    let diagnosis = diagnosed(sources);
    let finding = first(&diagnosis, "SW105");
    says(
        finding,
        &[
            "Redis stayed up; +9,400 connections, 312 rejected",
            "9812 of 10000 in use",
            "49 hosts hold about 200 connections each: pods x workers x pool",
        ],
    );
    assert!(finding.confidence <= Confidence::Strong);
    let text = report::text(&diagnosis, false);
    assert!(
        text.starts_with("DID REDIS STAY UP?  yes: run_id 3f2a90c1"),
        "{text}"
    );
}

#[test]
fn an_oom_kill_in_kubernetes_needs_no_kernel_log() {
    let diagnosis = diagnosed(of("oom-kubernetes", &["pods.json", "app.log"]));
    let finding = first(&diagnosis, "SW402");
    assert!(finding.confidence <= Confidence::Strong);
    assert!(
        finding.whom().contains("shop/redis-0"),
        "{}",
        finding.whom()
    );
}

#[test]
fn a_slow_subscriber_is_proved_by_the_log() {
    let diagnosis = diagnosed(of("slow-subscriber", &["redis.log", "app.log"]));
    let finding = first(&diagnosis, "SW301");
    assert_eq!(finding.confidence, Confidence::Proved);
    says(finding, &["id=8821 10.0.0.7:51234 (metrics)", "33.6 MB"]);
}

#[test]
fn a_slow_subscriber_of_a_managed_service_is_no_more_than_likely() {
    let files = [
        "info-before.txt",
        "info-after.txt",
        "clients.txt",
        "app.log",
    ];
    let diagnosis = diagnosed(of("slow-subscriber-managed", &files));
    let finding = first(&diagnosis, "SW301");
    assert_eq!(finding.confidence, Confidence::Likely);
    says(finding, &["counter"]);
}

#[test]
fn an_idle_drop_behind_a_balancer_has_a_floor() {
    let diagnosis = diagnosed(of("idle-drop", &["app.log", "config.txt", "info.txt"]));
    let finding = first(&diagnosis, "SW203");
    says(
        finding,
        &[
            "37 of 37 resets came after 350 s of rest and more, none sooner",
            "AWS",
        ],
    );
    assert_eq!(finding.confidence, Confidence::Strong);
}

#[test]
fn readonly_after_a_managed_failover_names_the_failover_and_the_primary_of_now() {
    let files = ["events.json", "info.txt", "dns.txt", "app.log"];
    let diagnosis = diagnosed(of("read-only", &files));
    let finding = found(&diagnosis, "SW801");
    says(
        finding,
        &[
            "41 writes were answered READONLY",
            "AWS at 2026-11-23T02:57:55.310Z",
            "shop-002.abc123.0001.euw1.cache.amazonaws.com is 10.0.2.17 now",
            "connections from before that",
        ],
    );
    assert_eq!(finding.confidence, Confidence::Strong);
    // The failover itself may stand above it: nothing else does.
    let above = diagnosis.first().expect("a cause").code;
    assert!(
        above == finding.code || finding.behind == Some(above),
        "{}",
        report::text(&diagnosis, true)
    );
    assert!(finding.verdict <= Verdict::Consequence);
}

#[test]
fn a_celery_worker_that_no_longer_asks_is_told_to_be_restarted() {
    let files = ["clients.txt", "info.txt", "queue.txt", "worker.log"];
    let diagnosis = diagnosed(of("celery", &files));
    let finding = first(&diagnosis, "SW014");
    says(
        finding,
        &[
            "no BRPOP since 2026-11-23T02:58:13",
            "the queue celery grew from 1204 to 1733",
        ],
    );
    assert!(finding.fixes[0].action.starts_with("restart the worker"));
    assert_eq!(finding.confidence, Confidence::Strong);
}
