//! The clinic: a real server is broken in a way that is known, and what the doctor says is held against the truth.
//!
//! A [`Case`] is one file under `src/cases/`: it has a server of the laboratory's, brings one root cause about with real
//! clients, and names its code. [`run`] collects what an operator would have (a look before, a look after, the server's log,
//! the application's, the kernel's where there is one), and asks [`seawall_doctor::diagnose`]. Healthy servers under load
//! ([`healthy`]) must leave it silent.
//!
//! It stands beside the laboratory and the doctor and above both, so that neither needs to know the other.

mod bed;
mod case;
mod client;
pub mod healthy;
mod kernel;
pub mod report;
mod run;
mod verdict;

mod cases {
    include!(concat!(env!("OUT_DIR"), "/cases.rs"));
}

pub use case::{Case, Trouble};
pub use run::{Options, Report, run};
pub use verdict::{Place, Ran, Seen, Told};

/// Every case, in the order of their codes.
pub fn cases() -> Vec<&'static Case> {
    let mut all = cases::ALL.to_vec();
    all.sort_by_key(|case| case.truth[0]);
    all
}
