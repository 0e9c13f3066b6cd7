//! Failures of connections that had rested, where the clients tell for how long.

use seawall_model::journal::run_id_hash;

use crate::facts::{ClientLine, Fact, Facts, Failure, Line, Look, span};

/// No device that is known forgets a flow sooner, in milliseconds.
pub(crate) const DEVICE_MIN: u64 = 55_000;

/// So long after its server's start or end a broken connection says nothing of rest, in seconds.
const RESTART_S: f64 = 900.0;

/// Limits of devices and services, in seconds, and whose they are.
const LIMITS: [(u64, &str); 8] = [
    (
        60,
        "proxies with a `timeout client` or `timeout tunnel` of a minute",
    ),
    (240, "an Azure load balancer (4 min by default)"),
    (300, "proxies and services with five minutes"),
    (
        350,
        "an AWS Network Load Balancer, NAT gateway or Network Firewall (350 s)",
    ),
    (360, "an OCI network load balancer (6 min)"),
    (
        600,
        "Azure Cache for Redis, or Google Cloud's firewall (10 min)",
    ),
    (900, "Docker Swarm's and kube-proxy's IPVS (15 min)"),
    (3_600, "Envoy and Istio (1 h)"),
];

/// What broke at its first use after a rest, and what of the same kind broke without one.
pub(crate) struct Rested<'a> {
    /// Those that had rested that long, the shortest rest first.
    pub(crate) lines: Vec<&'a Fact<ClientLine>>,
    /// How many of the same kind had not.
    pub(crate) below: usize,
}

impl<'a> Rested<'a> {
    /// Of these kinds, those that rested for `least` milliseconds and more. `None` where there is none.
    pub(crate) fn of(facts: &'a Facts, kinds: &[Failure], least: u64) -> Option<Self> {
        let aged: Vec<_> = facts
            .client_log
            .iter()
            .filter(|fact| kinds.contains(&fact.what.failure) && fact.what.idle.is_some())
            .filter(|fact| !restarted(facts, fact))
            .collect();
        let (mut lines, below): (Vec<_>, Vec<_>) = aged
            .into_iter()
            .partition(|fact| fact.what.idle >= Some(least));
        lines.sort_by_key(|fact| fact.what.idle);
        (!lines.is_empty()).then_some(Self {
            lines,
            below: below.len(),
        })
    }

    /// Of devices' limits: enough of them, and hardly any that had not rested.
    pub(crate) fn by_device(facts: &'a Facts, kinds: &[Failure]) -> Option<Self> {
        Self::of(facts, kinds, DEVICE_MIN)
            .filter(|rested| rested.lines.len() >= 3 && rested.below * 10 <= rested.lines.len())
            .filter(|rested| !rested.at_one_moment())
    }

    /// Whether all of them may have broken at one moment, and were only noticed later: then it was an event (a restart of what
    /// stands between, a failover), and no limit.
    fn at_one_moment(&self) -> bool {
        let since = |fact: &&Fact<ClientLine>| {
            let rest = i64::try_from(fact.what.idle?).ok()?;
            Some((fact.at?.0.saturating_sub(rest), fact.at?.0))
        };
        let spans: Option<Vec<_>> = self.lines.iter().map(since).collect();
        spans.is_some_and(|spans| {
            let began = spans.iter().map(|(from, _)| *from).max();
            let first = spans.iter().map(|(_, to)| *to).min();
            began <= first
        })
    }

    /// The shortest rest after which one broke, in whole seconds.
    pub(crate) fn floor(&self) -> u64 {
        self.lines[0].what.idle.unwrap_or(0) / 1_000
    }

    /// `37 of 37 resets came after 350 s of rest and more, none sooner`
    pub(crate) fn words(&self, what: &str) -> String {
        let rested = self.lines.len();
        let all = rested + self.below;
        let sooner = match self.below {
            0 => "none sooner".to_owned(),
            below => format!("{below} sooner"),
        };
        format!(
            "{rested} of {all} {what} came after {} s of rest and more, {sooner}",
            self.floor()
        )
    }

    /// Whose limit that may be.
    pub(crate) fn whose(&self) -> Option<String> {
        let floor = self.floor();
        let of_it = |(limit, _): &&(u64, &str)| floor + 2 >= *limit && floor <= limit + limit / 8;
        let (limit, whose) = LIMITS.iter().rev().find(of_it)?;
        Some(format!("{limit} s is the limit of {whose}"))
    }

    /// One of them that the server still lists as connected, some time after it broke for the client.
    pub(crate) fn ghost(&self, facts: &'a Facts) -> Option<(&'a Look, String)> {
        facts.looks.iter().find_map(|look| {
            let ghost = look.clients.iter().find(|peer| {
                self.lines
                    .iter()
                    .any(|fact| fact.what.local.as_deref() == Some(&*peer.addr))
            })?;
            let says = format!(
                "{} is still connected for the server, idle for {}: it saw no end",
                ghost.label(),
                span(ghost.idle)
            );
            Some((look, says))
        })
    }

    /// A server that was up all the while, and whose `timeout` did not end them.
    pub(crate) fn innocent(&self, facts: &'a Facts) -> Option<(&'a Look, String)> {
        facts.looks.iter().find_map(|look| {
            let timeout = look.setting("timeout")?;
            (timeout == 0 || timeout > self.floor()).then(|| {
                let says = format!(
                    "timeout {timeout}, up {}: the server ended none of them",
                    span(look.number("uptime_in_seconds").unwrap_or(0))
                );
                (look, says)
            })
        })
    }

    /// Whether the server's own `timeout` explains them.
    pub(crate) fn by_server(&self, facts: &Facts) -> bool {
        facts.looks.iter().any(|look| {
            look.setting("timeout")
                .is_some_and(|timeout| timeout > 0 && self.floor() + 1 >= timeout)
        })
    }
}

/// Whether the server began or ended while the connection rested, or shortly before that: then every connection breaks at its
/// next use.
fn restarted(facts: &Facts, call: &Fact<ClientLine>) -> bool {
    if facts.looks.iter().any(|look| is_of(call, look)) {
        return false;
    }
    let Some(at) = call.at else { return false };
    let log = facts
        .lines(|line| {
            matches!(line, Line::Started | Line::Farewell | Line::Crashed(_)).then_some(())
        })
        .filter_map(|(fact, ())| fact.at)
        .any(|told| (-5.0..=RESTART_S).contains(&told.seconds_to(at)));
    let look = facts.looks.iter().any(|look| {
        let began = look
            .at
            .zip(look.number("uptime_in_seconds"))
            .map(|(now, up)| now.plus_seconds(-i64::try_from(up).unwrap_or(i64::MAX)));
        began.is_some_and(|began| (-60.0..=RESTART_S).contains(&began.seconds_to(at)))
    });
    log || look
}

/// Whether the connection was to the process that was looked at, as the client wrote down: no restart ended it.
fn is_of(call: &Fact<ClientLine>, look: &Look) -> bool {
    let told = call.what.connection.and_then(|connection| connection.run);
    let asked = look.word("run_id").filter(|id| !id.is_empty());
    told.is_some_and(|told| asked.map(run_id_hash) == Some(told))
}
