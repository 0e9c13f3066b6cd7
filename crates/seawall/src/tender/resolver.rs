//! Names to addresses, off the tender's thread: the system's resolver blocks, for seconds if its servers are gone.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::Tender;

/// Lookups that may be under way at a time. Each holds a thread; a name service that is gone holds all of them for as
/// long as resolv.conf says, and further lookups fail at once with that as their reason.
const UNDER_WAY_MAX: usize = 4;

/// Where a lookup leaves its answer.
pub(crate) type Answer = Arc<Mutex<Option<std::io::Result<Vec<SocketAddr>>>>>;

/// Starts lookups.
#[derive(Clone)]
pub(crate) struct Resolver {
    tender: Arc<Tender>,
    under_way: Arc<AtomicUsize>,
}

impl Resolver {
    pub(crate) fn new(tender: Arc<Tender>) -> Self {
        Self {
            tender,
            under_way: Arc::new(AtomicUsize::new(0)),
        }
    }

    /// Looks the name up; an address is its own answer. The tender is woken when the answer is there.
    pub(crate) fn look_up(&self, host: &str, port: u16) -> Answer {
        let answer: Answer = Arc::default();
        if let Ok(address) = host.parse::<IpAddr>() {
            put(&answer, Ok(vec![SocketAddr::new(address, port)]));
            return answer;
        }
        if self.under_way.fetch_add(1, Ordering::AcqRel) >= UNDER_WAY_MAX {
            self.under_way.fetch_sub(1, Ordering::AcqRel);
            put(
                &answer,
                Err(std::io::Error::new(
                    std::io::ErrorKind::TimedOut,
                    "too many name lookups hang already",
                )),
            );
            return answer;
        }
        let (host, tender, under_way, slot) = (
            host.to_owned(),
            Arc::clone(&self.tender),
            Arc::clone(&self.under_way),
            Arc::clone(&answer),
        );
        let spawned = std::thread::Builder::new()
            .name("seawall-resolve".to_owned())
            .spawn(move || {
                let found = (host.as_str(), port)
                    .to_socket_addrs()
                    .map(Iterator::collect);
                put(&slot, found);
                under_way.fetch_sub(1, Ordering::AcqRel);
                tender.wake();
            });
        if let Err(error) = spawned {
            self.under_way.fetch_sub(1, Ordering::AcqRel);
            put(&answer, Err(error));
        }
        answer
    }
}

fn put(answer: &Answer, found: std::io::Result<Vec<SocketAddr>>) {
    *answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
}
