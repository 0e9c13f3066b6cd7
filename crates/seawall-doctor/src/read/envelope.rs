//! What carries a log's line: Docker, Kubernetes, systemd's journal, syslog, a line of JSON.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::clock::{self, Told};
use crate::stamp::Stamp;

/// So many may be around one another: compose, then a time, then JSON, then JSON in its `log`.
const DEEP_MAX: usize = 5;

/// A line without what carried it.
#[derive(Debug)]
pub(super) struct Opened<'a> {
    /// What its writer wrote.
    pub(super) text: Cow<'a, str>,
    /// When, as what carried it tells: the innermost, since that is nearest to who wrote it.
    pub(super) told: Option<Told>,
    /// Who wrote it: a process, a pod, a service.
    pub(super) writer: Option<String>,
    /// Its process's number.
    pub(super) pid: Option<u32>,
    /// Whose line it is, where what carried it tells.
    pub(super) of: Of,
    /// It is a whole record: no line of a traceback, that goes on with another's.
    pub(super) whole: bool,
}

/// Whose line it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// A server's, without a head of its own: what stands there is its message.
    Server,
    /// The kernel's.
    Kernel,
    /// It is not told.
    Anybody,
}

/// Opens whatever is around a line.
pub(super) fn open(line: &str, now: Stamp) -> Opened<'_> {
    let mut opened = Opened {
        text: Cow::Borrowed(line),
        told: None,
        writer: None,
        pid: None,
        of: Of::Anybody,
        whole: false,
    };
    for _ in 0..DEEP_MAX {
        let inner = match &opened.text {
            Cow::Borrowed(whole) => one(whole, now),
            Cow::Owned(whole) => one(whole, now).map(Opened::owned),
        };
        let Some(inner) = inner else { break };
        opened = Opened {
            text: inner.text,
            told: inner.told.or(opened.told),
            writer: inner.writer.or(opened.writer),
            pid: inner.pid.or(opened.pid),
            of: inner.of,
            whole: inner.whole || opened.whole,
        };
        if opened.of != Of::Anybody {
            break;
        }
    }
    opened
}

impl Opened<'_> {
    fn owned(self) -> Opened<'static> {
        Opened {
            text: Cow::Owned(self.text.into_owned()),
            told: self.told,
            writer: self.writer,
            pid: self.pid,
            of: self.of,
            whole: self.whole,
        }
    }
}

/// Whether something is around this line.
pub(super) fn is_carried(line: &str, now: Stamp) -> bool {
    one(line, now).is_some()
}

fn one(line: &str, now: Stamp) -> Option<Opened<'_>> {
    match line.as_bytes().first()? {
        b'{' => json(line, now),
        b'<' => syslog_priority(line, now),
        b'[' => kubectl(line),
        b'\x1e' => json(&line[1..], now),
        b'p' if line.starts_with("pid=") => logfmt(line, now),
        byte if byte.is_ascii_digit() => container(line, now).or_else(|| host_first(line, now)),
        byte if byte.is_ascii_alphabetic() => host_first(line, now).or_else(|| compose(line)),
        _ => compose(line),
    }
}

fn plain(text: &str) -> Opened<'_> {
    Opened {
        text: Cow::Borrowed(text),
        told: None,
        writer: None,
        pid: None,
        of: Of::Anybody,
        whole: false,
    }
}

/// `docker logs -t`, `kubectl logs --timestamps`, and the files of CRI: `2026-11-23T02:58:11.042123456Z stdout F ..`.
fn container(line: &str, now: Stamp) -> Option<Opened<'_>> {
    let (time, rest) = line.split_once(' ')?;
    // Nanoseconds, which hardly any application writes.
    let nanos = time.split_once('.')?.1;
    let digits = nanos.bytes().take_while(u8::is_ascii_digit).count();
    if digits < 7 || time.as_bytes().get(10) != Some(&b'T') {
        return None;
    }
    let told = clock::find(time, now).filter(|told| told.zoned)?;
    let of_cri = rest
        .strip_prefix("stdout ")
        .or(rest.strip_prefix("stderr "));
    let rest = of_cri.map_or(rest, |cri| {
        let part = cri.strip_prefix("F ").or(cri.strip_prefix("P "));
        part.unwrap_or(cri)
    });
    Some(Opened {
        told: Some(told),
        ..plain(rest)
    })
}

