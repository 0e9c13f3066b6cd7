//! Where the replies of a call go.

use seawall_wire::Value;
use seawall_wire::error::ServerError;

/// Takes the replies of a call, in order.
pub(crate) trait Sink {
    /// Takes the next one.
    fn take(&mut self, value: Value);
    /// Whether what it took shows that the server takes writes, if the call was one. An error among the replies of a
    /// pipeline may be a refusal.
    fn shows_writes(&self) -> bool;
    /// The errors among the replies from this number on, where there are several.
    fn errors(&self, from: usize) -> impl Iterator<Item = &ServerError>;
    /// How many it has.
    fn taken(&self) -> usize;
    /// The call goes again: keeps what was answered, or forgets it if the replies only count together.
    fn restart(&mut self);
}

impl Sink for Option<Value> {
    fn take(&mut self, value: Value) {
        *self = Some(value);
    }
    fn shows_writes(&self) -> bool {
        true
    }
    fn errors(&self, _: usize) -> impl Iterator<Item = &ServerError> {
        // An error that is the only reply never comes here: the call itself is told.
        std::iter::empty()
    }
    fn taken(&self) -> usize {
        usize::from(self.is_some())
    }
    fn restart(&mut self) {}
}

impl Sink for Vec<Value> {
    fn take(&mut self, value: Value) {
        self.push(value);
    }
    fn shows_writes(&self) -> bool {
        no_error(self)
    }
    fn errors(&self, from: usize) -> impl Iterator<Item = &ServerError> {
        self.iter().skip(from).filter_map(error)
    }
    fn taken(&self) -> usize {
        self.len()
    }
    fn restart(&mut self) {}
}

fn no_error(values: &[Value]) -> bool {
    !values.iter().any(|value| error(value).is_some())
}

type Pick = fn(&Value) -> Option<&ServerError>;

fn error(value: &Value) -> Option<&ServerError> {
    match value {
        Value::Error(error) => Some(error),
        _ => None,
    }
}

/// Takes the replies of a transaction: all of them or none.
pub(crate) struct Whole(pub(crate) Vec<Value>);

impl Sink for Whole {
    fn take(&mut self, value: Value) {
        self.0.push(value);
    }
    fn shows_writes(&self) -> bool {
        no_error(&self.0)
    }
    fn errors(&self, _: usize) -> impl Iterator<Item = &ServerError> {
        // Also those inside EXEC's own reply.
        self.0.iter().flat_map(|reply| match reply {
            Value::Array(inside) => inside.iter().filter_map(error as Pick),
            reply => std::slice::from_ref(reply).iter().filter_map(error as Pick),
        })
    }
    fn taken(&self) -> usize {
        self.0.len()
    }
    fn restart(&mut self) {
        self.0.clear();
    }
}
