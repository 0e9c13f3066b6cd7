//! Where a frame ends, found without building or allocating anything.
//!
//! [`Scanner`] reads what servers send, [`RequestScanner`] what clients send. Both are handed the unread bytes again
//! and again as they grow, and go on where they stopped.

mod reply;
mod request;

pub use reply::{FrameKind, Scan, Scanner};
pub use request::{RequestForm, RequestScan, RequestScanner};
