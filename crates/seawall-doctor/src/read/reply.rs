//! What replies of a server mean, whether they came over a socket or out of a file. Arguments, keys and channels are left
//! behind here.

use std::collections::BTreeMap;
use std::time::Duration;

use seawall_wire::Value;

use crate::facts::{ClusterNode, Denied, LatencyEvent, Look, Role, Slow, Watched};
use crate::settings::kept;
use crate::stamp::Stamp;

/// What is kept of a primary, a replica or a Sentinel that a Sentinel tells of.
const INSTANCE: &[&str] = &[
    "config-epoch",
    "down-after-milliseconds",
    "failover-timeout",
    "flags",
    "info-refresh",
    "ip",
    "last-hello-message",
    "last-ok-ping-reply",
    "last-ping-reply",
    "last-ping-sent",
    "link-pending-commands",
    "link-refcount",
    "master-host",
    "master-link-down-time",
    "master-link-status",
    "master-port",
    "name",
    "num-other-sentinels",
    "num-slaves",
    "o-down-time",
    "parallel-syncs",
    "port",
    "quorum",
    "replica-announced",
    "role-reported",
    "role-reported-time",
    "runid",
    "s-down-time",
    "slave-priority",
    "slave-repl-offset",
    "voted-leader-epoch",
];

/// Keeps a reply of which nobody says what was asked: its shape tells.
pub(crate) fn recognised(look: &mut Look, reply: &Value) {
    let Some(elements) = reply.as_elements().filter(|all| !all.is_empty()) else {
        return;
    };
    if let Some(role) = role(reply) {
        look.role = Some(role);
    } else if elements.iter().all(|one| one.as_elements().is_none()) {
        settings(look, reply);
        let numbers = memory(reply);
        if numbers.contains_key("peak.allocated") {
            look.memory = numbers;
        }
    } else if elements[0].as_str() == Some("peak.allocated") {
        look.memory = memory(reply);
    } else {
        let at = look.at;
        look.slow.extend(elements.iter().filter_map(slow));
        if !look.slow.is_empty() {
            look.answered.insert("SLOWLOG GET");
        }
        look.latency.extend(elements.iter().filter_map(latency));
        let refused = elements.iter().filter_map(|entry| denied(entry, at));
        look.denied.extend(refused);
        look.watched.extend(elements.iter().filter_map(|one| {
            let primary = instance(one);
            let name = primary
                .get("name")
                .filter(|_| primary.contains_key("quorum"))?;
            Some(Watched::new(name.clone(), primary))
        }));
    }
}

/// CONFIG GET: keeps what rules read.
pub(crate) fn settings(look: &mut Look, reply: &Value) {
    for (name, value) in pairs(reply) {
        if let (Some(name), Some(value)) = (kept(&name), value.as_str()) {
            look.config.insert(name.to_owned(), value.to_owned());
        }
    }
}

