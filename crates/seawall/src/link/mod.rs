//! A connection, a pool and an endpoint, decided without a socket or a clock.

pub(crate) mod addresses;
pub(crate) mod call;
pub(crate) mod cause;
pub(crate) mod connection;
pub(crate) mod handshake;
pub(crate) mod home;
mod inbox;
pub(crate) mod keys;
pub(crate) mod ledger;
pub(crate) mod live;
pub(crate) mod recent;
pub(crate) mod setup;
pub(crate) mod shared;
pub(crate) mod sink;
