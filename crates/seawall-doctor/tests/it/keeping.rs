//! Memory, time and data of real servers.

use std::io::Write;

use seawall_doctor::facts::Reach;
use seawall_lab::world::Server;

use super::*;

fn run(server: &Server, words: &[&str]) {
    let words: Vec<_> = words.iter().map(|word| word.as_bytes()).collect();
    server.command(&words).expect("it is answered");
}

fn fill(server: &Server, keys: usize) {
    let keys: Vec<_> = (0..keys).map(|key| format!("key:{key}")).collect();
    for some in keys.chunks(500) {
        let value = "x".repeat(200);
        let sets: Vec<Vec<&[u8]>> = some
            .iter()
            .map(|key| vec![b"SET".as_slice(), key.as_bytes(), value.as_bytes()])
            .collect();
        let sets: Vec<&[&[u8]]> = sets.iter().map(Vec::as_slice).collect();
        server.pipeline(&sets).expect("it takes them");
    }
}

/// Two looks at it, and what was done between them; with its log.
fn before_and_after(server: &Server, done: impl FnOnce()) -> Facts {
    let mut facts = looked_at(server);
    done();
    // A baseline needs a clock that went on.
    std::thread::sleep(Duration::from_millis(20));
    facts.add(looked_at(server));
    facts.add(log_of(server));
    facts
}

fn codes(diagnosis: &Diagnosis) -> Vec<(u16, Verdict)> {
    let all = diagnosis.findings.iter();
    all.map(|finding| (finding.code.0, finding.verdict))
        .collect()
}

fn refused(code: &str) -> Facts {
    application(&format!(
        "{} redis.exceptions.ResponseError: {code}\n",
        now()
    ))
}

#[test]
fn who_emptied_a_server_is_proved_by_what_it_counts() {
    let server = server(&[]);
    fill(&server, 1_000);
    let facts = before_and_after(&server, || run(&server, &["FLUSHALL"]));
    let diagnosis = diagnose(facts);
    assert_eq!(first(&diagnosis), proved("SW750"));
    let claim = &diagnosis.findings[0].claim;
    assert!(claim.contains("1000 keys are gone"), "{claim}");
}

#[test]
fn a_script_that_does_not_end_is_named_by_the_server_and_by_its_log() {
    let server = server(&[("busy-reply-threshold", "100")]);
    let mut client = connect(&server);
    client
        .write_all(b"EVAL \"while true do end\" 0\r\n")
        .expect("it takes it");
    let busy = Reach::TurnedAway("BUSY".to_owned());
    until("its answer BUSY", || {
        looked_at(&server).looks[0].reach == busy
    });
    let diagnosis = diagnose(looked_at(&server));
    assert_eq!(first(&diagnosis), proved("SW603"));
    assert_eq!(first(&diagnose(log_of(&server))), proved("SW603"));
    run(&server, &["SCRIPT", "KILL"]);
}

#[test]
fn a_save_that_cannot_be_written_is_behind_the_refused_writes() {
    let server = server(&[("save", "3600 1")]);
    fill(&server, 10);
    server.break_saves().expect("it fails to save");
    let misconf = refused("MISCONF Redis is configured to save RDB snapshots");
    let diagnosis = all_of(&server, misconf);
    assert_eq!(first(&diagnosis), proved("SW706"));
    assert!(
        codes(&diagnosis).contains(&(701, Verdict::Consequence)),
        "{:?}",
        codes(&diagnosis)
    );
}

#[test]
fn a_server_that_refuses_ping_tells_why_all_the_same() {
    let server = server(&[("save", "3600 1")]);
    fill(&server, 10);
    server.break_saves().expect("it fails to save");
    let look = looked_at(&server).looks.remove(0);
    assert_eq!(look.reach, Reach::Answered);
    assert_eq!(look.word("rdb_last_bgsave_status"), Some("err"));
    server.repair_saves().expect("it saves");
    server
        .restart_loading_for(Duration::from_secs(3))
        .expect("it loads");
    assert_eq!(first(&diagnose(looked_at(&server))), proved("SW406"));
}

#[test]
fn a_limit_below_what_is_used_is_behind_the_refused_writes() {
    let server = server(&[]);
    fill(&server, 5_000);
    server.config_set("maxmemory", "1mb").expect("it is set");
    let told = format!(
        "{} redis.exceptions.OutOfMemoryError: command not allowed when used memory > 'maxmemory'.\n",
        now()
    );
    let diagnosis = all_of(&server, application(&told));
    assert_eq!(first(&diagnosis), proved("SW513"));
    assert!(
        codes(&diagnosis).contains(&(501, Verdict::Consequence)),
        "{:?}",
        codes(&diagnosis)
    );
}

#[test]
fn writes_that_are_refused_between_two_looks_need_no_clients_word() {
    let server = server(&[("maxmemory", "1mb")]);
    let facts = before_and_after(&server, || {
        let mut client = connect(&server);
        let answer = ask(&mut client, "SET key value");
        assert!(answer.starts_with("-OOM"), "{answer}");
    });
    let (code, verdict, confidence) = first(&diagnose(facts));
    assert_eq!(
        (code.as_str(), verdict, confidence),
        ("SW501", Verdict::Cause, Confidence::Strong)
    );
}

#[test]
fn a_queue_on_a_server_that_may_evict_and_a_huge_transaction_are_risks() {
    let server = server(&[
        ("maxmemory", "100mb"),
        ("maxmemory-policy", "allkeys-lru"),
        ("save", ""),
    ]);
    let mut worker = connect(&server);
    worker.write_all(b"BLPOP jobs 0\r\n").expect("it takes it");
    let mut writer = connect(&server);
    let queued = "MULTI\r\n".to_owned() + &"INCR n\r\n".repeat(1_500);
    writer.write_all(queued.as_bytes()).expect("it takes them");
    until("both", || {
        let clients = looked_at(&server).looks.remove(0).clients;
        clients.iter().any(|peer| peer.queued == 1_500)
            && clients.iter().any(|peer| peer.command == "blpop")
    });
    let diagnosis = diagnose(looked_at(&server));
    let risks = [512, 604].map(|code| (code, Verdict::Risk));
    assert_eq!(codes(&diagnosis), risks);
}

#[test]
fn a_healthy_server_under_load_stays_without_a_finding() {
    let server = server(&[
        ("save", "3600 1"),
        ("appendonly", "yes"),
        ("latency-monitor-threshold", "100"),
        ("maxmemory", "3mb"),
        ("maxmemory-policy", "allkeys-lru"),
    ]);
    let facts = before_and_after(&server, || {
        fill(&server, 20_000);
        run(&server, &["BGSAVE"]);
        run(
            &server,
            &[
                "EVAL",
                "return redis.call('SET', KEYS[1], 'x', 'EX', 100)",
                "1",
                "other",
            ],
        );
        let mut client = connect(&server);
        assert!(ask(&mut client, "DEL key:1").starts_with(':'));
    });
    let diagnosis = diagnose(facts);
    let found = codes(&diagnosis);
    assert_eq!(found, [], "{}", report::text(&diagnosis, true));
}
