//! What redis-cli shows of a reply to a person: `1) 1) "command"`, as a value again.
//!
//! Strings stand in quotes and have no raw line breaks, so that no content passes for structure.

use seawall_wire::Value;
use seawall_wire::error::ServerError;

/// No reply that is read here is nested deeper.
const DEPTH_MAX: usize = 16;

/// Reads replies, one after the other. What cannot be read is left out, and what is cut off ends there.
pub(crate) fn replies(text: &str) -> Vec<Value> {
    let mut lines: Vec<(usize, &str)> = Vec::new();
    for line in text.lines() {
        let rest = line.trim_start_matches(' ');
        if !rest.is_empty() {
            lines.push((line.len() - rest.len(), rest.trim_end_matches('\r')));
        }
    }
    let mut at = 0;
    let mut found = Vec::new();
    while let Some((column, first)) = lines.get(at) {
        found.extend(element(&lines, &mut at, *column, first, 0));
    }
    found
}

/// Reads what begins at `column` of the line at hand, and moves behind it.
fn element(
    lines: &[(usize, &str)],
    at: &mut usize,
    column: usize,
    text: &str,
    depth: usize,
) -> Option<Value> {
    if depth > DEPTH_MAX {
        *at += 1;
        return None;
    }
    let Some((mut number, mut width)) = numbered(text) else {
        *at += 1;
        return scalar(text);
    };
    let mut elements = Vec::new();
    // Numbers are flush right: their closing brackets stand in one column.
    let bracket = column + width;
    let mut text = text;
    loop {
        let after = &text[width + 1..];
        let inner = after.trim_start_matches(' ');
        let begins = bracket + 1 + (after.len() - inner.len());
        elements.extend(element(lines, at, begins, inner, depth + 1));
        let next = lines
            .get(*at)
            .and_then(|(column, next)| Some((*column, *next, numbered(next)?)));
        match next {
            Some((column, next, (later, wide))) if column + wide == bracket && later > number => {
                (text, number, width) = (next, later, wide);
            }
            _ => return Some(Value::Array(elements)),
        }
    }
}

/// `12) ..`: the number, and the width of what stands before the blank.
fn numbered(text: &str) -> Option<(u64, usize)> {
    let (digits, _) = text.split_once(") ")?;
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    plain
        .then(|| Some((digits.parse().ok()?, digits.len() + 1)))
        .flatten()
}

fn scalar(text: &str) -> Option<Value> {
    if let Some(number) = text.strip_prefix("(integer) ") {
        return number.trim().parse().ok().map(Value::Int);
    }
    if let Some(number) = text.strip_prefix("(double) ") {
        return number.trim().parse().ok().map(Value::Double);
    }
    if let Some(error) = text.strip_prefix("(error) ") {
        return Some(Value::Error(ServerError::parse(error.as_bytes())));
    }
    match text {
        "(nil)" => Some(Value::Null),
        "(empty array)" | "(empty list or set)" | "(empty list)" => Some(Value::Array(Vec::new())),
        _ => match text.strip_prefix('"') {
            Some(quoted) => Some(Value::Bulk(unquoted(quoted))),
            None => Some(Value::Simple(text.as_bytes().to_vec())),
        },
    }
}

fn unquoted(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match first {
            b'"' => break,
            b'\\' => match rest {
                [b'x', high, low, after @ ..]
                    if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
                {
                    bytes.push(hex(*high) << 4 | hex(*low));
                    rest = after;
                }
                [escaped, after @ ..] => {
                    bytes.push(match escaped {
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        b'a' => 7,
                        b'b' => 8,
                        other => *other,
                    });
                    rest = after;
                }
                [] => {}
            },
            other => bytes.push(*other),
        }
    }
    bytes
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::read::reply as of;

    fn reply(text: &str) -> Option<Value> {
        replies(text).pop()
    }

    #[test]
    fn the_slow_log_as_it_is_shown_is_read_whatever_its_arguments_look_like() {
        let text = r#" 1) 1) (integer) 14
    2) (integer) 1795402691
    3) (integer) 301000
    4)  1) "keys"
        2) "4) 1) \"get\"\n 2) 1) (integer) 9"
       10) "last"
    5) "127.0.0.1:58217"
    6) ""
10) 1) (integer) 13
    2) (integer) 1795402690
    3) (integer) 15
    4) 1) "ping"
    5) "127.0.0.1:58217"
    6) "worker"
"#;
        let value = reply(text).expect("a reply");
        let slow: Vec<_> = value
            .as_elements()
            .expect("an array")
            .iter()
            .filter_map(of::slow)
            .collect();
        assert_eq!(slow.len(), 2);
        assert_eq!(
            (slow[0].command.as_str(), slow[0].micros),
            ("KEYS", 301_000)
        );
        assert_eq!(slow[1].addr, "127.0.0.1:58217");
    }

    #[test]
    fn latency_events_and_nothing_at_all_are_read() {
        let text = "1) 1) \"fork\"\n   2) (integer) 1795402691\n   3) (integer) 251\n   4) (integer) 1001\n";
        let value = reply(text).expect("a reply");
        let event = of::latency(&value.as_elements().expect("an array")[0]).expect("an event");
        assert_eq!((event.event.as_str(), event.max_ms), ("fork", 1_001));
        assert_eq!(reply("(empty array)\n"), Some(Value::Array(Vec::new())));
        assert_eq!(reply(""), None);
        assert!(
            reply("(error) NOPERM no")
                .expect("one")
                .as_error()
                .is_some()
        );
        assert_eq!(
            reply("\"a\\x00\\\"b\"").expect("one").as_bytes(),
            Some(&b"a\0\"b"[..])
        );
    }

    #[test]
    fn replies_that_follow_one_another_are_told_apart() {
        let text =
            "1) \"timeout\"\n2) \"0\"\n1) \"hz\"\n2) \"10\"\n 1) \"a\"\n10) \"b\"\n(empty array)\n";
        let lengths: Vec<_> = replies(text)
            .iter()
            .map(|value| value.as_elements().map_or(0, <[Value]>::len))
            .collect();
        assert_eq!(lengths, [2, 2, 2, 0]);
    }

    proptest! {
        #[test]
        fn no_text_that_almost_is_a_reply_makes_it_panic(
            text in "(( |\n){0,6}([0-9]{1,3}\\) )?(\\(integer\\) |\"|\\\\x|\u{e9}|\\(nil\\)|[0-9a]){0,3}){0,20}",
        ) {
            let _ = replies(&text);
        }
    }
}
