//! The replies to one request, as they come.

use std::iter::Chain;
use std::{option, vec};

use seawall_wire::Value;

/// The replies to one request. Most are owed one, for which nothing is allocated.
#[derive(Debug, Default)]
pub(super) struct Replies {
    /// The first.
    pub(super) first: Option<Value>,
    /// Those after it.
    pub(super) rest: Vec<Value>,
}

impl Replies {
    pub(super) fn push(&mut self, value: Value) {
        if self.first.is_none() {
            self.first = Some(value);
        } else {
            self.rest.push(value);
        }
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.len()
    }

    /// Whether one of them is an error.
    pub(super) fn any_error(&self) -> bool {
        let mut all = self.first.iter().chain(&self.rest);
        all.any(|value| matches!(value, Value::Error(_)))
    }

    /// The only one, if it is no error.
    pub(super) fn into_answer(self) -> Result<Value, Self> {
        match self.first {
            Some(value) if self.rest.is_empty() && !matches!(value, Value::Error(_)) => Ok(value),
            first => Err(Self { first, ..self }),
        }
    }

    /// Whether the only one is an error.
    pub(super) fn are_an_error(&self) -> bool {
        matches!(self.first, Some(Value::Error(_))) && self.rest.is_empty()
    }
}

impl IntoIterator for Replies {
    type Item = Value;
    type IntoIter = Chain<option::IntoIter<Value>, vec::IntoIter<Value>>;

    fn into_iter(self) -> Self::IntoIter {
        self.first.into_iter().chain(self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_come_out_in_the_order_in_which_they_came() {
        let mut replies = Replies::default();
        let wanted: Vec<_> = (0..4).map(Value::Int).collect();
        for (place, value) in wanted.iter().enumerate() {
            assert_eq!(replies.len(), place);
            replies.push(value.clone());
        }
        assert_eq!(replies.into_iter().collect::<Vec<_>>(), wanted);
    }
}
