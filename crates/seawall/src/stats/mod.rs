//! How things stand, in numbers.

mod by_cause;
mod counters;
mod histogram;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use seawall_model::Cause;
use seawall_model::journal::HealthState;
use seawall_policy::health::State;

use crate::clock;
use crate::link::shared::Link;

pub use by_cause::ByCause;
pub(crate) use counters::{Counters, Course, Failed};
pub use counters::{OutageCalls, PastOutage};
pub use histogram::Histogram;

/// How a client stands at one moment, and what it has counted since it was made.
///
/// A forked child counts anew. Commands on leases are not counted as calls, their connections are,
/// unless the borrower [asked for that](crate::blocking::Lease::count_calls).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Stats {
    /// The endpoint.
    pub endpoint: Box<str>,
    /// How it is.
    pub state: HealthState,
    /// The outage or suspicion that lasts, unless the endpoint is up.
    pub outage: Option<OngoingTrouble>,
    /// Whether the server refuses writes and answers reads.
    pub writes_refused: Option<OngoingTrouble>,
    /// Why the server turned us away, where it never let us in: a mistake in the settings, and no outage.
    pub rejected: Option<Cause>,
    /// Outages since the client was made; suspicions that a probe cleared are not among them.
    pub outages: u64,
    /// The last outage that ended.
    pub last_outage: Option<PastOutage>,

    /// Calls that were begun; a pipeline or a transaction is one.
    pub calls: u64,
    /// Calls that were answered, be it by an error about the command itself.
    pub answered: u64,
    /// Calls that were not, by why.
    pub failed: ByCause,
    /// Of the failed, those that were refused at once, since the endpoint was known to be down.
    pub refused: u64,
    /// Of the failed, those that may have run.
    pub may_have_run: u64,
    /// How often a call was sent again.
    pub retried: u64,
    /// Calls that failed after they had been sent, and were not sent again.
    pub retries_refused: u64,

    /// How many connections may carry ordinary calls (`pool_size`).
    pub size: usize,
    /// Connections at rest.
    pub idle: usize,
    /// Connections in use.
    pub in_use: usize,
    /// Connections being made.
    pub dialling: usize,
    /// Calls that wait for a connection.
    pub waiting: usize,
    /// Connections that were made, probes included.
    pub dialled: u64,
    /// Attempts to connect that failed, probes included.
    pub dials_failed: ByCause,
    /// Connections that ended under us, or were given up.
    pub lost: ByCause,
    /// How long it took to make each connection: looking its name up, dialling, TLS and login.
    pub create_time: Histogram,
    /// How long each call and each lease waited until it was given a connection.
    pub wait_time: Histogram,
    /// How long each of them had it. Of a connection that many calls share, how long each call was under way on it.
    pub use_time: Histogram,

    /// The server process that was last spoken to.
    pub run_id: Option<Box<str>>,

    /// Bytes of records that the journal holds in memory.
    pub journal_bytes: u64,
    /// The journal's file, once there is one and as long as it can be written.
    pub journal_file: Option<PathBuf>,
}

/// What is wrong now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OngoingTrouble {
    /// Why, as far as it is known.
    pub cause: Cause,
    /// For how long it has lasted.
    pub lasting: Duration,
}

impl Stats {
    pub(crate) fn of(link: &Link) -> Self {
        let now = clock::now();
        let ledger = link.ledger();
        let (idle, in_use, dialling) = ledger.population();
        let trouble = |(cause, since)| OngoingTrouble {
            cause,
            lasting: now.since(since),
        };
        let (state, outage) = match ledger.health.state() {
            State::Up => (HealthState::Up, None),
            State::Suspect { since, cause } => (HealthState::Suspect, Some((cause, since))),
            State::Down { since, cause, .. } => (HealthState::Down, Some((cause, since))),
        };
        let counters = ledger.counters.clone();
        Self {
            endpoint: link.name.as_ref().into(),
            state,
            outage: outage.map(trouble),
            writes_refused: ledger.health.write_gate().map(trouble),
            rejected: ledger.health.rejected().map(|(cause, _)| cause),
            outages: counters.outages,
            last_outage: counters.last_outage,
            calls: counters.asked - counters.leased + counters.said,
            answered: counters.answered,
            failed: counters.failed,
            refused: counters.refused,
            may_have_run: counters.may_have_run,
            retried: counters.retried,
            retries_refused: counters.retries_refused,
            size: ledger.size(),
            idle,
            in_use,
            dialling,
            waiting: ledger.waiting(),
            dialled: counters.dialled,
            dials_failed: counters.dials_failed,
            lost: counters.lost,
            create_time: counters.create_time,
            wait_time: counters.wait_time,
            use_time: counters.use_time,
            run_id: ledger.run_id().map(Into::into),
            journal_bytes: link.journal.bytes(),
            journal_file: link.journal.file().map(Into::into),
        }
    }
}

