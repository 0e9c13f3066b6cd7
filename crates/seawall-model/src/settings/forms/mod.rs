//! The shapes that values have: how each is read, checked, shown and described.

mod number;
mod span;
mod text;

pub use number::Percent;
pub(super) use number::{Bytes, Count, CountFromOne, Share};
pub(super) use span::{Span, SpanOrOff};
pub(super) use text::{Allows, Choice, FilePath, Hidden, Text};

/// How an option's text is to be understood: other clients give some names other units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// As this page says.
    Own,
    /// A plain number is seconds, as redis-py has it.
    Seconds,
    /// `true` leaves the setting as it is by default, `false` turns it off.
    Switch,
}

/// The text or value does not fit; what would fit is for the caller to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unfit;

/// One shape of values.
pub(super) trait Form {
    type Value;
    /// Reads a text; whether it is in range is for [`check`](Self::check).
    fn read(&self, text: &str, reading: Reading) -> Result<Self::Value, Unfit>;
    /// Whether the value is in range.
    fn fits(&self, value: &Self::Value) -> bool;
    /// The value as a text that [`read`](Self::read) takes; `None` for nothing set. Secrets show their mask.
    fn show(&self, value: &Self::Value) -> Option<String>;
    /// The form and the range of its values, in words.
    fn describe(&self, reading: Reading) -> String;
}

/// What the static table holds of a form.
pub(super) trait Described: Sync {
    fn describe(&self, reading: Reading) -> String;
}

impl<F: Form + Sync> Described for F {
    fn describe(&self, reading: Reading) -> String {
        Form::describe(self, reading)
    }
}
