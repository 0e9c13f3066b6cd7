//! `client-output-buffer-limit`, which several rules speak of.

use std::collections::BTreeMap;

use crate::facts::{Facts, Line, Look, Peer, Place, bytes};
use crate::finding::{Confidence, Finding, Verdict};
use crate::joined;
use crate::rule::{Code, Rule};

/// From so many bytes on what a closed client had sent is a pipeline: the request itself is still counted when its reply
/// outgrows the limit, and a server reads 16 kB at once of who sends on and on.
pub(crate) const PIPELINE_BYTES: u64 = 8 * 1024;

/// A finding about the clients that were closed over their output buffer limit and that `is` picks: proof, since each line
/// names its connection. The first of them comes along. Claim and advice are the rule's.
pub(crate) fn closed<'a>(
    facts: &'a Facts,
    rule: &Rule,
    is: impl Fn(&Peer) -> bool,
) -> Option<(Finding, &'a Place, &'a Peer)> {
    let closed: Vec<_> = facts
        .lines(|line| match line {
            Line::OutputLimit(peer) if is(peer) => Some(peer),
            _ => None,
        })
        .collect();
    let (first, peer) = *closed.first()?;
    let mut finding = Finding::new(rule.code, rule.title, Verdict::Cause, Confidence::Proved);
    for (fact, peer) in &closed {
        let says = format!(
            "{} closed at {} unread",
            peer.label(),
            bytes(peer.output_bytes)
        );
        finding = finding
            .at(fact.at)
            .struck(peer.label())
            .supported(fact.place.clone(), says);
    }
    let peers = closed
        .iter()
        .map(|(fact, peer)| (peer.addr.clone(), fact.at));
    let finding = joined::joined(finding, facts, peers);
    let finding = joined::with_journals(finding, facts, &closed);
    Some((finding, &first.place, peer))
}

/// ` (limit 32.0 MB)` where the configuration is known.
pub(crate) fn of_class(facts: &Facts, class: &str) -> String {
    match hard(facts, class) {
        Some(0) | None => String::new(),
        Some(limit) => format!(" (limit {})", bytes(limit)),
    }
}

/// How to take a change of it back.
pub(crate) fn undo(facts: &Facts, class: &str) -> String {
    let old = known(facts, class).unwrap_or_else(|| format!("{class} <hard> <soft> <seconds>"));
    format!("redis-cli CONFIG SET client-output-buffer-limit '{old}'")
}

/// Twice the limits of that class, as CONFIG SET takes them; `or` where they are not known, or there are none.
pub(crate) fn twice(facts: &Facts, class: &str, or: &str) -> String {
    let limits = known(facts, class).unwrap_or_default();
    let numbers: Vec<u64> = limits
        .split(' ')
        .filter_map(|word| word.parse().ok())
        .collect();
    match numbers[..] {
        [hard, soft, seconds] if hard > 0 => {
            let (hard, soft) = (hard.saturating_mul(2), soft.saturating_mul(2));
            format!("'{class} {hard} {soft} {seconds}'")
        }
        _ => format!("'{or}'"),
    }
}

/// Twice a setting that is a number; `<more>` where it is not known.
pub(crate) fn twice_as_much(look: Option<&Look>, setting: &str) -> String {
    look.and_then(|look| look.setting(setting))
        .filter(|now| *now > 0)
        .map_or_else(
            || "<more>".to_owned(),
            |now| now.saturating_mul(2).to_string(),
        )
}

/// How many were closed over such a limit, where the server counts it (since 7.0).
const COUNTER: &str = "client_output_buffer_limit_disconnections";

/// Somebody was closed over such a limit between two looks, and a server that counts it tells no more: most likely one of
/// those that `is` picks, if the fullest of all are among them. Claim and advice are the rule's.
pub(crate) fn counted(facts: &Facts, rule: &Rule, is: impl Fn(&Peer) -> bool) -> Option<Finding> {
    facts.looks.iter().find_map(|look| {
        let finding = rose(look, rule)?;
        let fullest = fullest(look)?;
        let mut suspects = look
            .clients
            .iter()
            .filter(|client| client.output_bytes == fullest && is(client));
        let suspect = suspects.next()?;
        let says = format!("{} has {} unread", suspect.label(), bytes(fullest));
        Some(finding.supported(look.place("CLIENT LIST"), says))
    })
}

/// As [`counted`], where nobody tells whom it may have been: CLIENT LIST was refused, or asked of some clients alone. Only
/// subscribers and replicas have a limit unless somebody set one, so that it is likely a subscriber, and a guess where others
/// have one as well.
pub(crate) fn counted_of_nobody(facts: &Facts, rule: &Rule) -> Option<Finding> {
    let look = facts.looks.iter().find(|look| fullest(look).is_none())?;
    let mut finding = rose(look, rule)?;
    let others = hard(facts, "normal").is_some_and(|limit| limit > 0);
    if others || !anybody_subscribes(look) {
        finding.confidence = Confidence::Possible;
    }
    Some(finding)
}

/// Whether there is a subscription, or was one; so it is taken to be where nothing tells.
fn anybody_subscribes(look: &Look) -> bool {
    let fields = ["pubsub_channels", "pubsub_patterns", "pubsubshard_channels"];
    let none = |info: &BTreeMap<String, String>| {
        let known: Vec<_> = fields.iter().filter_map(|field| info.get(*field)).collect();
        !known.is_empty() && known.iter().all(|count| *count == "0")
    };
    let before = look.before.as_ref();
    !none(&look.info) || before.is_none_or(|before| !none(&before.info))
}

/// How much the fullest of all clients has unread, where all of them were listed.
fn fullest(look: &Look) -> Option<u64> {
    let all = look.answered.contains("CLIENT LIST");
    let unread = look.clients.iter().map(|client| client.output_bytes);
    unread.max().filter(|_| all)
}

/// That the counter rose.
fn rose(look: &Look, rule: &Rule) -> Option<Finding> {
    let says = format!("{COUNTER} {}", look.rose_by(COUNTER)?);
    Some(
        Finding::new(rule.code, rule.title, Verdict::Cause, Confidence::Likely)
            .at(look.earlier())
            .at(look.at)
            .struck(&*look.source)
            .supported(look.place("INFO"), says),
    )
}

/// Nobody was closed over such a limit, as far as a server that counts it tells.
pub(crate) fn ruled_out(facts: &Facts, code: Code, title: &str) -> Vec<Finding> {
    facts
        .looks
        .iter()
        .filter(|look| look.number(COUNTER) == Some(0))
        .map(|look| {
            let says = format!("{COUNTER} 0 {}", look.counting_since());
            Finding::ruled_out(code, title, look.place("INFO"), says)
        })
        .collect()
}

/// `pubsub 33554432 8388608 60`
fn known(facts: &Facts, class: &str) -> Option<String> {
    let all = facts
        .looks
        .iter()
        .find_map(|look| look.config.get("client-output-buffer-limit"))?;
    let words: Vec<_> = all.split(' ').collect();
    let four = words.chunks(4).find(|four| four[0] == class)?;
    Some(four.join(" "))
}

/// Its hard limit in bytes; 0 is none.
pub(crate) fn hard(facts: &Facts, class: &str) -> Option<u64> {
    known(facts, class)?.split(' ').nth(1)?.parse().ok()
}
