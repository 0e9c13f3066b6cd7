//! The codec from outside: every type by hand, and properties over arbitrary values, bytes and cuts.

mod allocations;
mod generate;
mod hostile;
mod requests;
mod round_trip;
mod servers;
mod splits;
mod types;