/// For people: a few lines, the troubles first.
impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}", self.endpoint, self.state)?;
        if let Some(OngoingTrouble { cause, lasting }) = self.outage {
            write!(f, " since {:.1} s: {}", lasting.as_secs_f64(), cause.says())?;
        }
        if let Some(OngoingTrouble { cause, lasting }) = self.writes_refused {
            let seconds = lasting.as_secs_f64();
            write!(f, "\nwrites refused since {seconds:.1} s: {}", cause.says())?;
        }
        write!(
            f,
            "\ncalls        {} begun, {} answered, {} failed, {} of them refused at once, {} may have run",
            self.calls, self.answered, self.failed, self.refused, self.may_have_run
        )?;
        write!(
            f,
            "\nretries      {} made, {} refused",
            self.retried, self.retries_refused
        )?;
        write!(
            f,
            "\nconnections  {} at rest, {} in use, {} being made; {} calls wait",
            self.idle, self.in_use, self.dialling, self.waiting
        )?;
        write!(
            f,
            "\nso far       {} made, {} lost, dials failed {}",
            self.dialled, self.lost, self.dials_failed
        )?;
        write!(f, "\noutages      {}", self.outages)?;
        if let Some(last) = &self.last_outage {
            write!(
                f,
                "; the last took {:.1} s ({}), server restarted: {}; {} calls answered, {} failed, {} may have run",
                last.lasted.as_secs_f64(),
                last.cause,
                last.restarted,
                last.calls.answered,
                last.calls.failed,
                last.calls.maybe_ran
            )?;
        }
        write!(f, "\njournal      {} bytes", self.journal_bytes)?;
        match &self.journal_file {
            Some(file) => write!(f, ", in {}", file.display()),
            None => f.write_str(", in memory alone"),
        }
    }
}

#[cfg(test)]
mod tests {
    use seawall_model::journal::Restarted;

    use super::*;

    #[test]
    fn the_text_begins_with_what_is_wrong() {
        let mut counts = ByCause::default();
        counts.count(Cause::ConnectionRefused);
        let stats = Stats {
            endpoint: "127.0.0.1:6379".into(),
            state: HealthState::Down,
            outage: Some(OngoingTrouble {
                cause: Cause::ConnectionRefused,
                lasting: Duration::from_millis(2_340),
            }),
            writes_refused: None,
            rejected: None,
            outages: 2,
            last_outage: Some(PastOutage {
                cause: Cause::Loading,
                lasted: Duration::from_secs(7),
                restarted: Restarted::Yes,
                calls: OutageCalls {
                    answered: 1,
                    failed: 30,
                    maybe_ran: 2,
                    refused: 29,
                },
            }),
            calls: 1_000,
            answered: 900,
            failed: counts.clone(),
            refused: 29,
            may_have_run: 2,
            retried: 3,
            retries_refused: 2,
            size: 8,
            idle: 1,
            in_use: 2,
            dialling: 3,
            waiting: 4,
            dialled: 5,
            dials_failed: counts.clone(),
            lost: counts,
            create_time: Histogram::default(),
            wait_time: Histogram::default(),
            use_time: Histogram::default(),
            run_id: None,
            journal_bytes: 4_096,
            journal_file: Some("/var/lib/seawall/shop.journal".into()),
        };
        insta::assert_snapshot!(stats.to_string(), @r"
        127.0.0.1:6379 is down since 2.3 s: the host is there, but no process listens on that port
        calls        1000 begun, 900 answered, 1 (connection-refused 1) failed, 29 of them refused at once, 2 may have run
        retries      3 made, 2 refused
        connections  1 at rest, 2 in use, 3 being made; 4 calls wait
        so far       5 made, 1 (connection-refused 1) lost, dials failed 1 (connection-refused 1)
        outages      2; the last took 7.0 s (loading), server restarted: yes; 1 calls answered, 30 failed, 2 may have run
        journal      4096 bytes, in /var/lib/seawall/shop.journal
        ");
    }
}
