//! What a line of an application's log tells of the call that failed, besides how.

use super::our_texts::FATES;
use super::search::Before;

/// `connecting to cache:6379.`, `reading from cache:6379`, `connect ECONNREFUSED 10.0.0.1:6379`, `endpoint=10.0.0.1:6379`.
pub(super) fn server(line: &str) -> Option<String> {
    let after = [
        "connecting to ",
        "reading from ",
        "ECONNREFUSED ",
        "dial tcp ",
        "connect ETIMEDOUT ",
        "connect EHOSTUNREACH ",
        "endpoint=",
        "Failed to connect to ",
        "Unable to connect to ",
        "connection to ",
        "Cannot connect to ",
        "redis://",
        "rediss://",
    ];
    let found = after.iter().find_map(|words| {
        let rest = &line[line.find(words)? + words.len()..];
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        shown(&rest[..end])
    });
    found.or_else(|| ours(line)).or_else(|| Some(ends(line)?.1))
}

/// Of an error of ours: `GET did not run: the host does not answer at all (10.0.0.1:6379)`.
fn ours(line: &str) -> Option<String> {
    let from = FATES.iter().find_map(|fate| line.find(fate))?;
    let (_, rest) = line[from..].split_once(" (")?;
    shown(rest.split_once(')')?.0)
}

/// A server's name as it is shown: of a URL the host and the port, never who logs in; a path of a socket.
fn shown(word: &str) -> Option<String> {
    let word = word.trim_end_matches(['.', ':', ',', ';', ')', '\'', '"']);
    let word = word.rsplit_once("://").map_or(word, |(_, rest)| rest);
    let word = word.rsplit_once('@').map_or(word, |(_, rest)| rest);
    let word: String = word.chars().filter(|c| !c.is_control()).collect();
    // Lettuce writes `cache/10.0.0.1:6379` and `cache/<unresolved>:6379`; a URL goes on with its database.
    let (front, back) = word.split_once('/').unwrap_or((&word, ""));
    let back = back.strip_prefix("<unresolved>").unwrap_or(back);
    let whole = match (front.rsplit_once(':'), back.rsplit_once(':')) {
        (None, Some((host, port))) if !front.is_empty() => {
            format!("{}:{port}", if host.is_empty() { front } else { host })
        }
        _ => front.to_owned(),
    };
    let (host, port) = whole.rsplit_once(':')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:[]%".contains(c);
    (host.len() <= 253 && host.chars().all(plain) && port.parse::<u16>().is_ok()).then_some(whole)
}

/// The client's own address, by which the server's log and CLIENT LIST know it: `local=10.0.0.9:41822`, or
/// `read tcp 10.0.0.9:41822->10.0.0.1:6379:`, or `/10.0.0.9:41822 -> cache/10.0.0.1:6379`.
pub(super) fn local(line: &str) -> Option<String> {
    if let Some(at) = line.find("local=") {
        let rest = &line[at + "local=".len()..];
        return address(rest.split_whitespace().next()?);
    }
    Some(ends(line)?.0)
}

/// Both ends of the connection, where an arrow joins them.
fn ends(line: &str) -> Option<(String, String)> {
    let (before, after) = line.split_once("->")?;
    let ours = before.trim_end().rsplit([' ', '/', '(']).next()?;
    let theirs = after.trim_start().split([' ', ',', ')']).next()?;
    let theirs = theirs.rsplit('/').next()?;
    Some((address(ours)?, address(theirs)?))
}

/// `HOST:PORT`, and nothing else.
fn address(word: &str) -> Option<String> {
    let word = word.trim_end_matches([':', ',', '.', ')', '"']);
    let (host, port) = word.rsplit_once(':')?;
    port.parse::<u16>().ok()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "[].:-%".contains(c);
    (!host.is_empty() && host.chars().all(plain)).then(|| word.to_owned())
}

/// For how many milliseconds the connection had rested before: `idle_ms=350200`, `idle=350`, `idle for 350 s`,
/// `after 350.2 s idle`, `last-read: 352s ago`.
pub(super) fn idle(line: &str) -> Option<u64> {
    let names = [
        ("idle_ms", 1.0),
        ("idle_seconds", 1_000.0),
        ("idle_s", 1_000.0),
        ("idle for", 1_000.0),
        ("last-read", 1_000.0),
        ("idle", 1_000.0),
    ];
    for (name, unit) in names {
        for (at, _) in line.match_indices(name) {
            let own =
                !line[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || "_-.".contains(c));
            let after = &line[at + name.len()..];
            let value = if name == "idle for" {
                after.strip_prefix(' ')
            } else {
                after.trim_start_matches('"').strip_prefix([':', '='])
            };
            if let (true, Some(value)) = (own, value) {
                return span(value.trim_start(), unit);
            }
        }
    }
    // `after 350.2 s idle`
    let (before, _) = line.split_once(" s idle")?;
    span(before.rsplit(' ').next()?, 1_000.0)
}