/// `kubectl logs --prefix`: `[pod/redis-0/redis] ..`.
fn kubectl(line: &str) -> Option<Opened<'_>> {
    let (name, rest) = line.strip_prefix("[pod/")?.split_once("] ")?;
    Some(Opened {
        writer: name_of(name),
        ..plain(rest)
    })
}

/// `docker compose logs`: `redis-1  | ..`.
fn compose(line: &str) -> Option<Opened<'_>> {
    let (name, rest) = line.split_once('|')?;
    let rest = rest.strip_prefix(' ')?;
    let called = name.trim_end();
    let known = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let is_name = !called.is_empty() && called.len() <= 64 && called.chars().all(known);
    // Two blanks at least: what has one may be anybody's table.
    (is_name && name.len() > called.len() + 1).then(|| Opened {
        writer: name_of(called),
        ..plain(rest)
    })
}

/// `<30>Nov 23 02:58:11 host redis[9]: ..` and `<30>1 2026-11-23T02:58:11Z host redis 9 - - ..`.
fn syslog_priority(line: &str, now: Stamp) -> Option<Opened<'_>> {
    let (priority, rest) = line[1..].split_once('>')?;
    priority.parse::<u8>().ok().filter(|number| *number < 192)?;
    let Some(rest) = rest.strip_prefix("1 ") else {
        return host_first(rest, now);
    };
    let mut words = rest.splitn(6, ' ');
    let told = clock::find(words.next()?, now);
    let _host = words.next()?;
    let tag = words.next()?;
    let pid = words.next()?.parse().ok();
    let _id = words.next()?;
    let rest = words.next()?;
    // Structured data ends at a bracket that no backslash stands before.
    let text = if let Some(text) = rest.strip_prefix("- ") {
        text
    } else {
        let ends = rest.match_indices("] ").map(|(at, _)| at);
        let end = ends.into_iter().find(|at| !rest[..*at].ends_with('\\'))?;
        &rest[end + 2..]
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    Some(tagged(tag, pid, told, text))
}

/// `Nov 23 02:58:11 host redis-server[9]: ..`, `2026-11-23T02:58:11+0100 host ..`, `1795402691.042 host ..`.
fn host_first(line: &str, now: Stamp) -> Option<Opened<'_>> {
    let mark = line.find(": ")?;
    // Nothing but a time, a host and a tag stands before it.
    let front = line[..mark].trim_end();
    let mut back = front.rsplitn(3, ' ');
    let tag = back.next()?;
    let host = back.next()?;
    let time = back.next()?;
    let is_level = host.chars().all(|c| c.is_ascii_uppercase());
    if time.len() > 48 || host.is_empty() || is_level || host.contains(['[', '=', '"', '(', '/']) {
        return None;
    }
    let told = clock::find(time, now)?;
    // Nothing else stands between a time and its host: in an application's line a level or a logger does.
    let words = time.split(' ').count();
    let is_syslog = (1..=5).contains(&words) && time.ends_with(|c: char| c.is_ascii_alphanumeric());
    let (name, pid) = match tag.split_once('[') {
        Some((name, pid)) => (name, Some(pid.strip_suffix(']')?)),
        None => (tag, None),
    };
    let known = |c: char| c.is_ascii_alphanumeric() || "-_.@/".contains(c);
    if !is_syslog || name.is_empty() || !name.chars().all(known) {
        return None;
    }
    let pid = match pid {
        Some(pid) => Some(pid.parse().ok()?),
        None if is_server(name) || name == "kernel" => None,
        None => return None,
    };
    Some(tagged(name, pid, Some(told), &line[mark + 2..]))
}

fn tagged<'a>(tag: &str, pid: Option<u32>, told: Option<Told>, text: &'a str) -> Opened<'a> {
    let writer = match pid {
        Some(pid) => Some(format!("{tag}[{pid}]")),
        None => name_of(tag),
    };
    let of = if tag == "kernel" {
        Of::Kernel
    } else if is_server(tag) && super::redis_log::head(text).is_none() {
        // Docker's and systemd's lines about it come under other tags; its own output under its own.
        Of::Server
    } else {
        Of::Anybody
    };
    Opened {
        told,
        writer,
        pid,
        of,
        ..plain(text)
    }
}

