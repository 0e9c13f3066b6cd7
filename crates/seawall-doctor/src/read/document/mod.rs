//! JSON as a whole: `kubectl get pod,events -o json`, `docker inspect`, what providers tell of their servers.
//!
//! Entry by entry, so that memory does not grow with the file; several documents may stand in one, as two commands write
//! them into it. Who writes one JSON object a line writes a log: [`super`] takes its lines.

mod cloud;
mod docker;
mod entry;
mod kubernetes;
mod parameters;
mod pruned;

use std::fmt;
use std::io::Read;
use std::mem::{Discriminant, discriminant};
use std::sync::Arc;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use self::pruned::{Measured, Pruned};
use crate::container::{ContainerNews, News};
use crate::facts::{Fact, Facts, Kept, Look, Place, Reach, Spot, Unseen};
use crate::provider::{Act, ProviderEvent};
use crate::rule::Need;
use crate::stamp::Stamp;

/// Under these a document keeps its entries.
const LISTS: &[&str] = &[
    "items",
    "Events",
    "value",
    "entries",
    "records",
    "events",
    "Parameters",
];

/// Whether a file that begins so is such a document, and no log of one object a line.
pub(super) fn begins(head: &[u8]) -> bool {
    let head = head.trim_ascii_start();
    if let Some(rest) = head.strip_prefix(b"[") {
        // `[9] 25 Dec 00:03:01.996 # ..` is an old Redis's log.
        return matches!(rest.trim_ascii_start().first(), Some(b'{' | b']'));
    }
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or(head);
    if head.first() != Some(&b'{') {
        return false;
    }
    let next = head.get(line.len() + 1..).unwrap_or_default();
    match serde_json::from_slice::<Map<String, Value>>(line) {
        // One object a line: a log, unless it is one of ours that was written compactly.
        Ok(object) => {
            let listed = |list: &&str| object.get(*list).is_some_and(Value::is_array);
            LISTS.iter().any(listed) || is_one(&object)
        }
        // It goes on in the next line, or it is one line that is longer than we look at.
        Err(error) if error.is_eof() && line.len() < head.len() => {
            !next.trim_ascii_start().starts_with(b"{")
        }
        Err(error) => {
            error.is_eof()
                && LISTS
                    .iter()
                    .chain(&["apiVersion"])
                    .any(|word| has(line, word))
        }
    }
}

/// Whether a word stands there in quotes.
fn has(line: &[u8], word: &str) -> bool {
    let quoted = format!("\"{word}\"");
    line.windows(quoted.len()).any(|at| at == quoted.as_bytes())
}

fn is_one(entry: &Map<String, Value>) -> bool {
    kubernetes::is(entry) || docker::is(entry) || cloud::is(entry) || parameters::is(entry)
}

/// Reads them to the end of the file. Whether any was of a kind that is known.
pub(super) fn read(name: &str, input: impl Read, facts: &mut Facts) -> bool {
    let mut found = Found::new(name);
    let (input, since_entry) = Measured::new(input);
    let mut json = serde_json::Deserializer::from_reader(std::io::BufReader::new(input));
    loop {
        // `end` skips blanks: at the end of the file there is no further document.
        match json.end() {
            Ok(()) => break,
            Err(error) if error.is_eof() || error.is_io() => {
                found.broken(&error);
                break;
            }
            Err(_) => {}
        }
        let document = Document {
            found: &mut found,
            after_entry: &|| since_entry.set(0),
        };
        if let Err(error) = (&mut json).deserialize_any(document) {
            found.broken(&error);
            break;
        }
    }
    found.end(facts)
}

/// What the entries tell.
struct Found {
    source: Arc<str>,
    containers: Kept<Discriminant<News>, ContainerNews>,
    provider: Kept<Act, ProviderEvent>,
    kubernetes: kubernetes::Pods,
    /// Settings of a server.
    settings: Look,
    entries: u64,
    known: u64,
    had: Vec<Need>,
    broken: Option<String>,
}