/// A number and its unit, in milliseconds; without a unit in that of its name.
fn span(text: &str, unit: f64) -> Option<u64> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let number: f64 = text[..end].trim_end_matches('.').parse().ok()?;
    let rest = text[end..].trim_start();
    let unit = if rest.starts_with("ms") {
        1.0
    } else if rest.starts_with("min") {
        60_000.0
    } else {
        unit
    };
    let millis = number * unit;
    // Nothing rests for a hundred years.
    (0.0..3e12)
        .contains(&millis)
        .then_some(millis.round() as i64)?
        .try_into()
        .ok()
}

/// The command that failed, in upper case: `cmd=GET`, `Timeout performing GET`, or the method in the traceback above.
pub(super) fn command(line: &str, before: Before<'_>) -> Option<String> {
    let after = [
        "cmd=",
        "Timeout performing ",
        "Timeout awaiting response (",
        "Command: ",
    ];
    let named = after.iter().find_map(|words| {
        let at = line.find(words)? + words.len();
        name(&line[at..])
    });
    named.or_else(|| {
        before
            .lines()
            .take(TRACEBACK_MAX)
            .take_while(|line| line.starts_with(' ') || line.is_empty() || is_heading(line))
            .find_map(|line| of_frame(&line))
    })
}

const TRACEBACK_MAX: usize = 120;

/// A line of a traceback that is not indented: its heads, and the exceptions that it went through.
fn is_heading(line: &str) -> bool {
    let word = line.split([':', ' ']).next().unwrap_or("");
    line.starts_with("Traceback ")
        || line.starts_with("During handling of")
        || line.starts_with("The above exception")
        || word.ends_with("Error")
        || word.ends_with("Exception")
        || word.ends_with("timeout")
}

/// `  File "/x/redis/commands/core.py", line 2633, in blpop`
fn of_frame(line: &str) -> Option<String> {
    let (file, method) = line.trim().strip_prefix("File ")?.rsplit_once(", in ")?;
    match method {
        "_brpop_read" => return Some("BRPOP".to_owned()),
        "listen" | "get_message" if file.contains("/redis/") => {
            return Some("SUBSCRIBE".to_owned());
        }
        _ => {}
    }
    (file.contains("/redis/commands/") || file.contains("/valkey/commands/"))
        .then(|| name(method))
        .flatten()
}

fn name(text: &str) -> Option<String> {
    let end = text
        .find(|c: char| !c.is_ascii_alphabetic() && c != '_')
        .unwrap_or(text.len());
    let name = text[..end].to_ascii_uppercase();
    // What no server knows may be a key.
    seawall_wire::facts::classify(&[&name])
        .facts
        .is_some()
        .then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_a_connection_are_read_where_a_line_has_them() {
        let go = "read tcp 10.0.0.7:51234->10.0.0.2:6379: read: connection reset by peer";
        let lettuce = "[channel=0x1, /10.0.0.7:51234 -> cache/10.0.0.2:6379, last known addr=x] Connection reset";
        for line in [go, lettuce] {
            assert_eq!(local(line).as_deref(), Some("10.0.0.7:51234"), "{line}");
            assert_eq!(server(line).as_deref(), Some("10.0.0.2:6379"), "{line}");
        }
        assert_eq!(
            local("x local=[fd00::7]:5123 peer=y").as_deref(),
            Some("[fd00::7]:5123")
        );
        for line in [
            "a->b",
            "fn(x: u8) -> String",
            "->",
            "dial tcp 10.0.0.2:6379: refused",
        ] {
            assert_eq!(local(line), None, "{line}");
        }
    }

    #[test]
    fn how_long_a_connection_rested_is_read_in_each_form() {
        let forms = [
            ("connection.lost close=rst idle_ms=350200 age_ms=9", 350_200),
            (r#"{"error":"reset","idle_seconds": 350.2}"#, 350_200),
            ("reset, idle=350 s", 350_000),
            ("the connection was idle for 6 min", 360_000),
            ("the peer closed after 300.2 s idle", 300_200),
            (
                "origin: ReadFromPipe, last-read: 352s ago, last-write: 0s ago",
                352_000,
            ),
        ];
        for (line, millis) in forms {
            assert_eq!(idle(line), Some(millis), "{line}");
        }
        for line in [
            "max_idle=300",
            "idle connections: 12",
            "idle",
            "idle=",
            "maxidle: 4",
        ] {
            assert_eq!(idle(line), None, "{line}");
        }
    }

    #[test]
    fn a_traceback_names_the_command_and_another_ones_does_not() {
        let frames = "2026-11-23 02:58:11,042 ERROR x\nTraceback (most recent call last):\n  File \"/v/redis/commands/core.py\", \
line 2633, in blpop\n    return self.execute_command(\n  File \"/v/redis/client.py\", line 9, in execute_command\n";
        let of = |text: &str| {
            command(
                "TimeoutError: Timeout reading from x:1",
                Before(text.as_bytes()),
            )
        };
        assert_eq!(of(frames).as_deref(), Some("BLPOP"));
        assert_eq!(
            of(&format!("{frames}2026-11-23 02:58:12,042 ERROR y\n")),
            None
        );
        assert_eq!(
            command("lost cmd=get idle_ms=0", Before(b"")).as_deref(),
            Some("GET")
        );
    }
}
