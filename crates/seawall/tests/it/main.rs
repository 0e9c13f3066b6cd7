//! The engine against real servers, a relay that breaks connections, and peers that do not play by the rules.

mod alone;
mod asynchronous;
mod blocking_commands;
mod endings;
mod fake;
mod forks;
mod ground;
mod hints;
mod last_words;
mod leases;
mod logins;
mod malformed;
mod mismatch;
mod pipelines;
mod pool;
mod provenance;
mod refusals;
mod replies;
mod restarts;
mod session;
mod sizes;
mod strangers;
mod texts;
mod transactions;
mod urls;
