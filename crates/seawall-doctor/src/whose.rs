//! Whose symptom a failed call may be, whenever it failed: by how it failed, and by the server that it names.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::{ClientLine, Fact, Facts, Failure};
use crate::finding::Finding;
use crate::rule::Code;
use crate::stamp::Stamp;

/// The process ended, and its kernel ended all its connections: nobody is left to wait for a reply.
const ENDS: [Code; 8] = [
    Code(401),
    Code(402),
    Code(404),
    Code(405),
    Code(408),
    Code(413),
    Code(422),
    Code(423),
];

/// A provider may have changed more than the server's being there.
const PROVIDER: Code = Code(420);

/// Who tells times in whole seconds tells them up to a second early.
const COARSE_MS: i64 = 999;

/// A server that a log or a look tells of.
#[derive(Debug)]
struct Server<'a> {
    host: Option<&'a str>,
    port: u16,
}

impl Server<'_> {
    fn is(&self, host: &str, port: u16) -> bool {
        self.port == port && self.host.is_none_or(|known| known == host)
    }
}

/// Which servers are known, and of which ones each application's log tells.
#[derive(Debug)]
pub(crate) struct Whose<'a> {
    servers: BTreeMap<&'a str, Vec<Server<'a>>>,
    logs: BTreeMap<&'a str, &'a str>,
    clients: BTreeMap<&'a str, BTreeSet<(&'a str, u16)>>,
}

impl<'a> Whose<'a> {
    pub(crate) fn of(facts: &'a Facts) -> Self {
        let mut servers: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let logs = facts.logs();
        for (source, ports) in facts.ports() {
            let own = servers.entry(logs[source]).or_default();
            own.extend(ports.into_iter().map(|port| Server { host: None, port }));
        }
        for look in &facts.looks {
            if let Some((host, port)) = address(&look.source) {
                let host = Some(host);
                servers.insert(&look.source, vec![Server { host, port }]);
            }
        }
        let mut clients: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for fact in &facts.client_log {
            let named = fact.what.server.as_deref().and_then(address);
            let all = clients.entry(&*fact.place.source).or_default();
            all.extend(named);
        }
        Self {
            servers,
            logs,
            clients,
        }
    }

    /// Whether that call may have failed of it, if the times agree.
    pub(crate) fn may_be(&self, finding: &Finding, call: &Fact<ClientLine>) -> bool {
        !says_otherwise(finding.code, call.what.failure) && !self.is_anothers(finding, call)
    }

    /// It names another server than the finding does, and we know that one; or all do that its log tells of.
    pub(crate) fn is_anothers(&self, finding: &Finding, call: &Fact<ClientLine>) -> bool {
        let sources = finding.supports.iter().map(|one| &*one.place.source);
        let own = sources.filter_map(|source| {
            let log = self.logs.get(source).copied().unwrap_or(source);
            self.servers.get(log)
        });
        let own: Vec<_> = own.flatten().collect();
        if own.is_empty() {
            return false;
        }
        let another = |(host, port): (&str, u16)| {
            let mut known = self.servers.values().flatten();
            known.any(|server| server.is(host, port))
                && !own.iter().any(|server| server.is(host, port))
        };
        if let Some(named) = call.what.server.as_deref().and_then(address) {
            return another(named);
        }
        let named = &self.clients[&*call.place.source];
        !named.is_empty() && named.iter().all(|named| another(*named))
    }
}

/// `cache:6379`; `None` of a Unix socket and of a file.
fn address(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    Some((host, port.parse().ok()?))
}

/// Whether the server said in words why it refused the call: those words are of no connection that broke and of no wait.
pub(crate) fn is_said(failure: Failure) -> bool {
    matches!(
        failure,
        Failure::Auth
            | Failure::Denied
            | Failure::OutOfMemory
            | Failure::SaveFailed
            | Failure::ReadOnly
            | Failure::MaxClients
            | Failure::Busy
    )
}

/// Idle, closed by the server, lost or slow: such a thing ends connections or makes them wait. Calls that the server
/// refused in words did not fail of it.
fn says_otherwise(code: Code, failure: Failure) -> bool {
    let breaks = matches!(code.0 / 100, 2 | 3 | 4 | 6) && code != PROVIDER;
    breaks && is_said(failure) && !(failure == Failure::Busy && code.0 / 100 == 6)
}

/// A call that got no reply in time before the process ended waited for something else: an end leaves nobody waiting.
pub(crate) fn waited_before(finding: &Finding, call: &Fact<ClientLine>, from: Stamp) -> bool {
    let blur = call
        .at
        .map_or(0, |at| if at.0 % 1_000 == 0 { COARSE_MS } else { 0 });
    ENDS.contains(&finding.code)
        && call.what.failure == Failure::ReadTimeout
        && call.at.is_some_and(|at| at.plus_millis(blur) < from)
}
