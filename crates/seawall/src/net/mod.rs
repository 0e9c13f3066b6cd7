//! Sockets: the only place where the engine touches them, names them and waits for them.

pub(crate) mod ends;
pub(crate) mod queue;
pub(crate) mod stream;
pub(crate) mod tls;
pub(crate) mod wait;
