//! What a client is: its plan, and the link of the process it is used in.

use std::sync::Arc;

use arc_swap::ArcSwap;
use seawall_model::Cause;

use super::call::Conduct;
use super::setup::Plan;
use super::shared::Link;
use crate::error::{Error, Kind};
use crate::fork;
use crate::tender::{self, Tender};

/// The part of a client that all of its clones share.
pub(crate) struct Home {
    plan: Plan,
    conduct: Conduct,
    current: ArcSwap<Generation>,
}

/// The link of one process; a forked child gets another.
struct Generation {
    number: u64,
    link: Arc<Link>,
}

impl Home {
    pub(crate) fn new(plan: Plan) -> Result<Arc<Self>, Error> {
        let tender = tender::current().map_err(|error| no_tender(&error))?;
        Ok(Self::in_care_of(tender, plan))
    }

    pub(crate) fn in_care_of(tender: Arc<Tender>, plan: Plan) -> Arc<Self> {
        let number = fork::generation();
        let link = plan.open(tender);
        let conduct = plan.conduct();
        let current = ArcSwap::from_pointee(Generation { number, link });
        Arc::new(Self {
            plan,
            conduct,
            current,
        })
    }

    /// How calls are treated.
    pub(crate) fn conduct(&self) -> &Conduct {
        &self.conduct
    }

    /// The endpoint as text.
    pub(crate) fn name(&self) -> Arc<str> {
        Arc::clone(&self.current.load().link.name)
    }

    /// The link of this process; where it cannot be made, the one that was inherited.
    pub(crate) fn current(&self) -> Arc<Link> {
        self.link()
            .unwrap_or_else(|_| Arc::clone(&self.current.load().link))
    }

    /// The link of this process, if it was used here: a forked child makes none to look at it.
    pub(crate) fn used_here(&self) -> Option<Arc<Link>> {
        let current = self.current.load();
        (current.number == fork::generation()).then(|| Arc::clone(&current.link))
    }

    /// The link of this process.
    pub(crate) fn link(&self) -> Result<Arc<Link>, Error> {
        let number = fork::generation();
        let current = self.current.load();
        if current.number == number {
            return Ok(Arc::clone(&current.link));
        }
        // A forked child: the inherited link is let go of without a lock, a shutdown or a linger, which it would share
        // with its parent.
        let tender = tender::current().map_err(|error| no_tender(&error))?;
        let opened = Arc::new(Generation {
            number,
            link: self.plan.open(tender),
        });
        let before = self.current.compare_and_swap(&current, Arc::clone(&opened));
        if before.number == number {
            // Another thread of this child was faster: two pools would each wait for what the other has.
            return Ok(Arc::clone(&before.link));
        }
        std::mem::forget(Arc::clone(&before));
        Ok(Arc::clone(&opened.link))
    }

    /// Closes the pool of this process.
    pub(crate) fn close(&self) {
        let current = self.current.load();
        if current.number == fork::generation() {
            current.link.decide(|ledger, _| ledger.close());
        }
    }
}

fn no_tender(error: &std::io::Error) -> Error {
    Error::new(Kind::Refused, Cause::LocalLimit, "", "this process").with(|report| {
        report.detail = format!("the background thread could not be started: {error}").into();
    })
}
