//! `logs --follow` and `doctor --watch`: what is written to logs while somebody looks.

use std::fs::{self, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::{said, seawall};

/// Long enough for any machine: who waits longer waits for ever.
const PATIENCE: Duration = Duration::from_secs(60);

const CALM: &str = "2026-11-23 02:58:10,000 INFO in order\n";

fn refused(command: &str) -> String {
    format!(
        "2026-11-23 02:58:11,042 ERROR in view: {command}\nredis.exceptions.ConnectionError: Error 111 connecting to cache:6379. Connection refused.\n"
    )
}

fn append(path: &Path, text: &str) {
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .expect("it is written");
}

/// The program, while it runs.
struct Running {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

fn spawn(words: &[&str], errors: Stdio) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seawall"));
    command.args(words).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(errors);
    command.spawn().expect("it runs")
}

impl Running {
    fn start(words: &[&str]) -> Self {
        let mut child = spawn(words, Stdio::piped());
        let (tell, lines) = channel();
        let out = child.stdout.take().expect("it is piped");
        let err = child.stderr.take().expect("it is piped");
        let also = tell.clone();
        thread::spawn(move || {
            let lines = BufReader::new(out).lines().map_while(Result::ok);
            lines.for_each(|line| drop(tell.send(line)));
        });
        thread::spawn(move || {
            let lines = BufReader::new(err).lines().map_while(Result::ok);
            lines.for_each(|line| drop(also.send(line)));
        });
        Self {
            child,
            lines,
            seen: Vec::new(),
        }
    }

    /// Waits for a line in which all of these stand.
    fn until(&mut self, words: &[&str]) {
        let begun = Instant::now();
        while let Ok(line) = self
            .lines
            .recv_timeout(PATIENCE.saturating_sub(begun.elapsed()))
        {
            let is = words.iter().all(|word| line.contains(word));
            self.seen.push(line);
            if is {
                return;
            }
        }
        panic!("{words:?} never came: {:#?}", self.seen);
    }

    /// Ends it as Ctrl-C does; with which code it ends, and all that it said.
    fn interrupted(mut self) -> (Option<i32>, Vec<String>) {
        let signal = format!("kill -INT {}", self.child.id());
        let sent = Command::new("sh").args(["-c", &signal]).status();
        assert!(sent.expect("it is sent").success());
        let ended = self.child.wait().expect("it ends");
        self.seen.extend(self.lines.iter());
        (ended.code(), std::mem::take(&mut self.seen))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already unless a test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("app.log");
    (folder, path)
}

fn name(path: &Path) -> &str {
    path.to_str().expect("plain letters")
}

#[test]
fn a_followed_log_is_told_through_rotation_cuts_and_its_end() {
    let (folder, path) = folder();
    append(&path, &refused("one"));
    let mut running = Running::start(&["logs", "--follow", name(&path)]);
    running.until(&["1  connection refused"]);
    append(&path, CALM);
    append(&path, &refused("two"));
    running.until(&["app.log:5: connection refused", "cache:6379"]);
    // By renaming: who wrote to it goes on for a while.
    let away = folder.path().join("app.log.1");
    fs::rename(&path, &away).expect("it is renamed");
    append(&away, &refused("three"));
    running.until(&["app.log:7: connection refused"]);
    append(&path, &refused("four"));
    running.until(&["app.log:2: connection refused"]);
    // By copying and cutting.
    fs::copy(&path, &away).expect("it is copied");
    fs::write(&path, "").expect("it is cut");
    running.until(&["app.log was cut"]);
    append(&path, CALM);
    append(&path, &refused("five"));
    running.until(&["app.log:3: connection refused"]);
    fs::remove_file(&path).expect("it goes");
    running.until(&["app.log is gone"]);
    append(&path, &refused("six"));
    running.until(&["app.log:2: connection refused"]);
    let (code, seen) = running.interrupted();
    let summary: Vec<_> = seen
        .iter()
        .filter(|line| line.contains("  connection refused  "))
        .collect();
    assert!(
        summary
            .last()
            .is_some_and(|line| line.contains("6  connection refused")),
        "{seen:#?}"
    );
    assert_eq!(summary.len(), 2, "{seen:#?}");
    assert_eq!(code, Some(1), "{seen:#?}");
}

#[test]
fn a_traceback_that_comes_in_pieces_is_one_failure() {
    let (_folder, path) = folder();
    append(&path, CALM);
    let mut running = Running::start(&["logs", "-f", "--json", name(&path)]);
    running.until(&["\"failures\":0"]);
    let whole = "2026-11-23 02:58:11,042 ERROR in view\nTraceback (most recent call last):\nConnectionRefusedError: [Errno 111] Connection refused\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\nredis.exceptions.ConnectionError: Error 111 connecting to cache:6379. Connection refused.\n";
    let middle = whole.find("\nDuring").expect("it has two");
    append(&path, &whole[..middle]);
    thread::sleep(Duration::from_millis(100));
    append(&path, &whole[middle..]);
    running.until(&["connection refused"]);
    let (code, seen) = running.interrupted();
    for line in &seen {
        assert!(
            serde_json::from_str::<serde_json::Value>(line).is_ok(),
            "{line}"
        );
    }
    assert!(
        seen.last()
            .is_some_and(|line| line.contains("\"failures\":1")),
        "{seen:#?}"
    );
    assert_eq!(code, Some(1));
}

#[test]
fn an_empty_log_is_followed_and_what_cannot_be_is_named() {
    let (folder, path) = folder();
    append(&path, "");
    let mut running = Running::start(&["logs", "--follow", name(&path)]);
    running.until(&["no call of Redis's failed"]);
    assert_eq!(running.interrupted().0, Some(0));
    let pipe = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("it runs").success());
    let packed = folder.path().join("app.log.gz");
    fs::write(&packed, b"\x1f\x8b\x08\0").expect("it is written");
    for path in [folder.path(), &pipe, &packed, &folder.path().join("none")] {
        let output = seawall(folder.path(), &["logs", "--follow", name(path)]);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(
            said(&output).contains("cannot be followed"),
            "{}",
            said(&output)
        );
    }
}

#[test]
fn a_pipe_is_read_to_its_end() {
    let (folder, _) = folder();
    let pipe = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("it runs").success());
    let running = Running::start(&["logs", name(&pipe)]);
    // It waits for whoever reads.
    append(&pipe, &refused("one"));
    let mut running = running;
    running.until(&["1  connection refused"]);
}