impl Found {
    fn new(name: &str) -> Self {
        Self {
            source: name.into(),
            containers: Kept::default(),
            provider: Kept::default(),
            kubernetes: kubernetes::Pods::default(),
            settings: Look::new(name, None, Reach::Pasted),
            entries: 0,
            known: 0,
            had: Vec::new(),
            broken: None,
        }
    }

    fn entry(&mut self, entry: &Map<String, Value>) {
        self.entries += 1;
        let need = if kubernetes::is(entry) {
            kubernetes::take(entry, self);
            Need::Containers
        } else if docker::is(entry) {
            docker::take(entry, self);
            Need::Containers
        } else if cloud::is(entry) {
            cloud::take(entry, self);
            Need::Provider
        } else if parameters::is(entry) {
            parameters::take(entry, &mut self.settings);
            Need::Server
        } else {
            return;
        };
        self.known += 1;
        if !self.had.contains(&need) {
            self.had.push(need);
        }
    }

    fn container(&mut self, at: Option<Stamp>, spot: String, what: ContainerNews) {
        let place = self.place(spot);
        self.containers
            .push(discriminant(&what.news), Fact { at, place, what });
    }

    fn provider(&mut self, at: Option<Stamp>, what: ProviderEvent) {
        let place = self.place(format!("event {}", self.entries));
        self.provider.push(what.act, Fact { at, place, what });
    }

    fn place(&self, spot: String) -> Place {
        Place {
            source: Arc::clone(&self.source),
            spot: Spot::Entry(spot),
        }
    }

    fn broken(&mut self, error: &serde_json::Error) {
        // The error's own words may quote the text; its place cannot.
        self.broken = Some(format!("line {}, column {}", error.line(), error.column()));
    }

    fn end(mut self, facts: &mut Facts) -> bool {
        let mut containers = self.containers.end(&self.source, facts);
        self.kubernetes.name(&mut containers);
        facts.containers.extend(containers);
        let provider = self.provider.end(&self.source, facts);
        facts.provider.extend(provider);
        facts.had.extend(self.had);
        if !self.settings.config.is_empty() {
            facts.looks.push(self.settings);
        }
        if self.known == 0 {
            return false;
        }
        if let Some(place) = self.broken {
            facts.unseen.push(Unseen {
                what: format!("the rest of {}", self.source),
                why: format!(
                    "its JSON breaks off or is broken at {place}: {} entries before it were read",
                    self.entries
                ),
                how: "write it again, to its end".to_owned(),
            });
        }
        true
    }
}

/// One document: a list of entries, an object that holds one, or a single entry.
struct Document<'a> {
    found: &'a mut Found,
    after_entry: &'a dyn Fn(),
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object or array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut left = 0;
        while let Some(entry) = items.next_element_seed(Pruned::entry(&mut left))? {
            (self.after_entry)();
            if let Value::Object(entry) = entry {
                self.found.entry(&entry);
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let mut left = 0;
        let mut own = Map::new();
        let mut listed = false;
        while let Some(key) = fields.next_key::<String>()? {
            if LISTS.contains(&key.as_str()) {
                listed |= fields.next_value_seed(List(Document {
                    found: &mut *self.found,
                    after_entry: self.after_entry,
                }))?;
            } else if pruned::is_dropped(&key) || own.len() > 500 {
                fields.next_value::<IgnoredAny>()?;
            } else {
                let value = fields.next_value_seed(Pruned::entry(&mut left))?;
                own.insert(key, value);
            }
            (self.after_entry)();
        }
        if !listed {
            self.found.entry(&own);
        }
        Ok(())
    }
}

/// What stands where a list of entries may stand: whether it was one.
struct List<'a>(Document<'a>);

impl<'de> serde::de::DeserializeSeed<'de> for List<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<bool, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<bool, A::Error> {
        self.0.visit_seq(items)?;
        Ok(true)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<bool, A::Error> {
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(false)
    }

    fn visit_bool<E>(self, _: bool) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_i64<E>(self, _: i64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_u64<E>(self, _: u64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_f64<E>(self, _: f64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_str<E>(self, _: &str) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }
}

#[cfg(test)]
mod tests;
