//! What an operator asked by hand, and pasted with its answer: the length of a queue, what a name stands for.

use crate::facts::NameAnswer;

/// Nobody's queue or prompt is longer.
const ASKED_MAX: usize = 300;

/// The queue whose length the next line tells: `127.0.0.1:6379> LLEN celery`, `$ redis-cli -h cache LLEN celery`.
pub(super) fn queue(line: &str) -> Option<&str> {
    let line = line.trim();
    if line.len() > ASKED_MAX {
        return None;
    }
    let mut words = line.split_whitespace();
    let before = words.position(|word| word.eq_ignore_ascii_case("llen"))?;
    let name = words.next()?.trim_matches('"');
    let typed = before == 0
        || line.contains("redis-cli ")
        || line.contains("valkey-cli ")
        || (before == 1 && line.contains("> "));
    (typed && words.next().is_none()).then_some(name)
}

/// `(integer) 1204`, or the number alone.
pub(super) fn length(line: &str) -> Option<u64> {
    let line = line.trim();
    line.strip_prefix("(integer) ").unwrap_or(line).parse().ok()
}

/// A line of the answer of `dig` or `host`: `cache.internal. 15 IN A 10.0.1.7`, `cache.internal has address 10.0.1.7`.
pub(super) fn name(line: &str) -> Option<NameAnswer> {
    if line.len() > ASKED_MAX || line.starts_with(';') {
        return None;
    }
    let words: Vec<_> = line.split_whitespace().collect();
    let (name, address) = match words[..] {
        [name, ttl, "IN", "A" | "AAAA" | "CNAME", address] if ttl.parse::<u32>().is_ok() => {
            (name, address)
        }
        [name, "has", "address", address] | [name, "has", "IPv6", "address", address] => {
            address.parse::<std::net::IpAddr>().ok()?;
            (name, address)
        }
        _ => return None,
    };
    Some(NameAnswer {
        name: name.trim_end_matches('.').to_owned(),
        address: address.trim_end_matches('.').to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_named_where_somebody_asked_for_it() {
        assert_eq!(queue("127.0.0.1:6379> LLEN celery"), Some("celery"));
        assert_eq!(queue("$ redis-cli -h cache llen celery"), Some("celery"));
        assert_eq!(queue("LLEN \"celery\""), Some("celery"));
        assert_eq!(queue("we asked for LLEN celery"), None);
        assert_eq!(queue("LLEN celery and more"), None);
        assert_eq!(
            (length("(integer) 7"), length("7"), length("x")),
            (Some(7), Some(7), None)
        );
    }

    #[test]
    fn an_answer_of_a_name_service_names_the_address() {
        let answer = |line: &str| name(line).map(|answer| (answer.name, answer.address));
        let told = Some(("cache.internal".to_owned(), "10.0.1.7".to_owned()));
        assert_eq!(answer("cache.internal.\t15\tIN\tA\t10.0.1.7"), told);
        assert_eq!(answer("cache.internal has address 10.0.1.7"), told);
        assert_eq!(answer("everybody has address books"), None);
        assert_eq!(answer(";; ANSWER SECTION:"), None);
    }
}