#[test]
fn a_watched_log_loses_nothing_to_a_rotation() {
    let (folder, path) = folder();
    append(&path, &CALM.repeat(500));
    append(&path, &refused("one"));
    let mut running = Running::start(&["doctor", "--watch", "1", name(&path)]);
    running.until(&["watching, every 1 s"]);
    append(&path, &refused("two"));
    running.until(&["MORE", "1 more failed calls, 2 in all"]);
    append(&path, &refused("three"));
    fs::rename(&path, folder.path().join("app.log.1")).expect("it is renamed");
    append(&path, &refused("four"));
    running.until(&["MORE", "4 in all"]);
    let (code, seen) = running.interrupted();
    assert!(
        seen.iter().any(|line| line.contains("was rotated")),
        "{seen:#?}"
    );
    assert_eq!(code, Some(1));
}

#[test]
fn who_is_read_by_nobody_any_more_ends_though_nothing_new_comes() {
    let dir = tempfile::tempdir().expect("a folder");
    let log = dir.path().join("app.log");
    append(&log, &refused("GET"));
    let path = log.display().to_string();
    for (words, code) in [
        (&["logs", "--follow", &path][..], 0),
        (&["doctor", &path, "--watch", "1"], 1),
    ] {
        let mut child = spawn(words, Stdio::null());
        let mut out = BufReader::new(child.stdout.take().expect("it is piped"));
        out.read_line(&mut String::new())
            .expect("it says something");
        drop(out);
        let until = Instant::now() + PATIENCE;
        let ended = loop {
            if let Some(ended) = child.try_wait().expect("it can be asked") {
                break ended;
            }
            if Instant::now() > until {
                child.kill().expect("it is ended");
                panic!("{words:?} goes on");
            }
            thread::sleep(Duration::from_millis(20));
        };
        assert_eq!(ended.code(), Some(code), "{words:?}");
    }
}
