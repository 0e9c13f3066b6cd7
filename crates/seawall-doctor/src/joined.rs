//! What clients tell of a connection that the server closed: joined by the address, or by what their journals know of it.

use seawall_model::journal::run_id_hash;

use crate::facts::{ClientLine, Fact, Facts, Peer, ServerLine};
use crate::finding::Finding;
use crate::stamp::Stamp;

/// More are no more telling, and each is searched for.
const JOINED_MAX: usize = 20;

/// The failure that the client at that address told of, and how much later than the server's line, in seconds. By address: the
/// clocks of both may differ, and what was on its way is read first.
pub(crate) fn noticed<'a>(
    facts: &'a Facts,
    addr: &str,
    at: Option<Stamp>,
) -> Option<(&'a Fact<ClientLine>, Option<f64>)> {
    let told = facts
        .client_log
        .iter()
        .find(|fact| fact.what.local.as_deref() == Some(addr))?;
    let later = at
        .zip(told.at)
        .map(|(closed, told)| closed.seconds_to(told));
    Some((told, later))
}

/// The failure that a client's journal has of the connection of a server's line: joined by the process and the number that it
/// gave the connection, whatever lies between the two. Where the process is not known by its run id, the address has to be
/// the same as well.
pub(crate) fn journaled<'a>(
    facts: &'a Facts,
    line: &Fact<ServerLine>,
    peer: &Peer,
) -> Option<&'a Fact<ClientLine>> {
    let id = peer.id?;
    let run = run_of(facts, line.what.pid);
    facts.client_log.iter().find(|fact| {
        let Some(connection) = fact.what.connection.filter(|one| one.id == id) else {
            return false;
        };
        match (run, connection.run) {
            (Some(run), Some(other)) => run == other,
            _ => fact.what.local.as_deref() == Some(&*peer.addr),
        }
    })
}

/// The run id of the process that wrote a server's log, hashed, if that process was looked at.
fn run_of(facts: &Facts, pid: Option<u32>) -> Option<u64> {
    let pid = u64::from(pid?);
    let mut of_it = facts
        .looks
        .iter()
        .filter(|look| look.number("process_id") == Some(pid))
        .filter_map(|look| look.word("run_id"));
    let (one, other) = (of_it.next()?, of_it.next());
    // In containers every server is process 1.
    other.is_none().then(|| run_id_hash(one))
}

/// Adds what clients' journals told of the connections that the server closed.
pub(crate) fn with_journals(
    mut finding: Finding,
    facts: &Facts,
    closed: &[(&Fact<ServerLine>, &Peer)],
) -> Finding {
    for (line, peer) in closed.iter().take(JOINED_MAX) {
        let Some(told) = journaled(facts, line, peer) else {
            continue;
        };
        let when = line
            .at
            .zip(told.at)
            .map_or_else(String::new, |(closed, told)| {
                format!(", {:.1} s later", closed.seconds_to(told))
            });
        let says = format!(
            "process {} lost id={} in its journal{when}: {}",
            told.what.process.as_deref().unwrap_or("?"),
            peer.id.unwrap_or_default(),
            told.what.failure.words()
        );
        finding = finding.at(told.at).supported(told.place.clone(), says);
    }
    finding
}

/// Adds what clients told of the connections that the server closed, joined by address.
pub(crate) fn joined(
    mut finding: Finding,
    facts: &Facts,
    closed: impl IntoIterator<Item = (String, Option<Stamp>)>,
) -> Finding {
    for (addr, at) in closed.into_iter().take(JOINED_MAX) {
        let Some((told, later)) = noticed(facts, &addr, at) else {
            continue;
        };
        // A journal knows more than the address: see `with_journals`.
        if told.what.connection.is_some() {
            continue;
        }
        let when = match later {
            Some(later) if later >= 0.0 => format!("{later:.1} s later"),
            Some(earlier) => format!("{:.1} s before, by its clock", -earlier),
            None => "at a time that is not told".to_owned(),
        };
        let says = format!("the client at {addr} noticed {when}");
        finding = finding.at(told.at).supported(told.place.clone(), says);
    }
    finding
}