/// `name:value` lines: INFO, CLUSTER INFO.
pub(crate) fn fields(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.trim_end().split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// An entry of SLOWLOG GET.
pub(crate) fn slow(entry: &Value) -> Option<Slow> {
    let fields = entry.as_elements()?;
    let command = fields.get(3)?.as_elements()?.first()?.as_str()?;
    Some(Slow {
        at: Stamp(fields.get(1)?.as_int()?.checked_mul(1_000)?),
        micros: u64::try_from(fields.get(2)?.as_int()?).ok()?,
        command: command.to_ascii_uppercase(),
        addr: text(fields.get(4)),
    })
}

/// An entry of LATENCY LATEST.
pub(crate) fn latency(entry: &Value) -> Option<LatencyEvent> {
    let fields = entry.as_elements()?;
    let number = |at: usize| u64::try_from(fields.get(at)?.as_int()?).ok();
    Some(LatencyEvent {
        event: fields.first()?.as_str()?.to_owned(),
        at: Stamp(fields.get(1)?.as_int()?.checked_mul(1_000)?),
        last_ms: number(2)?,
        max_ms: number(3)?,
    })
}

/// An entry of ACL LOG. What was refused is kept only where it is a command.
pub(crate) fn denied(entry: &Value, now: Option<Stamp>) -> Option<Denied> {
    let fields = pairs(entry);
    let word = |name: &str| text(fields.get(name).copied());
    let reason = word("reason");
    if reason.is_empty() {
        return None;
    }
    let age = Duration::try_from_secs_f64(word("age-seconds").parse().ok()?).ok()?;
    let age_ms = u64::try_from(age.as_millis()).ok()?;
    let client = word("client-info");
    let addr = client
        .split(' ')
        .find_map(|part| part.strip_prefix("addr="))
        .unwrap_or_default();
    Some(Denied {
        at: now.map(|now| Stamp(now.0.saturating_sub(age_ms.cast_signed()))),
        count: count(fields.get("count").copied()),
        context: word("context"),
        command: (reason == "command").then(|| word("object")),
        user: word("username"),
        addr: addr.to_owned(),
        age_ms,
        reason,
    })
}

/// The numbers of MEMORY STATS; those of a database are called `db.0.overhead.hashtable.main`.
pub(crate) fn memory(reply: &Value) -> BTreeMap<String, String> {
    let mut numbers = BTreeMap::new();
    for (name, value) in pairs(reply) {
        if let Some(number) = number(value) {
            numbers.insert(name, number);
        } else if name.starts_with("db.") {
            let inner = pairs(value).into_iter();
            numbers.extend(
                inner.filter_map(|(part, value)| Some((format!("{name}.{part}"), number(value)?))),
            );
        }
    }
    numbers
}

fn number(value: &Value) -> Option<String> {
    match value.bare() {
        Value::Int(number) => Some(number.to_string()),
        Value::Double(number) => Some(number.to_string()),
        other => other
            .as_str()
            .filter(|text| text.parse::<f64>().is_ok())
            .map(str::to_owned),
    }
}

/// ROLE.
pub(crate) fn role(reply: &Value) -> Option<Role> {
    let fields = reply.as_elements()?;
    match fields.first()?.as_str()? {
        "master" => Some(Role::Primary {
            offset: count(fields.get(1)),
            replicas: fields
                .get(2)?
                .as_elements()?
                .iter()
                .filter_map(|one| {
                    let parts = one.as_elements()?;
                    let addr = format!("{}:{}", text(parts.first()), text(parts.get(1)));
                    Some((addr, count(parts.get(2))))
                })
                .collect(),
        }),
        "slave" => Some(Role::Replica {
            primary: format!("{}:{}", text(fields.get(1)), count(fields.get(2))),
            state: text(fields.get(3)),
            offset: u64::try_from(fields.get(4)?.as_int()?).ok(),
        }),
        "sentinel" => {
            let names = fields.get(1)?.as_elements()?.iter();
            Some(Role::Sentinel(names.map(|name| text(Some(name))).collect()))
        }
        _ => None,
    }
}

/// A row of CLUSTER NODES.
pub(crate) fn node(row: &str) -> Option<ClusterNode> {
    let words: Vec<_> = row.split_whitespace().collect();
    let [
        id,
        addr,
        flags,
        primary,
        ping,
        _pong,
        _epoch,
        link,
        slots @ ..,
    ] = &words[..]
    else {
        return None;
    };
    if id.len() != 40 || !id.chars().all(|c| c.is_ascii_hexdigit()) {
        return None;
    }
    let mut served: u32 = 0;
    let mut moving = Vec::new();
    for slot in slots {
        if let Some(inside) = slot.strip_prefix('[') {
            moving.extend(inside.split('-').next()?.parse::<u32>().ok());
        } else {
            let (first, last) = slot.split_once('-').unwrap_or((slot, slot));
            let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
            let range = last.checked_sub(first)?.saturating_add(1);
            served = served.saturating_add(range);
        }
    }
    let pinged: i64 = ping.parse().ok()?;
    Some(ClusterNode {
        id: (*id).to_owned(),
        addr: addr.split(['@', ',']).next()?.to_owned(),
        flags: flags.split(',').map(str::to_owned).collect(),
        primary: (*primary != "-").then(|| (*primary).to_owned()),
        unanswered_since: (pinged > 0).then_some(Stamp(pinged)),
        linked: *link == "connected",
        slots: served,
        moving,
    })
}

/// An instance that a Sentinel tells of.
pub(crate) fn instance(reply: &Value) -> BTreeMap<String, String> {
    pairs(reply)
        .into_iter()
        .filter(|(name, _)| INSTANCE.contains(&name.as_str()))
        .map(|(name, value)| (name, text(Some(value))))
        .collect()
}

/// Names and their values: of a map, or of an array in which they take turns.
pub(crate) fn pairs(reply: &Value) -> BTreeMap<String, &Value> {
    if let Value::Map(pairs) = reply.bare() {
        let named = pairs.iter();
        return named
            .filter_map(|(name, value)| Some((name.as_str()?.to_owned(), value)))
            .collect();
    }
    let elements = reply.as_elements().unwrap_or_default();
    elements
        .chunks_exact(2)
        .filter_map(|pair| Some((pair[0].as_str()?.to_owned(), &pair[1])))
        .collect()
}

fn text(value: Option<&Value>) -> String {
    match value.map(Value::bare) {
        Some(Value::Int(number)) => number.to_string(),
        Some(other) => other
            .as_bytes()
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
            .unwrap_or_default(),
        None => String::new(),
    }
}

fn count(value: Option<&Value>) -> u64 {
    text(value).parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::Bulk(text.as_bytes().to_vec())
    }

    fn refused(reason: &str, object: &str) -> Value {
        let pair = |name: &str, value: Value| [bulk(name), value];
        let fields = [
            pair("count", Value::Int(3)),
            pair("reason", bulk(reason)),
            pair("context", bulk("toplevel")),
            pair("object", bulk(object)),
            pair("username", bulk("app")),
            pair("age-seconds", bulk("4.096")),
            pair(
                "client-info",
                bulk("id=5 addr=10.0.0.7:51234 laddr=10.0.0.1:6379 name="),
            ),
        ];
        Value::Array(fields.into_iter().flatten().collect())
    }

    #[test]
    fn of_what_was_denied_only_a_command_is_kept() {
        let now = Some(Stamp(10_000));
        let command = denied(&refused("command", "config|get"), now).expect("an entry");
        assert_eq!(command.command.as_deref(), Some("config|get"));
        assert_eq!((command.count, command.at), (3, Some(Stamp(5_904))));
        assert_eq!(command.addr, "10.0.0.7:51234");
        let key = denied(&refused("key", "user:4711:token"), now).expect("an entry");
        assert_eq!(key.command, None);
        assert!(!format!("{key:?}").contains("4711"));
    }

    #[test]
    fn a_node_that_fails_and_one_whose_slots_move_are_read() {
        let id = "07c37dfeb235213a872192d90877d0cd55635b91";
        let row = format!(
            "{id} 127.0.0.1:30004@31004,name slave,fail? {id} 1426238316 1426238317232 4 disconnected"
        );
        let failing = node(&row).expect("a node");
        assert!(failing.is("fail?") && !failing.linked);
        assert_eq!(failing.addr, "127.0.0.1:30004");
        assert_eq!(failing.unanswered_since, Some(Stamp(1_426_238_316)));
        let row = format!(
            "{id} 10.0.0.1:6379@16379 myself,master - 0 0 1 connected 0-5460 7000 [93->-{id}] [77-<-{id}]"
        );
        let moving = node(&row).expect("a node");
        assert_eq!((moving.slots, moving.moving), (5_462, vec![93, 77]));
        assert_eq!(node("no row of it at all, whatever it says here"), None);
    }
}
