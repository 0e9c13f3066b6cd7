//! What rules about TLS share: the server's line about a handshake that failed, and the doctor's own.

use std::collections::BTreeSet;

use crate::evidence::Heard;
use crate::facts::{Facts, Look, Reach, TlsTrouble};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::Rule;
use crate::text::{Keeps, Said, Text};

/// `Error accepting a client connection: error:0A000418:SSL routines::tlsv1 alert unknown ca (addr=10.0.0.7:51234 ..)`
pub(crate) const ACCEPTING: Text =
    Text::server("Error accepting a client connection: ").keeping(Keeps::Rest);

/// What a rule about handshakes listens for.
pub(crate) struct Handshake {
    /// What the server's line says of it: OpenSSL's words.
    pub(crate) server: &'static [&'static str],
    /// What clients say.
    pub(crate) client: &'static [Text],
    /// What the doctor met itself.
    pub(crate) met: fn(&TlsTrouble) -> bool,
}

/// What was found of it. Proved, if the doctor met it itself.
pub(crate) fn found(facts: &Facts, rule: &Rule, handshake: &Handshake) -> Option<Finding> {
    let says = |said: &Said| {
        handshake
            .server
            .iter()
            .any(|words| said.rest.contains(words))
    };
    let server = Heard::of(facts, &[ACCEPTING]).and_then(|heard| heard.only(says));
    let client = Heard::of(facts, handshake.client);
    let met: Option<(&Look, &TlsTrouble)> = facts.looks.iter().find_map(|look| match &look.reach {
        Reach::Tls(trouble) if (handshake.met)(trouble) => Some((look, trouble)),
        _ => None,
    });
    let confidence = match (&met, &server, &client) {
        (Some(_), ..) => Confidence::Proved,
        (None, Some(_), Some(_)) => Confidence::Strong,
        (None, Some(_), None) | (None, None, Some(_)) => Confidence::Likely,
        (None, None, None) => return None,
    };
    let mut finding = Finding::new(rule.code, rule.title, Verdict::Cause, confidence);
    let mut handshakes = 0;
    for heard in [&server, &client].into_iter().flatten() {
        handshakes = handshakes.max(heard.lines.len());
        finding = finding.at(heard.first().at).at(heard.last().at);
        for one in heard.finding(rule, Verdict::Cause, confidence).supports {
            finding = finding.supported(one.place, one.says);
        }
    }
    for host in server.iter().flat_map(hosts) {
        finding = finding.struck(host);
    }
    if let Some((look, trouble)) = met {
        finding = finding
            .at(look.at)
            .struck(&*look.source)
            .supported(look.place("connect"), trouble.to_string());
    }
    let times = match handshakes {
        0 => String::new(),
        1 => "1 handshake failed. ".to_owned(),
        many => format!("{many} handshakes failed. "),
    };
    let met = met.map_or_else(String::new, |(_, trouble)| {
        format!(" The doctor met it itself: {trouble}.")
    });
    Some(finding.claims(format!("{times}{}.{met}", upper(rule.title))))
}

/// The hosts that the server's lines name: older versions name none.
pub(crate) fn hosts(heard: &Heard<'_>) -> BTreeSet<String> {
    let host = |said: &Said| {
        let (_, addr) = said.rest.split_once("addr=")?;
        let addr = addr.split([' ', ')']).next()?;
        Some(
            addr.rsplit_once(':')
                .map_or(addr, |(host, _)| host)
                .to_owned(),
        )
    };
    heard
        .lines
        .iter()
        .filter_map(|fact| host(&fact.what))
        .collect()
}

fn upper(words: &str) -> String {
    let mut chars = words.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}
