use proptest::prelude::*;

use super::*;
use crate::facts::{Failure, Line};
use crate::rule::Need;
use crate::testing::{application, log};

fn given() -> Given {
    Given {
        now: Stamp::of((2026, 11, 24), (0, 0, 0), 0).expect("a date"),
    }
}

#[test]
fn a_time_without_a_year_is_the_last_one_before_now() {
    let facts = log("[9] 25 Dec 00:03:01.996 # User requested shutdown...\n");
    let at = facts.server_log[0].at.expect("a time");
    assert_eq!(at.to_string(), "2025-12-25T00:03:01.996Z");
    assert!(facts.assumed.iter().any(|words| words.contains("no year")));
}

#[test]
fn a_traceback_is_one_failure() {
    let text = "2026-11-23 02:58:11,042 ERROR in view\n\
Traceback (most recent call last):\n\
ConnectionResetError: [Errno 104] Connection reset by peer\n\
redis.exceptions.ConnectionError: Error while reading from cache:6379 : (104, 'Connection reset by peer')\n\
2026-11-23 02:58:12,042 ERROR Error while reading from cache:6379 : (104, 'Connection reset by peer')\n";
    let facts = application(text);
    assert_eq!(facts.failures(Failure::Reset).count(), 2);
}

#[test]
fn a_zone_is_taken_into_account() {
    let facts = application("2026-11-23T03:58:11.042+01:00 Connection closed by server.\n");
    let at = facts.client_log[0].at.expect("a time");
    assert_eq!(at.to_string(), "2026-11-23T02:58:11.042Z");
}

#[test]
fn a_line_of_any_length_is_read_in_bounded_memory() {
    let long = format!(
        "{}\n9:M 23 Nov 2026 02:58:11.042 * Ready to accept connections\n",
        "x".repeat(1 << 20)
    );
    let facts = log(&long);
    assert_eq!(
        facts
            .lines(|line| matches!(line, Line::Ready).then_some(()))
            .count(),
        1
    );
}

#[test]
fn a_hosts_journal_tells_of_the_kernel_the_server_and_the_application() {
    let text = "Nov 23 02:58:10 host systemd[1]: Started x.
Nov 23 02:58:11 host kernel: Out of memory: Killed process 9 (redis-server) total-vm:9kB
Nov 23 02:58:12 host redis-server[9]: 9:M 23 Nov 2026 02:58:12.042 * Ready to accept connections
Nov 23 02:58:13 host gunicorn[77]: redis.exceptions.ConnectionError: Connection closed by server.
";
    let (_, facts) = file("journal", text.as_bytes(), given()).expect("it is in memory");
    let needs: Vec<_> = facts.had.iter().copied().collect();
    assert_eq!(needs, [Need::ServerLog, Need::ClientLog, Need::Kernel]);
    assert_eq!(
        (
            facts.server_log.len(),
            facts.client_log.len(),
            facts.kernel_log.len()
        ),
        (1, 1, 1)
    );
}

#[test]
fn a_time_that_carries_its_zone_is_believed_before_a_servers_own() {
    let text = "2026-11-23T01:58:11.142123456Z 9:M 23 Nov 2026 02:58:11.042 * Ready to accept connections\n";
    let facts = log(text);
    let at = facts.server_log[0].at.expect("a time");
    assert_eq!(at.to_string(), "2026-11-23T01:58:11.142Z");
    assert!(facts.assumed.is_empty(), "{:?}", facts.assumed);
}

#[test]
fn a_failure_far_behind_the_first_lines_is_found() {
    let quiet = "2026-11-23 02:58:11,042 INFO served\n".repeat(100_000);
    let facts = application(&format!(
        "{quiet}2026-11-23 02:58:12,042 ERROR Connection closed by server.\n"
    ));
    assert_eq!(facts.failures(Failure::Closed).count(), 1);
    let (kind, facts) = file("app.log", quiet.as_bytes(), given()).expect("it is in memory");
    assert_eq!((kind, facts.failures), (Kind::Application, 0));
    let (kind, _) =
        file("poem", &b"Tyger Tyger, burning bright\n"[..], given()).expect("it is in memory");
    assert_eq!(kind, Kind::Unknown);
}

