//! Links to one endpoint, whose settings differ, tell each other what they found: one that is down makes the others suspect,
//! and each looks for itself.

use std::sync::{Arc, Weak};

use seawall_model::Moment;
use seawall_policy::health::Advice;

use crate::link::ledger::Ledger;
use crate::link::shared::Link;

/// A link in the tender's care.
pub(super) struct Adopted {
    pub(super) link: Weak<Link>,
    /// Which outage of it the others know of.
    told: Option<Moment>,
}

/// What others have to know of a link.
#[derive(Clone, Copy)]
enum News {
    Down(Advice),
    Up,
}

impl Adopted {
    pub(super) fn new(link: Weak<Link>) -> Self {
        Self { link, told: None }
    }

    fn news(&mut self, link: &Link) -> Option<News> {
        let advice = link.ledger().health.advice();
        let before = std::mem::replace(&mut self.told, advice.map(Advice::declared));
        match advice {
            Some(advice) if before != self.told => Some(News::Down(advice)),
            None if before.is_some() => Some(News::Up),
            _ => None,
        }
    }
}

/// Somebody is new, and has not been told what the others know.
pub(super) fn tell_anew(links: &mut [Adopted]) {
    for adopted in links {
        adopted.told = None;
    }
}

/// Tells what is new of each to the others.
pub(super) fn spread(links: &mut [Adopted]) {
    if links.len() < 2 {
        return;
    }
    let mut heard: Vec<(Arc<Link>, News)> = Vec::new();
    for adopted in links.iter_mut() {
        if let Some(link) = adopted.link.upgrade()
            && let Some(news) = adopted.news(&link)
        {
            heard.push((link, news));
        }
    }
    for (from, news) in heard {
        let others = links.iter().filter_map(|adopted| adopted.link.upgrade());
        let same = |link: &Arc<Link>| link.endpoint == from.endpoint && !Arc::ptr_eq(link, &from);
        for link in others.filter(same) {
            match news {
                News::Down(advice) => link.decide(|ledger, now| ledger.advised(now, advice)),
                News::Up => link.decide(Ledger::encouraged),
            }
        }
    }
}
