use super::Value;
use crate::decode::{Aggregate, Size, Visitor};
use crate::error::ServerError;
use crate::nesting::ELEMENT_BYTES_MIN;

/// What a plain value becomes is the same wherever it is placed.
macro_rules! place_plain_values {
    () => {
        fn null(&mut self) {
            self.place(Value::Null);
        }

        fn boolean(&mut self, value: bool) {
            self.place(Value::Bool(value));
        }

        fn int(&mut self, value: i64) {
            self.place(Value::Int(value));
        }

        fn double(&mut self, value: f64) {
            self.place(Value::Double(value));
        }

        fn big_number(&mut self, digits: &[u8]) {
            self.place(Value::BigNumber(String::from_utf8_lossy(digits).into()));
        }

        fn simple(&mut self, text: &[u8]) {
            self.place(Value::Simple(text.to_vec()));
        }

        fn bulk(&mut self, content: &[u8]) {
            self.place(Value::Bulk(content.to_vec()));
        }

        fn verbatim(&mut self, format: [u8; 3], text: &[u8]) {
            self.place(Value::Verbatim {
                format,
                text: text.to_vec(),
            });
        }

        fn error(&mut self, text: &[u8]) {
            self.place(Value::Error(ServerError::parse(text)));
        }
    };
}

/// Takes the value of a frame that is one plain value: the most frequent replies need no more.
pub(super) struct One(pub(super) Value);

impl One {
    fn place(&mut self, value: Value) {
        self.0 = value;
    }
}

/// Builds an owned [`Value`] from whatever a walk tells.
pub(super) struct Builder {
    /// The aggregates that are open, innermost last; empty until there is one.
    open: Vec<Open>,
    /// Attributes that wait for the value they describe.
    attributes: Vec<(Value, Value)>,
    /// A string in parts that is being joined.
    parts: Vec<u8>,
    /// Elements that may still be allocated for in advance: all that the frame's bytes can hold, over all levels.
    reserve: usize,
    done: Option<Value>,
}

struct Open {
    elements: Elements,
    /// Of the aggregate itself; of an attribute, those before it.
    attributes: Vec<(Value, Value)>,
}

enum Elements {
    Flat(Vec<Value>),
    Pairs {
        pairs: Vec<(Value, Value)>,
        key: Option<Value>,
    },
}

impl Builder {
    pub(super) fn new(frame_len: usize) -> Self {
        Self {
            open: Vec::new(),
            attributes: Vec::new(),
            parts: Vec::new(),
            reserve: frame_len / ELEMENT_BYTES_MIN as usize,
            done: None,
        }
    }

    /// The value, once the walk is at its end.
    pub(super) fn finish(self) -> Value {
        self.done.unwrap_or(Value::Null)
    }

    fn place(&mut self, value: Value) {
        let value = if self.attributes.is_empty() {
            value
        } else {
            let attributes = std::mem::take(&mut self.attributes);
            Value::Attributed {
                attributes,
                value: Box::new(value),
            }
        };
        match self.open.last_mut() {
            None => self.done = Some(value),
            Some(Open {
                elements: Elements::Flat(values),
                ..
            }) => values.push(value),
            Some(Open {
                elements: Elements::Pairs { pairs, key },
                ..
            }) => match key.take() {
                None => *key = Some(value),
                Some(key) => pairs.push((key, value)),
            },
        }
    }

    /// How many entries to allocate for.
    fn capacity(&mut self, aggregate: Aggregate, size: Size) -> usize {
        let Size::Known(entries) = size else { return 0 };
        let each = aggregate.elements_per_entry() as usize;
        let capacity = usize::try_from(entries)
            .unwrap_or(usize::MAX)
            .min(self.reserve / each);
        self.reserve -= capacity * each;
        capacity
    }
}

impl Visitor<'_> for One {
    place_plain_values!();
}

impl Visitor<'_> for Builder {
    place_plain_values!();

    fn part(&mut self, content: &[u8]) {
        self.parts.extend_from_slice(content);
    }

    fn end_parts(&mut self) {
        let whole = std::mem::take(&mut self.parts);
        self.place(Value::Bulk(whole));
    }

    fn begin(&mut self, aggregate: Aggregate, size: Size) {
        let capacity = self.capacity(aggregate, size);
        let elements = match aggregate {
            Aggregate::Map | Aggregate::Attribute => Elements::Pairs {
                pairs: Vec::with_capacity(capacity),
                key: None,
            },
            Aggregate::Array | Aggregate::Set | Aggregate::Push => {
                Elements::Flat(Vec::with_capacity(capacity))
            }
        };
        let attributes = std::mem::take(&mut self.attributes);
        self.open.push(Open {
            elements,
            attributes,
        });
    }

    fn end(&mut self, aggregate: Aggregate) {
        let Some(Open {
            elements,
            attributes,
        }) = self.open.pop()
        else {
            return;
        };
        self.attributes = attributes;
        match (elements, aggregate) {
            (Elements::Pairs { pairs, .. }, Aggregate::Attribute) => self.attributes.extend(pairs),
            (Elements::Pairs { pairs, .. }, _) => self.place(Value::Map(pairs)),
            (Elements::Flat(values), Aggregate::Set) => self.place(Value::Set(values)),
            (Elements::Flat(values), Aggregate::Push) => self.place(Value::Push(values)),
            (Elements::Flat(values), _) => self.place(Value::Array(values)),
        }
    }
}
