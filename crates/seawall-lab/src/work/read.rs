use super::{Fit, Kind, Work, words};
use crate::contender::{Reply, Request, Words};
use crate::world::Value;

/// `GET` of one of a few hundred keys, each of whose values names its key.
pub struct Read {
    /// How many keys there are.
    pub keys: u64,
}

/// `MGET` of three of the keys that [`Read`] reads.
pub struct ReadMany {
    /// How many keys there are.
    pub keys: u64,
}

/// `LRANGE` of a whole list: a reply of any size.
pub struct Range {
    /// The list's elements.
    pub elements: u64,
    /// The size of each.
    pub element_bytes: usize,
}

/// Every 16th value is long, so that replies of several segments are under way too.
const LONG_VALUE_BYTES: usize = 6000;

impl Default for Read {
    fn default() -> Self {
        Self { keys: 256 }
    }
}

impl Default for ReadMany {
    fn default() -> Self {
        Self {
            keys: Read::default().keys,
        }
    }
}

fn key(number: u64) -> String {
    format!("read:{number}")
}

fn value(number: u64) -> String {
    let mut value = format!("value of read:{number} ");
    let bytes = if number.is_multiple_of(16) {
        LONG_VALUE_BYTES
    } else {
        40 + usize::try_from(number % 100).unwrap_or(0)
    };
    while value.len() < bytes {
        value.push_str("wave ");
    }
    value
}

fn fill(keys: u64) -> Vec<Words> {
    (0..keys)
        .map(|number| words(["SET", &key(number), &value(number)]))
        .collect()
}

/// Spreads calls over keys without a pattern that a schedule could fall in step with.
pub(super) fn spread(call: u64, keys: u64) -> u64 {
    (call.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % keys.max(1)
}

/// The command that reads the key of `call`, and what it must return.
pub(super) fn one_read(call: u64, keys: u64) -> (Words, Reply) {
    let number = spread(call, keys);
    (
        words(["GET", &key(number)]),
        Reply::bulk(value(number).as_bytes()),
    )
}

/// What the default [`Read`] must return for `call`.
#[cfg(test)]
pub(crate) fn expected_read(call: u64) -> Reply {
    one_read(call, Read::default().keys).1
}

fn fits(expected: &Reply, reply: &Reply) -> Fit {
    if expected == reply {
        Fit::Fits
    } else {
        Fit::Foreign
    }
}

impl Work for Read {
    fn name(&self) -> &'static str {
        "GET"
    }
    fn kind(&self) -> Kind {
        Kind::Read
    }
    fn prepare(&self, _calls: &[u64]) -> Vec<Words> {
        fill(self.keys)
    }
    fn request(&self, call: u64) -> Request {
        Request::Command(one_read(call, self.keys).0)
    }
    fn fit(&self, call: u64, reply: &Reply) -> Fit {
        fits(&one_read(call, self.keys).1, reply)
    }
    fn inspect(&self, _call: u64) -> Vec<Words> {
        Vec::new()
    }
    fn times_run(&self, _call: u64, _state: &[Value], _reply: Option<&Reply>) -> u64 {
        1
    }
}

impl ReadMany {
    fn numbers(&self, call: u64) -> [u64; 3] {
        [0, 1, 2].map(|step| spread(call + step * 7919, self.keys))
    }
}

impl Work for ReadMany {
    fn name(&self) -> &'static str {
        "MGET"
    }
    fn kind(&self) -> Kind {
        Kind::Read
    }
    fn prepare(&self, _calls: &[u64]) -> Vec<Words> {
        fill(self.keys)
    }
    fn request(&self, call: u64) -> Request {
        let [a, b, c] = self.numbers(call).map(key);
        Request::Command(words(["MGET", &a, &b, &c]))
    }
    fn fit(&self, call: u64, reply: &Reply) -> Fit {
        let values = self
            .numbers(call)
            .map(|number| Reply::bulk(value(number).as_bytes()));
        fits(&Reply::Array(values.to_vec()), reply)
    }
    fn inspect(&self, _call: u64) -> Vec<Words> {
        Vec::new()
    }
    fn times_run(&self, _call: u64, _state: &[Value], _reply: Option<&Reply>) -> u64 {
        1
    }
}

impl Range {
    fn element(&self, number: u64) -> Vec<u8> {
        let mut element = format!("element {number} ").into_bytes();
        element.resize(self.element_bytes.max(element.len()), b'.');
        element
    }
}

impl Work for Range {
    fn name(&self) -> &'static str {
        "LRANGE"
    }
    fn kind(&self) -> Kind {
        Kind::Read
    }
    fn prepare(&self, _calls: &[u64]) -> Vec<Words> {
        (0..self.elements)
            .map(|number| vec![b"RPUSH".to_vec(), b"range".to_vec(), self.element(number)])
            .collect()
    }
    fn request(&self, _call: u64) -> Request {
        Request::Command(words(["LRANGE", "range", "0", "-1"]))
    }
    fn fit(&self, _call: u64, reply: &Reply) -> Fit {
        let elements = (0..self.elements)
            .map(|number| Reply::bulk(&self.element(number)))
            .collect();
        fits(&Reply::Array(elements), reply)
    }
    fn inspect(&self, _call: u64) -> Vec<Words> {
        Vec::new()
    }
    fn times_run(&self, _call: u64, _state: &[Value], _reply: Option<&Reply>) -> u64 {
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_of_another_key_is_foreign() {
        let work = Read::default();
        let (_, mine) = one_read(1, work.keys);
        let (_, other) = one_read(2, work.keys);
        assert_eq!(work.fit(1, &mine), Fit::Fits);
        assert_eq!(work.fit(1, &other), Fit::Foreign);
        assert_eq!(work.fit(1, &Reply::Nil), Fit::Foreign);
    }

    #[test]
    fn a_long_value_is_compared_by_its_hash() {
        let work = Read { keys: 1 };
        assert!(
            matches!(one_read(0, 1).1, Reply::Blob { bytes, .. } if bytes >= LONG_VALUE_BYTES as u64)
        );
        assert_eq!(work.fit(0, &one_read(0, 1).1), Fit::Fits);
    }

    #[test]
    fn three_values_must_come_in_the_order_asked_for() {
        let work = ReadMany::default();
        let mut values: Vec<_> = work
            .numbers(5)
            .map(|n| Reply::bulk(value(n).as_bytes()))
            .to_vec();
        assert_eq!(work.fit(5, &Reply::Array(values.clone())), Fit::Fits);
        values.swap(0, 2);
        assert_eq!(work.fit(5, &Reply::Array(values)), Fit::Foreign);
    }
}
