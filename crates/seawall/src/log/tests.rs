//! The lines as a subscriber gets them.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, PoisonError};

use seawall_model::journal::{Restarted, RetryRefusal};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber};

use super::*;
use crate::stats::OutageCalls;

/// Keeps every line as `LEVEL name field=value ..`.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<String>>>);

struct Line {
    name: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.name = format!("{value:?}");
        } else {
            let _ = write!(self.fields, " {}={value:?}", field.name());
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = write!(self.fields, " {}={value}", field.name());
    }
}

impl Subscriber for Kept {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = Line {
            name: String::new(),
            fields: String::new(),
        };
        event.record(&mut line);
        let text = format!("{} {}{}", event.metadata().level(), line.name, line.fields);
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(text);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The lines that these events make.
fn lines(events: &[Event<'_>]) -> Vec<String> {
    let kept = Kept::default();
    tracing::subscriber::with_default(kept.clone(), || {
        let log = Log::default();
        for event in events {
            log.hear("127.0.0.1:6379", event);
        }
    });
    let lines = kept.0.lock().unwrap_or_else(PoisonError::into_inner);
    lines.clone()
}

#[test]
fn an_outage_is_told_from_its_start_to_its_end() {
    let calls = OutageCalls {
        answered: 3,
        failed: 20,
        maybe_ran: 1,
        refused: 18,
    };
    let cause = Cause::ConnectionRefused;
    let told = lines(&[
        Event::OutageStarted {
            cause,
            lasting: Duration::from_millis(30),
            fails: 3,
        },
        Event::OutageProgress {
            cause,
            lasting: Duration::from_secs(10),
            calls,
        },
        Event::Recovered {
            from: HealthState::Down,
            cause,
            lasted: Duration::from_millis(12_345),
            restarted: Restarted::Yes,
            calls,
        },
    ]);
    assert_eq!(
        told,
        [
            "WARN outage.start endpoint=127.0.0.1:6379 cause=connection-refused fails=3",
            "WARN outage.progress endpoint=127.0.0.1:6379 cause=connection-refused lasting=10.000s answered=3 failed=20 maybe_ran=1",
            "WARN outage.end endpoint=127.0.0.1:6379 cause=connection-refused lasted=12.345s answered=3 failed=20 maybe_ran=1 restarted=yes",
        ]
    );
}

#[test]
fn a_retry_names_its_command_and_its_place_and_a_storm_of_them_is_one_line() {
    let retried = |attempt| Event::Retried {
        command: "GET",
        cause: Cause::ConnectionReset,
        attempt,
        attempts_max: 3,
        waited: Duration::from_millis(12),
    };
    let refused = Event::RetryRefused {
        command: "INCR",
        cause: Cause::ConnectionReset,
        why: RetryRefusal::MayHaveRun,
    };
    assert_eq!(
        lines(&[retried(2), retried(3), refused, refused, retried(2)]),
        [
            "INFO retry endpoint=127.0.0.1:6379 cmd=GET cause=connection-reset attempt=2/3 waited_ms=12",
            "INFO retry.refused endpoint=127.0.0.1:6379 cmd=INCR cause=connection-reset why=may-have-run",
        ]
    );
}

#[test]
fn a_suspicion_that_was_cleared_is_no_warning() {
    let told = lines(&[
        Event::Suspected {
            cause: Cause::ReplyTimeout,
        },
        Event::Recovered {
            from: HealthState::Suspect,
            cause: Cause::ReplyTimeout,
            lasted: Duration::from_millis(20),
            restarted: Restarted::No,
            calls: OutageCalls::default(),
        },
    ]);
    assert_eq!(
        told,
        [
            "INFO outage.suspected endpoint=127.0.0.1:6379 cause=reply-timeout",
            "INFO outage.cleared endpoint=127.0.0.1:6379 cause=reply-timeout lasted=0.020s",
        ]
    );
}
