//! What is known of the addresses behind a name: which one worked, and which ones lately did not.

use std::net::SocketAddr;
use std::time::Duration;

use seawall_model::Moment;

/// An address that failed is tried behind the others for this long: a dead one must not cost every dial its share of
/// the time, and one that is back must not stay unused.
const SHUN: Duration = Duration::from_secs(30);

/// Addresses that are remembered of one name. Names of Redis servers have one or two; a longer answer is used whole,
/// and remembered in part.
const KEPT_MAX: usize = 16;

/// The addresses of one endpoint.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    /// What the name led to when a connection last came about, the one that it came about with first.
    good: Vec<SocketAddr>,
    failed: Vec<(SocketAddr, Moment)>,
}

impl Addresses {
    /// Puts what a lookup found into the order in which to try it: the name service's, with what lately failed last.
    pub(crate) fn order(&mut self, found: &mut [SocketAddr], now: Moment) {
        self.failed.retain(|&(_, at)| now.since(at) < SHUN);
        found.sort_by_key(|address| self.failed.iter().any(|(failed, _)| failed == address));
    }

    /// A connection came about with `address`, one of those that the name led to.
    pub(crate) fn worked(&mut self, address: SocketAddr, found: &[SocketAddr]) {
        self.failed.retain(|&(failed, _)| failed != address);
        self.good.clear();
        self.good.push(address);
        let others = found.iter().filter(|&&other| other != address);
        self.good.extend(others.take(KEPT_MAX - 1));
    }

    /// No connection came about with `address`.
    pub(crate) fn failed(&mut self, address: SocketAddr, now: Moment) {
        self.failed.retain(|&(failed, _)| failed != address);
        if self.failed.len() >= KEPT_MAX {
            self.failed.remove(0);
        }
        self.failed.push((address, now));
    }

    /// Whether a connection ever came about.
    pub(crate) fn has_worked(&self) -> bool {
        !self.good.is_empty()
    }

    /// What to try while the name service does not answer; empty if no connection ever came about.
    pub(crate) fn last_good(&self) -> &[SocketAddr] {
        &self.good
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 6379))
    }

    fn at(seconds: u64) -> Moment {
        Moment::ORIGIN + Duration::from_secs(seconds)
    }

    #[test]
    fn what_failed_goes_behind_the_others_until_it_is_forgiven_or_works() {
        let mut addresses = Addresses::default();
        let order = |addresses: &mut Addresses, now| {
            let mut found = [address(1), address(2), address(3)];
            addresses.order(&mut found, now);
            found
        };
        addresses.failed(address(1), at(0));
        assert_eq!(
            order(&mut addresses, at(29)),
            [address(2), address(3), address(1)]
        );
        assert_eq!(
            order(&mut addresses, at(30)),
            [address(1), address(2), address(3)]
        );
        addresses.failed(address(2), at(40));
        addresses.worked(address(2), &[address(2)]);
        assert_eq!(
            order(&mut addresses, at(41)),
            [address(1), address(2), address(3)]
        );
    }

    #[test]
    fn the_last_good_address_comes_first_with_its_neighbours_behind_it() {
        let mut addresses = Addresses::default();
        assert!(addresses.last_good().is_empty());
        addresses.worked(address(2), &[address(1), address(2), address(3)]);
        assert_eq!(addresses.last_good(), [address(2), address(1), address(3)]);
        addresses.worked(address(9), &[address(9)]);
        assert_eq!(addresses.last_good(), [address(9)]);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut addresses = Addresses::default();
        let many: Vec<SocketAddr> = (0..100).map(address).collect();
        for &one in &many {
            addresses.failed(one, at(0));
        }
        addresses.worked(many[50], &many);
        assert_eq!(addresses.last_good().len(), KEPT_MAX);
        assert!(addresses.failed.len() <= KEPT_MAX);
    }
}
