//! Decisions on events and a given time: the health of an endpoint, retries and their budget, deadlines, ageing of
//! connections, dialling, waiting, breakers.
//!
//! Everything here is told what happened and when, and answers what to do; a shell does it after its lock is
//! released. Nothing here performs I/O, reads a clock, starts a thread or writes a log, and every sum of chance comes
//! from a seed: the same events give the same decisions.
//!
//! | module | the question it answers |
//! |---|---|
//! | [`health`] | may a call be sent to this endpoint now, must it wait, or be refused, and why? |
//! | [`retry`] | an attempt failed: may the call go again, and when? |
//! | [`budget`] | do the retries of the last ten seconds leave room for one more? |
//! | [`backoff`] | how long is the pause before a retry? |
//! | [`deadline`] | until when must a call be sent, and until when answered? |
//! | [`ageing`] | is this connection too old, or idle for too long, to be used? |
//! | [`dial`] | may another connection be opened now? |
//! | [`breaker`] | may something that cannot be probed be called now? |
//! | [`again`] | it failed: may it be called again, and when? |
//! | [`park`] | who waits, in which order, and how many may? |
//!
//! A shell asks, tells, and asks again; here with a clock made of paper:
//!
//! ```
//! use seawall_model::{Cause, Moment};
//! use seawall_policy::health::{Admission, Change, Health, HealthSettings, ProbeResult};
//! use seawall_wire::facts::Access;
//! use std::time::Duration;
//!
//! let mut health = Health::new(HealthSettings::default(), 1);
//! let ride_out = health.settings().ride_out_default;
//! let now = Moment::ORIGIN + Duration::from_secs(60);
//! assert_eq!(health.admit(now, Access::Read, ride_out), Admission::Send);
//!
//! // A dial is refused: calls wait, and a probe is due at once.
//! let change = health.dial_failed(now, now, Cause::ConnectionRefused);
//! assert_eq!(change, Some(Change::Suspect { cause: Cause::ConnectionRefused }));
//! assert_eq!(health.admit(now, Access::Read, ride_out), Admission::Park { until: now + ride_out });
//! assert_eq!(health.next_probe(), Some(now));
//!
//! // It was a blip: one good probe, and they are sent.
//! let probe = health.probe_started(now);
//! let change = health.probe_finished(now, probe, ProbeResult::Good { run_id: None, write_ok: None });
//! assert!(matches!(change, Some(Change::Up { .. })));
//! assert_eq!(health.admit(now, Access::Read, ride_out), Admission::Send);
//! ```

pub mod again;
pub mod ageing;
pub mod backoff;
pub mod breaker;
pub mod budget;
pub mod deadline;
pub mod dial;
pub mod health;
pub mod park;
pub mod retry;
