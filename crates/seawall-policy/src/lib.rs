//! Decisions on events and a given time: the health of an endpoint, retries and their budget, deadlines, ageing of
//! connections, dialling, waiting.
//!
//! Everything here is told what happened and when, and answers what to do; a shell does it after its lock is
//! released. Nothing here performs I/O, reads a clock, starts a thread or writes a log, and every sum of chance comes
//! from a seed: the same events give the same decisions.
//!
//! | module | the question it answers |
//! |---|---|
//! | [`health`] | may a call be sent to this endpoint now, must it wait, or be refused, and why? |
//! | [`retry`] | an attempt failed: may the call go again, and when? |
//! | [`budget`] | do the retries of the last ten seconds leave room for one more? |
//! | [`backoff`] | how long is the pause before a retry? |
//! | [`deadline`] | until when must a call be sent, and until when answered? |
//! | [`ageing`] | is this connection too old, or idle for too long, to be used? |
//! | [`dial`] | may another connection be opened now? |
//! | [`park`] | who waits, in which order, and how many may? |

pub mod ageing;
pub mod backoff;
pub mod budget;
pub mod deadline;
pub mod dial;
pub mod health;
pub mod park;
pub mod retry;
