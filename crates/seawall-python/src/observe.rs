//! What the engine would make of requests that redis-py sends by itself: for `SEAWALL=observe`.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use seawall::journal::CommandName;
use seawall_wire::Limits;
use seawall_wire::facts::{self, Replay};
use seawall_wire::request;
use seawall_wire::scan::{RequestScan, RequestScanner};

/// The commands in packed bytes, from number `from` on: each one's name and its replay class. What cannot be read ends
/// the list.
#[pyfunction]
pub(crate) fn requests(packed: &Bound<'_, PyBytes>, from: usize) -> Vec<(String, &'static str)> {
    let mut unread = packed.as_bytes();
    let mut scanner = RequestScanner::new(Limits::default());
    let mut found = Vec::new();
    let mut number = 0;
    while let Ok(scan) = scanner.scan(unread) {
        match scan {
            RequestScan::Complete { len, .. } => {
                if number >= from
                    && let Ok(args) = request::args(&unread[..len])
                {
                    let words: Vec<_> = args.iter().collect();
                    let name = CommandName::new(words.first().copied().unwrap_or_default());
                    let replay: Replay = facts::classify(&words).replay;
                    found.push((name.as_str().to_owned(), replay.name()));
                }
                number += 1;
                unread = &unread[len..];
            }
            RequestScan::Blank { len } => unread = &unread[len..],
            RequestScan::Partial { .. } => break,
        }
    }
    found
}
