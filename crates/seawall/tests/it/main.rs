//! The engine against real servers, a relay that breaks connections, and peers that do not play by the rules.

mod fake;
mod ground;
mod explore;