fn is_server(tag: &str) -> bool {
    const NAMES: &[&str] = &[
        "redis",
        "redis-server",
        "redis-sentinel",
        "valkey",
        "valkey-server",
        "valkey-sentinel",
    ];
    NAMES.contains(&tag)
}

/// Valkey's `log-format logfmt`: `pid=9 role=primary timestamp=".." level=notice message=".."`.
fn logfmt(line: &str, now: Stamp) -> Option<Opened<'_>> {
    let (_, rest) = line.split_once("pid=")?;
    let (pid, rest) = rest.split_once(" role=")?;
    let (_, time) = rest.split_once("timestamp=\"")?;
    let (time, rest) = time.split_once('"')?;
    let (_, message) = rest.split_once(" message=\"")?;
    let message = message.strip_suffix('"').unwrap_or(message);
    let text = if message.contains('\\') {
        Cow::Owned(message.replace("\\\"", "\"").replace("\\\\", "\\"))
    } else {
        Cow::Borrowed(message)
    };
    Some(Opened {
        text,
        told: clock::value(time, now),
        writer: None,
        pid: pid.parse().ok(),
        of: Of::Server,
        whole: true,
    })
}

/// Where a line of JSON has its text, the first that is there; then what it tells of an error, all of it.
const TEXTS: &[&str] = &[
    "MESSAGE",
    "message",
    "msg",
    "log",
    "Message",
    "@m",
    "RenderedMessage",
    "textPayload",
    "event",
    "body",
];
const ERRORS: &[&str] = &[
    "exc_info",
    "exception",
    "error",
    "err",
    "stack",
    "stack_trace",
    "stacktrace",
    "traceback",
    "Exception",
    "@x",
    "error.message",
    "error.stack_trace",
    "exc_text",
];
const TIMES: &[&str] = &[
    "@timestamp",
    "timestamp",
    "time",
    "ts",
    "__REALTIME_TIMESTAMP",
    "_SOURCE_REALTIME_TIMESTAMP",
    "Timestamp",
    "Time",
    "@t",
    "asctime",
    "datetime",
    "date",
    "t",
];
/// What names a library or a module: a hint whose error it is.
const NAMES: &[&str] = &[
    "logger",
    "logger_name",
    "name",
    "module",
    "exc_type",
    "category",
];

fn json<'a>(line: &str, now: Stamp) -> Option<Opened<'a>> {
    let object: Map<String, Value> = serde_json::from_str(line).ok()?;
    // Google's and CloudWatch's put the application's own object inside theirs.
    let inner = ["jsonPayload", "fields", "record"]
        .iter()
        .find_map(|key| object.get(*key).and_then(Value::as_object));
    let text = inner.and_then(text_of).or_else(|| text_of(&object))?;
    let times = inner.into_iter().chain([&object]);
    let told = times
        .flat_map(|object| TIMES.iter().filter_map(|key| object.get(*key)))
        .find_map(|value| match value {
            Value::String(text) => clock::value(text, now),
            Value::Number(number) => clock::value(&number.to_string(), now),
            _ => None,
        });
    let pid = ["_PID", "pid", "process", "process_id"]
        .iter()
        .find_map(|key| match object.get(*key)? {
            Value::String(text) => text.parse().ok(),
            Value::Number(number) => u32::try_from(number.as_u64()?).ok(),
            _ => None,
        });
    let word = |key: &str| object.get(key).and_then(Value::as_str);
    let tag = word("SYSLOG_IDENTIFIER").or(word("_COMM"));
    if let Some(tag) = tag {
        let opened = tagged(tag, pid, told, &text);
        let of = if word("_TRANSPORT") == Some("kernel") {
            Of::Kernel
        } else {
            opened.of
        };
        let writer = opened.writer;
        return Some(Opened {
            text: Cow::Owned(text),
            told,
            writer,
            pid,
            of,
            // The journal has a program's output line by line.
            whole: false,
        });
    }
    // ElastiCache's engine log: Redis's own message, its time apart.
    let of_server = object.contains_key("CacheClusterId") && object.contains_key("Message");
    let writer = [
        "processName",
        "worker",
        "pod",
        "hostname",
        "host",
        "CacheClusterId",
    ]
    .iter()
    .find_map(|key| word(key).and_then(name_of))
    .or_else(|| pid.map(|pid| pid.to_string()));
    Some(Opened {
        text: Cow::Owned(text),
        told,
        writer,
        pid,
        of: if of_server { Of::Server } else { Of::Anybody },
        // Docker's files have it line by line too.
        whole: !(object.contains_key("log") && object.contains_key("stream")),
    })
}

