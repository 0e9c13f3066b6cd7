//! lab

pub mod world;
