//! Names to addresses, off the tender's thread: the system's resolver blocks, for seconds if its servers are gone.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::Tender;

/// Lookups that may be under way at a time. Each holds a thread; a name service that is gone holds all of them for as
/// long as resolv.conf says, and further lookups fail at once with that as their reason.
const UNDER_WAY_MAX: usize = 4;

/// A name service. May block, for as long as it likes.
pub(crate) trait Names: fmt::Debug + Send + Sync {
    /// The addresses of `host`, the first to try first.
    fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// The system's own: /etc/hosts, DNS, and whatever else nsswitch.conf names.
#[derive(Debug)]
pub(crate) struct SystemNames;

impl Names for SystemNames {
    fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok((host, port).to_socket_addrs()?.collect())
    }
}

/// Where what was asked leaves its answer.
pub(crate) struct Answer<T>(Arc<Mutex<Option<io::Result<T>>>>);

impl<T> Clone for Answer<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Answer<T> {
    fn awaited() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }

    /// Takes the answer, if it is there.
    pub(crate) fn take(&self) -> Option<io::Result<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, found: io::Result<T>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
    }
}

/// Asks what may take its time to answer.
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
    pub(crate) fn look_up(
        &self,
        names: &Arc<dyn Names>,
        host: &str,
        port: u16,
    ) -> Answer<Vec<SocketAddr>> {
        if let Ok(address) = host.parse::<IpAddr>() {
            let answer = Answer::awaited();
            answer.put(Ok(vec![SocketAddr::new(address, port)]));
            return answer;
        }
        let (host, names) = (host.to_owned(), Arc::clone(names));
        self.start("name lookups", move || names.addresses(&host, port))
    }

    /// Asks on a thread of its own. The tender is woken when the answer is there.
    pub(crate) fn start<T: Send + 'static>(
        &self,
        what: &str,
        ask: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Answer<T> {
        let answer = Answer::awaited();
        if self.under_way.fetch_add(1, Ordering::AcqRel) >= UNDER_WAY_MAX {
            self.under_way.fetch_sub(1, Ordering::AcqRel);
            let why = format!("too many {what} hang already");
            answer.put(Err(io::Error::new(io::ErrorKind::TimedOut, why)));
            return answer;
        }
        let (tender, under_way, slot) = (
            Arc::clone(&self.tender),
            Arc::clone(&self.under_way),
            answer.clone(),
        );
        let spawned = std::thread::Builder::new()
            .name("seawall-resolve".to_owned())
            .spawn(move || {
                slot.put(ask());
                under_way.fetch_sub(1, Ordering::AcqRel);
                tender.wake();
            });
        if let Err(error) = spawned {
            self.under_way.fetch_sub(1, Ordering::AcqRel);
            answer.put(Err(error));
        }
        answer
    }
}