fn text_of(object: &Map<String, Value>) -> Option<String> {
    let first = TEXTS.iter().find_map(|key| match object.get(*key)? {
        Value::String(text) => Some(text.trim_end_matches('\n').to_owned()),
        // journald writes what is no UTF-8 as numbers.
        Value::Array(bytes) => {
            let bytes: Vec<u8> = bytes
                .iter()
                .filter_map(|byte| u8::try_from(byte.as_u64()?).ok())
                .collect();
            Some(String::from_utf8_lossy(&bytes).into_owned())
        }
        _ => None,
    });
    let mut text = first.clone().unwrap_or_default();
    let mut any = first.is_some();
    for key in ERRORS {
        let Some(value) = object.get(*key) else {
            continue;
        };
        any |= value.is_string() || value.is_object();
        add_error(&mut text, value);
    }
    if !text.is_empty() {
        for key in NAMES {
            if let Some(name) = object.get(*key).and_then(Value::as_str) {
                text.push('\n');
                text.push_str(name);
            }
        }
    }
    any.then_some(text)
}

/// An error as a text, or as pino and ECS write it: an object with a type, a message and a stack.
fn add_error(text: &mut String, error: &Value) {
    let fields = [
        "type",
        "name",
        "code",
        "message",
        "stack",
        "stacktrace",
        "stack_trace",
        "traceback",
    ];
    match error {
        Value::String(words) => {
            text.push('\n');
            text.push_str(words);
        }
        Value::Object(object) => {
            for words in fields.iter().filter_map(|key| object.get(*key)?.as_str()) {
                text.push('\n');
                text.push_str(words);
            }
        }
        Value::Array(lines) => {
            for line in lines.iter().filter_map(Value::as_str).take(200) {
                text.push('\n');
                text.push_str(line);
            }
        }
        _ => {}
    }
}