#[test]
fn the_log_of_a_server_that_crashed_is_a_log_though_most_of_it_is_what_info_answers() {
    let mut text = String::from(
        "9:M 23 Nov 2026 02:58:10.042 * Ready to accept connections\n\n\n=== REDIS BUG REPORT START: Cut & paste starting from here ===\n\
         9:M 23 Nov 2026 02:58:11.042 # Redis 7.0.15 crashed by signal: 11, si_code: 2\n\n------ INFO OUTPUT ------\n# Server\n",
    );
    text.push_str(&"used_memory:1048576\nconnected_clients:2\n".repeat(50));
    let (kind, facts) = file("redis.log", text.as_bytes(), given()).expect("it is in memory");
    assert_eq!(kind, Kind::RedisLog);
    let crashed = facts.lines(|line| matches!(line, Line::Crashed(11)).then_some(()));
    assert_eq!(crashed.count(), 1);
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = file("any", &bytes[..], given());
    }

    #[test]
    fn no_line_that_almost_means_something_makes_a_reader_panic(
        head in "(9:M |\\[9\\] |9:signal-handler \\()?(2[0-9] Nov )?(2026 )?(0?[0-9]:[0-9]{2}:[0-9]{2}\\.[0-9]{0,3} )?[.*#-]?",
        words in "( ?(addr=|id=|Killed process |crashed by signal: |DB loaded from disk: |SYN flooding on port |2026-11-2|T03:|\u{e9}|:|\\(|\\)|[0-9]{1,3})){0,12}",
    ) {
        let _ = file("any", format!("{head} {words}\n").as_bytes(), given());
    }
}

#[test]
fn folders_are_read_by_name_and_without_links_and_pipes() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("old")).expect("it is made");
    for name in ["b.log", "a.log", ".hidden", "old/c.log"] {
        std::fs::write(at(name), "x").expect("it is written");
    }
    std::os::unix::fs::symlink(folder.path(), at("loop")).expect("it is made");
    let found = super::folder(folder.path()).expect("it can be read");
    assert_eq!(found.files, [at("a.log"), at("b.log"), at("old/c.log")]);
    assert_eq!((found.more, found.closed.len()), (0, 0));
}

#[test]
fn a_file_that_is_empty_and_one_that_is_a_folder_are_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let empty = folder.path().join("empty.log");
    std::fs::write(&empty, "").expect("it is written");
    let (kind, _) = super::path(&empty, "empty.log", given()).expect("it can be read");
    assert_eq!(kind, Kind::Empty);
    let error = super::path(folder.path(), "x", given()).expect_err("it is none");
    assert!(error.to_string().contains("folder"), "{error}");
}

#[test]
fn a_file_that_is_cut_while_it_is_read_is_said_to_be_and_one_that_grows_is_not() {
    let line = "9:M 23 Nov 2026 02:58:11.042 * Ready to accept connections\n";
    let read = |length: usize| {
        let read = super::path::of_length(line.as_bytes(), length as u64, "redis.log", given());
        read.expect("it is in memory").1.unseen
    };
    assert!(
        read(line.len() * 2)[0]
            .why
            .contains("it was cut while it was read")
    );
    assert_eq!(read(line.len()), []);
    assert_eq!(read(line.len() - 1), []);
}

#[test]
fn an_archive_that_is_padded_behind_its_last_file_was_not_cut() {
    let folder = tempfile::tempdir().expect("a folder");
    let line = "9:M 23 Nov 2026 02:58:11.042 * Ready to accept connections\n";
    std::fs::write(folder.path().join("redis.log"), line).expect("it is written");
    let packed = std::process::Command::new("tar")
        .args(["-b", "2048", "-cf", "logs.tar", "redis.log"])
        .current_dir(folder.path())
        .status();
    assert!(packed.expect("there is a tar").success());
    let path = folder.path().join("logs.tar");
    let (kind, facts) = super::path(&path, "logs.tar", given()).expect("it can be read");
    assert_eq!((kind, facts.unseen), (Kind::RedisLog, vec![]));
}

#[test]
fn a_log_of_the_future_is_said_to_be() {
    let facts = log("9:M 23 Nov 2027 02:58:11.042 * Ready to accept connections\n");
    assert!(
        facts
            .assumed
            .iter()
            .any(|words| words.contains("yet to come")),
        "{:?}",
        facts.assumed
    );
}

#[test]
fn an_archive_that_breaks_off_tells_what_it_told_until_there() {
    use std::io::Write as _;
    let mut text = String::from("9:M 23 Nov 2026 02:58:11.042 * Ready to accept connections\n");
    for number in 0..20_000_u64 {
        let noise = number.wrapping_mul(6_364_136_223_846_793_005);
        text += "9:M 23 Nov 2026 02:58:12.042 - ";
        text += &noise.to_string();
        text += "\n";
    }
    let level = flate2::Compression::fast();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
    encoder.write_all(text.as_bytes()).expect("it is in memory");
    let whole = encoder.finish().expect("it is in memory");
    let half = &whole[..whole.len() / 2];
    let (kind, facts) = file("redis.log.gz", half, given()).expect("it can be read");
    assert_eq!((kind, facts.server_log.len()), (Kind::RedisLog, 1));
    assert!(
        facts.unseen[0].why.contains("gzip broke off"),
        "{:?}",
        facts.unseen
    );
}
