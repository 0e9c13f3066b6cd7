//! Where the replies of a call go.

use seawall_wire::error::ServerError;
use seawall_wire::{Limits, Value, WireError};

use crate::error::Error;

/// Takes the replies of a call, in order, as they came.
pub(crate) trait Sink {
    /// Takes the next one.
    fn take_frame(&mut self, frame: &[u8], limits: &Limits) -> Result<(), WireError>;
    /// The only reply is this error, and it is the answer.
    fn refused(&mut self, _error: &ServerError) {}
    /// Whether what it took shows that the server takes writes, if the call was one. An error among the replies of a
    /// pipeline may be a refusal.
    fn shows_writes(&self) -> bool;
    /// Tells of the errors among the replies from this number on, where there are several.
    fn errors(&self, from: usize, tell: &mut dyn FnMut(&ServerError));
    /// How many it has.
    fn taken(&self) -> usize;
    /// The call goes again: keeps what was answered, or forgets it if the replies only count together.
    fn restart(&mut self);
}

/// Takes replies that were read already.
pub(crate) trait ValueSink: Sink {
    /// Takes the next one.
    fn take(&mut self, value: Value);
}

/// The error that a reply is, if it is one.
pub(crate) fn refusal(frame: &[u8], limits: &Limits) -> Option<ServerError> {
    // What an attribute describes stands behind it.
    if !matches!(frame.first(), Some(b'-' | b'!' | b'|')) {
        return None;
    }
    match Value::decode(frame, limits) {
        Ok((Value::Error(error), _)) => Some(error),
        Ok((Value::Attributed { value, .. }, _)) => match *value {
            Value::Error(error) => Some(error),
            _ => None,
        },
        _ => None,
    }
}

impl Sink for Option<Value> {
    fn take_frame(&mut self, frame: &[u8], limits: &Limits) -> Result<(), WireError> {
        *self = Some(Value::decode(frame, limits)?.0);
        Ok(())
    }
    fn shows_writes(&self) -> bool {
        true
    }
    fn errors(&self, _: usize, _: &mut dyn FnMut(&ServerError)) {
        // An error that is the only reply never comes here: the call itself is told.
    }
    fn taken(&self) -> usize {
        usize::from(self.is_some())
    }
    fn restart(&mut self) {}
}

impl ValueSink for Option<Value> {
    fn take(&mut self, value: Value) {
        *self = Some(value);
    }
}

impl Sink for Vec<Value> {
    fn take_frame(&mut self, frame: &[u8], limits: &Limits) -> Result<(), WireError> {
        self.take(Value::decode(frame, limits)?.0);
        Ok(())
    }
    fn shows_writes(&self) -> bool {
        no_error(self)
    }
    fn errors(&self, from: usize, tell: &mut dyn FnMut(&ServerError)) {
        self.iter().skip(from).filter_map(error).for_each(tell);
    }
    fn taken(&self) -> usize {
        self.len()
    }
    fn restart(&mut self) {}
}

impl ValueSink for Vec<Value> {
    fn take(&mut self, value: Value) {
        self.push(value);
    }
}

fn no_error(values: &[Value]) -> bool {
    !values.iter().any(|value| error(value).is_some())
}

fn error(value: &Value) -> Option<&ServerError> {
    match value {
        Value::Error(error) => Some(error),
        _ => None,
    }
}

/// Takes the replies of a transaction: all of them or none.
pub(crate) struct Whole(pub(crate) Vec<Value>);

impl Sink for Whole {
    fn take_frame(&mut self, frame: &[u8], limits: &Limits) -> Result<(), WireError> {
        self.take(Value::decode(frame, limits)?.0);
        Ok(())
    }
    fn shows_writes(&self) -> bool {
        no_error(&self.0)
    }
    fn errors(&self, _: usize, tell: &mut dyn FnMut(&ServerError)) {
        for reply in &self.0 {
            // Also those inside EXEC's own reply.
            let replies = match reply {
                Value::Array(inside) => inside.as_slice(),
                reply => std::slice::from_ref(reply),
            };
            replies.iter().filter_map(error).for_each(&mut *tell);
        }
    }
    fn taken(&self) -> usize {
        self.0.len()
    }
    fn restart(&mut self) {
        self.0.clear();
    }
}

impl ValueSink for Whole {
    fn take(&mut self, value: Value) {
        self.0.push(value);
    }
}

/// Takes the reply of a single command, or the server's refusal, word for word.
#[derive(Default)]
pub(crate) struct Word {
    pub(crate) reply: Option<Value>,
    pub(crate) refusal: Option<ServerError>,
}

impl Word {
    /// What the call came to.
    pub(crate) fn outcome(
        self,
        outcome: Result<(), Error>,
    ) -> Result<Value, (Error, Option<ServerError>)> {
        match outcome {
            Ok(()) => Ok(self.reply.unwrap_or(Value::Null)),
            Err(error) => Err((error, self.refusal)),
        }
    }
}

impl Sink for Word {
    fn take_frame(&mut self, frame: &[u8], limits: &Limits) -> Result<(), WireError> {
        self.take(Value::decode(frame, limits)?.0);
        Ok(())
    }
    fn refused(&mut self, error: &ServerError) {
        self.refusal = Some(error.clone());
    }
    fn shows_writes(&self) -> bool {
        true
    }
    fn errors(&self, _: usize, _: &mut dyn FnMut(&ServerError)) {
        // As above.
    }
    fn taken(&self) -> usize {
        usize::from(self.reply.is_some())
    }
    fn restart(&mut self) {}
}

impl ValueSink for Word {
    fn take(&mut self, value: Value) {
        self.reply = Some(value);
    }
}

/// Takes the replies of a batch, or the server's refusal of its only command, word for word.
#[derive(Default)]
pub(crate) struct Many {
    pub(crate) replies: Vec<Value>,
    pub(crate) refusal: Option<ServerError>,
    /// They only count together.
    pub(crate) whole: bool,
}

impl Sink for Many {
    fn take_frame(&mut self, frame: &[u8], limits: &Limits) -> Result<(), WireError> {
        self.take(Value::decode(frame, limits)?.0);
        Ok(())
    }
    fn refused(&mut self, error: &ServerError) {
        self.refusal = Some(error.clone());
    }
    fn shows_writes(&self) -> bool {
        no_error(&self.replies)
    }
    fn errors(&self, from: usize, tell: &mut dyn FnMut(&ServerError)) {
        for reply in self.replies.iter().skip(from) {
            match reply {
                // EXEC's reply holds the others.
                Value::Array(inside) if self.whole => {
                    inside.iter().filter_map(error).for_each(&mut *tell);
                }
                reply => error(reply).into_iter().for_each(&mut *tell),
            }
        }
    }
    fn taken(&self) -> usize {
        self.replies.len()
    }
    fn restart(&mut self) {
        if self.whole {
            self.replies.clear();
        }
    }
}

impl ValueSink for Many {
    fn take(&mut self, value: Value) {
        self.replies.push(value);
    }
}
