//! The clinic: a real server is broken in a way that is known, and what the doctor says is held against the truth.
//!
//! A [`Case`] is one file under `src/cases/`: it has a server of the laboratory's, brings one root cause about with real
//! clients, and names its code. [`run`] collects what an operator would have (a look before, a look after, the server's log,
//! the application's, the kernel's where there is one), and asks [`seawall_doctor::diagnose`]. The laboratory's scenarios that
//! name a code are cases as well: there the client is Seawall's own, and its journal is all that it tells. Healthy servers
//! under load ([`healthy`]) must leave it silent.
//!
//! It stands beside the laboratory and the doctor and above both, so that neither needs to know the other.

mod bed;
mod case;
mod client;
pub mod healthy;
mod kernel;
mod python;
pub mod report;
mod run;
mod scenarios;
mod verdict;

mod cases {
    include!(concat!(env!("OUT_DIR"), "/cases.rs"));
}

pub use case::{Case, Trouble};
pub use run::{Options, Report, run};
pub use verdict::{Place, Ran, Seen, Told};

/// Every case of our own, in the order of their codes, and the laboratory's scenarios after them.
pub fn cases() -> Vec<&'static Case> {
    let mut all = cases::ALL.to_vec();
    all.sort_by_key(|case| case.truth[0]);
    all.extend(scenarios::all());
    all
}