/// A name, if it is one that we show.
fn name_of(text: &str) -> Option<String> {
    let known = |c: char| c.is_ascii_alphanumeric() || "-_./:@[]".contains(c);
    let is = !text.is_empty() && text.len() <= 120 && text.chars().all(known);
    is.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now() -> Stamp {
        Stamp::of((2026, 11, 24), (0, 0, 0), 0).expect("a date")
    }

    const TEXT: &str = "9:M 23 Nov 2026 02:58:11.042 * Ready to accept connections";

    #[test]
    fn a_servers_line_is_taken_out_of_whatever_carries_it() {
        for (line, zoned) in [
            (format!("2026-11-23T02:58:11.042123456Z {TEXT}"), Some(true)),
            (
                format!("2026-11-23T02:58:11.042123456Z stdout F {TEXT}"),
                Some(true),
            ),
            (format!("redis-1  | {TEXT}"), None),
            (
                format!("redis-1  | 2026-11-23T02:58:11.042123456Z {TEXT}"),
                Some(true),
            ),
            (format!("[pod/redis-0/redis] {TEXT}"), None),
            (
                format!("Nov 23 02:58:11 host redis-server[9]: {TEXT}"),
                Some(false),
            ),
            (
                format!("Mon 2026-11-23 02:58:11 UTC host redis-server[9]: {TEXT}"),
                Some(true),
            ),
            (
                format!("2026-11-23T03:58:11+0100 host redis-server[9]: {TEXT}"),
                Some(true),
            ),
            (
                format!("1795402691.042000 host redis-server[9]: {TEXT}"),
                Some(true),
            ),
            (
                format!("<30>Nov 23 02:58:11 host redis[9]: {TEXT}"),
                Some(false),
            ),
            (
                format!("<30>1 2026-11-23T02:58:11.042Z host redis 9 - - {TEXT}"),
                Some(true),
            ),
            (
                format!("<30>1 2026-11-23T02:58:11.042Z host redis 9 - [a b=\"]\"] {TEXT}"),
                Some(true),
            ),
            (
                format!(
                    "{{\"log\":\"{TEXT}\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-23T02:58:11.042Z\"}}"
                ),
                Some(true),
            ),
            (
                format!(
                    "{{\"MESSAGE\":\"{TEXT}\",\"__REALTIME_TIMESTAMP\":\"1795402691042000\",\"_PID\":\"9\",\"SYSLOG_IDENTIFIER\":\"redis-server\"}}"
                ),
                Some(true),
            ),
        ] {
            let opened = open(&line, now());
            assert_eq!(opened.text, TEXT, "{line}");
            assert_eq!(opened.told.map(|told| told.zoned), zoned, "{line}");
            assert_eq!(opened.of, Of::Anybody, "{line}");
            if let Some(told) = opened.told {
                let second = told.at.0 / 1_000;
                assert_eq!(second, 1_795_402_691, "{line}");
            }
        }
    }

    #[test]
    fn a_message_alone_is_a_servers_where_what_carries_it_says_so() {
        for line in [
            "Nov 23 02:58:11 host redis[9]: Ready to accept connections",
            "pid=9 role=primary timestamp=\"23 Nov 2026 02:58:11.042\" level=notice message=\"Ready to accept connections\"",
            "{\"CacheClusterId\":\"shop-001\",\"CacheNodeId\":\"0001\",\"LogLevel\":\"NOTICE\",\"Role\":\"M\",\"Time\":\"23 Nov 2026 02:58:11.042 UTC\",\"Message\":\"Ready to accept connections\"}",
        ] {
            let opened = open(line, now());
            assert_eq!(
                (&*opened.text, opened.of),
                ("Ready to accept connections", Of::Server),
                "{line}"
            );
            assert!(opened.told.is_some(), "{line}");
        }
        let kernel = open("Nov 23 02:58:11 host kernel: Out of memory", now());
        assert_eq!((&*kernel.text, kernel.of), ("Out of memory", Of::Kernel));
    }

    #[test]
    fn an_applications_line_of_json_gives_its_text_its_error_and_its_time() {
        for line in [
            r#"{"message":"in view","timestamp":"2026-11-23T02:58:11Z","level":"ERROR","exc_info":"Traceback\nredis.exceptions.ConnectionError: x"}"#,
            r#"{"msg":"in view","time":1795402691000,"level":50,"pid":7,"err":{"type":"Error","message":"redis.exceptions.ConnectionError: x"}}"#,
            r#"{"event":"in view","ts":1795402691.0,"exception":"redis.exceptions.ConnectionError: x"}"#,
            r#"{"severity":"ERROR","jsonPayload":{"message":"in view","error":"redis.exceptions.ConnectionError: x"},"timestamp":"2026-11-23T02:58:11Z"}"#,
        ] {
            let opened = open(line, now());
            assert!(
                opened.text.starts_with("in view\n") && opened.text.contains("ConnectionError: x"),
                "{line}: {opened:?}"
            );
            assert_eq!(
                opened.told.expect("a time").at.0,
                1_795_402_691_000,
                "{line}"
            );
        }
    }

    #[test]
    fn an_applications_own_line_is_left_as_it_is() {
        for line in [
            "2026-11-23 02:58:11,042 ERROR redis.client: Connection refused",
            "2026-11-23 02:58:11,042 [main] ERROR c.e.App: Connection refused",
            "2026-11-23T02:58:11.042Z error: connect ECONNREFUSED 10.0.0.1:6379",
            "[2026-11-23 02:58:11 +0000] [9] [ERROR] Error: x",
            "Traceback (most recent call last):",
            "redis.exceptions.ConnectionError: Error 111 connecting to a|b. x",
            "a | b",
            "ERROR:root:x: y",
            "{broken",
            "",
        ] {
            assert_eq!(open(line, now()).text, line, "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in "(\\{\"|\"|MESSAGE|:|<30>|1 |Nov 23 02:58:11 |2026-11-23T02:58:11|\\.0420000Z |[a-z]\\[9\\]|\\| |\\[pod/|\\] |pid=| role=|timestamp=\"|\" message=\"|\u{e9}|\\\\|\\}){0,14}") {
            let _ = open(&line, now());
        }
    }
}
