//! What the shared words promise, from outside.

mod journal;
mod reference;
mod secrets;
mod settings;
mod target;
