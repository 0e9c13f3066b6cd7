//! The policies together, under virtual time: a model of a server goes through random faults, a small engine drives
//! the real decisions, and what must always hold is checked from outside.

mod breaker;
mod sim;
mod simulation;
