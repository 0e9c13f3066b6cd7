//! What the shared words promise, from outside.

mod reference;
mod secrets;
mod settings;
mod target;
