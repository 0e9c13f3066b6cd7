//! JSON with bounds: what is secret or not needed is dropped while it is read, and what is kept has an end.

use std::cell::Cell;
use std::fmt;
use std::io::{self, Read};
use std::rc::Rc;

use serde_json::Value;
use serde_json::value::Number;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// So many values are kept of one entry: a pod with twenty containers has two thousand.
const VALUES_MAX: usize = 20_000;

/// So much is kept of a text.
const TEXT_MAX: usize = 4 * 1024;

/// One entry may be so long: kubectl's largest are a megabyte (etcd holds no more).
const ENTRY_MAX: u64 = 16 * 1024 * 1024;

/// Where environments, arguments and other people's data stand.
const DROPPED: &[&str] = &[
    "env",
    "envFrom",
    "Env",
    "command",
    "args",
    "Cmd",
    "Args",
    "Entrypoint",
    "Healthcheck",
    "Log",
    "annotations",
    "labels",
    "Labels",
    "managedFields",
    "data",
    "stringData",
    "volumes",
    "Mounts",
    "requestBody",
    "request",
    "response",
    "authorization",
    "authenticationInfo",
    "claims",
    "httpRequest",
];

/// Whether what stands under this key is not looked at.
pub(super) fn is_dropped(key: &str) -> bool {
    key.len() > 200 || DROPPED.contains(&key)
}

/// Reads one value, and keeps no more of it than `left` values.
pub(super) struct Pruned<'a> {
    left: &'a mut usize,
}

impl<'a> Pruned<'a> {
    /// With a whole entry's bound.
    pub(super) fn entry(left: &'a mut usize) -> Self {
        *left = VALUES_MAX;
        Self { left }
    }
}

impl<'de> DeserializeSeed<'de> for Pruned<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Value, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Pruned<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(
            text[..text.floor_char_boundary_at(TEXT_MAX)].to_owned(),
        ))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut kept = Vec::new();
        loop {
            if *self.left == 0 {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                break;
            }
            *self.left -= 1;
            let next = Pruned { left: self.left };
            match items.next_element_seed(next)? {
                Some(value) => kept.push(value),
                None => break,
            }
        }
        Ok(Value::Array(kept))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut kept = serde_json::Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if *self.left == 0 || is_dropped(&key) {
                entries.next_value::<IgnoredAny>()?;
                continue;
            }
            *self.left -= 1;
            let value = entries.next_value_seed(Pruned { left: self.left })?;
            kept.insert(key, value);
        }
        Ok(Value::Object(kept))
    }
}

/// `str::floor_char_boundary`, which our oldest compiler does not have.
trait Boundary {
    fn floor_char_boundary_at(&self, at: usize) -> usize;
}

impl Boundary for str {
    fn floor_char_boundary_at(&self, at: usize) -> usize {
        let mut at = at.min(self.len());
        while !self.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

/// Ends an input whose entry is too long to be one: a text without an end would fill the memory.
pub(super) struct Measured<R> {
    input: R,
    since_entry: Rc<Cell<u64>>,
}

impl<R> Measured<R> {
    /// And what is set to 0 when an entry has been read.
    pub(super) fn new(input: R) -> (Self, Rc<Cell<u64>>) {
        let since_entry = Rc::new(Cell::new(0));
        let of_it = Rc::clone(&since_entry);
        (Self { input, since_entry }, of_it)
    }
}

impl<R: Read> Read for Measured<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.since_entry.get() > ENTRY_MAX {
            let words = format!("one entry is longer than {ENTRY_MAX} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, words));
        }
        let came = self.input.read(into)?;
        self.since_entry.set(self.since_entry.get() + came as u64);
        Ok(came)
    }
}
