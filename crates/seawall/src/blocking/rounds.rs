//! What is said over a lent connection, counted as calls where its borrower wants that: redis-py's own clients on a pool
//! of ours make all their calls so.

use seawall_model::{Cause, Sent};
use seawall_wire::error::ServerError;

use crate::link::cause;
use crate::link::shared::Link;
use crate::stats::Failed;

/// A round is a call: what was sent until all of it is answered, a command or a pipeline. A subscription makes none.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    counts: bool,
    /// The requests of the one under way.
    requests: u32,
    /// It failed, and may be begun again: that would be the same call.
    failed: Option<(Cause, Failed)>,
}

impl Rounds {
    /// From here on they are counted.
    pub(super) fn count(&mut self) {
        self.counts = true;
    }

    /// A request was queued.
    pub(super) fn asked(&mut self, link: &Link, name: &str) {
        self.settle(link);
        self.requests += 1;
        self.counts &= !["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "MONITOR"]
            .iter()
            .any(|word| name.eq_ignore_ascii_case(word));
    }

    /// All that was asked is answered, with `refusal` last; an error text of a script proves nothing.
    pub(super) fn answered(&mut self, link: &Link, refusal: Option<&ServerError>, script: bool) {
        let requests = std::mem::take(&mut self.requests);
        if requests == 0 || !self.counts {
            return;
        }
        let refusal = refusal.map(|error| (cause::of_server(&error.kind), error));
        match refusal {
            Some((cause, error)) if requests == 1 && cause != Cause::CommandError => {
                let ran_not = error.kind.surely_did_not_run() && !script;
                self.failed = Some((cause, how(if ran_not { Sent::No } else { Sent::Perhaps })));
            }
            _ => count(link, None),
        }
    }

    /// The connection is gone.
    pub(super) fn lost(&mut self, cause: Cause, sent: Sent) {
        if std::mem::take(&mut self.requests) > 0 && self.counts {
            self.failed = Some((cause, how(sent)));
        }
    }

    /// What failed is begun again, over another connection.
    pub(super) fn again(&mut self) {
        self.failed = None;
    }

    /// What failed is not begun again.
    pub(super) fn settle(&mut self, link: &Link) {
        if let Some(failed) = self.failed.take() {
            count(link, Some(failed));
        }
    }
}

fn how(sent: Sent) -> Failed {
    match sent {
        Sent::No => Failed::NotRun,
        Sent::Perhaps => Failed::MaybeRan,
    }
}

fn count(link: &Link, failed: Option<(Cause, Failed)>) {
    // A forked child may find its parent's ledger locked for ever.
    if !link.is_inherited() {
        link.ledger().counters.said(failed);
    }
}
