//! What the tests of this module share.

use super::{Answered, Change, Health, HealthSettings, ProbeResult};
use seawall_model::{Cause, Moment};
use seawall_wire::facts::Access;
use std::time::Duration;

/// `millis` after the hundredth second, so that there is a time before.
pub(super) fn at(millis: u64) -> Moment {
    Moment::ORIGIN + Duration::from_secs(100) + Duration::from_millis(millis)
}

pub(super) fn health() -> Health {
    let mut health = Health::new(HealthSettings::default(), 1);
    health.dialled(at(0), Some(7));
    health
}

pub(super) fn reply(established: u64, sent: u64) -> Answered {
    Answered {
        established_at: at(established),
        sent_at: at(sent),
        access: Access::Read,
    }
}

pub(super) fn good(run_id: u64) -> ProbeResult {
    ProbeResult::Good {
        run_id: Some(run_id),
        write_ok: None,
    }
}

/// Runs one probe of a millisecond, when it is due and no earlier than `from`.
pub(super) fn probe(
    health: &mut Health,
    from: Moment,
    result: ProbeResult,
) -> (Moment, Option<Change>) {
    let due = health
        .next_probe()
        .expect("an outage has a next probe")
        .max(from);
    let probe = health.probe_started(due);
    let end = due + Duration::from_millis(1);
    (end, health.probe_finished(end, probe, result))
}

pub(super) fn fail_probe(
    health: &mut Health,
    from: Moment,
    cause: Cause,
) -> (Moment, Option<Change>) {
    probe(health, from, ProbeResult::Failed(cause))
}
