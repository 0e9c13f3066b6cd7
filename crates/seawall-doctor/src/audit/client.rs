//! What the client is configured with, as somebody says it: `timeout=1s,pool=20`, or the table `[client]` of a seawall.toml.

use std::fmt;
use std::time::Duration;

use seawall_model::parse_seconds;

/// Settings of a client. What was not told is not judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// How long a reply may take; `Some(None)`: for ever.
    pub timeout: Option<Option<Duration>>,
    /// How long a connection may take to be made; `Some(None)`: for ever.
    pub connect_timeout: Option<Option<Duration>>,
    /// After which rest a pooled connection is not used any more; `Some(None)`: never.
    pub max_idle: Option<Option<Duration>>,
    /// After which silence TCP asks whether the peer lives; `Some(None)`: never.
    pub keepalive: Option<Option<Duration>>,
    /// Connections of one process, at most.
    pub pool: Option<u64>,
    /// Processes, on all hosts together.
    pub processes: Option<u64>,
}

/// A setting that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misread {
    /// There is none of that name.
    #[error("there is no setting {0:?}: {KEYS} are known")]
    Key(String),
    /// The value is none.
    #[error("{key}={value:?}: {wants}")]
    Value {
        /// Its name.
        key: String,
        /// What was given.
        value: String,
        /// What it must be.
        wants: &'static str,
    },
    /// No name and value.
    #[error("{0:?} is no name=value")]
    Pair(String),
    /// It was said twice.
    #[error("{0} is given twice")]
    Twice(String),
    /// The file is no TOML, or has no such table.
    #[error("{0}")]
    File(String),
}

/// All that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misreads(pub Vec<Misread>);

impl fmt::Display for Misreads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&all.join("; "))
    }
}

impl std::error::Error for Misreads {}

const KEYS: &str = "timeout, connect_timeout, max_idle, keepalive, pool, processes";
const A_SPAN: &str = "a span such as 500ms or 2s (a plain number is seconds), or off";
const A_COUNT: &str = "a whole number from 1 to 1000000";

impl Client {
    /// Reads `timeout=1s,pool=20,processes=8`.
    pub fn parse(text: &str) -> Result<Self, Misreads> {
        let pairs = text.split(',').map(|pair| {
            let (name, value) = pair
                .split_once('=')
                .ok_or_else(|| Misread::Pair(pair.trim().to_owned()))?;
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        });
        Self::of(pairs)
    }

    /// Reads the table `[client]` of a file.
    pub fn parse_toml(text: &str) -> Result<Self, Misreads> {
        let failed = |words: String| Misreads(vec![Misread::File(words)]);
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map_or(1, |before| before.matches('\n').count() + 1);
            failed(format!("line {line}: {}", error.message()))
        })?;
        let Some(toml::Value::Table(client)) = table.get("client") else {
            return Err(failed("there is no table [client] in it".to_owned()));
        };
        Self::of(client.iter().map(|(name, value)| {
            let value = match value {
                toml::Value::String(words) => words.clone(),
                toml::Value::Boolean(false) => "off".to_owned(),
                toml::Value::Integer(number) => number.to_string(),
                toml::Value::Float(number) => number.to_string(),
                other => other.type_str().to_owned(),
            };
            Ok((name.clone(), value))
        }))
    }

    /// What `other` says goes before.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            timeout: other.timeout.or(self.timeout),
            connect_timeout: other.connect_timeout.or(self.connect_timeout),
            max_idle: other.max_idle.or(self.max_idle),
            keepalive: other.keepalive.or(self.keepalive),
            pool: other.pool.or(self.pool),
            processes: other.processes.or(self.processes),
        }
    }

    fn of(
        pairs: impl Iterator<Item = Result<(String, String), Misread>>,
    ) -> Result<Self, Misreads> {
        let mut client = Self::default();
        let mut wrong = Vec::new();
        for pair in pairs {
            if let Err(misread) = pair.and_then(|(name, value)| client.set(&name, &value)) {
                wrong.push(misread);
            }
        }
        if wrong.is_empty() {
            Ok(client)
        } else {
            Err(Misreads(wrong))
        }
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Misread> {
        match name {
            "timeout" => once(name, &mut self.timeout, span(name, value)?),
            "connect_timeout" => once(name, &mut self.connect_timeout, span(name, value)?),
            "max_idle" => once(name, &mut self.max_idle, span(name, value)?),
            "keepalive" => once(name, &mut self.keepalive, span(name, value)?),
            "pool" => once(name, &mut self.pool, count(name, value)?),
            "processes" => once(name, &mut self.processes, count(name, value)?),
            _ => Err(Misread::Key(name.to_owned())),
        }
    }
}

fn once<T>(name: &str, place: &mut Option<T>, value: T) -> Result<(), Misread> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Misread::Twice(name.to_owned())),
    }
}

fn span(name: &str, value: &str) -> Result<Option<Duration>, Misread> {
    if matches!(value, "off" | "none" | "never") {
        return Ok(None);
    }
    match parse_seconds(value) {
        Some(span) if span.is_zero() => Ok(None),
        Some(span) => Ok(Some(span)),
        None => Err(misread(name, value, A_SPAN)),
    }
}

fn count(name: &str, value: &str) -> Result<u64, Misread> {
    let number = value.parse().ok();
    number
        .filter(|number| (1..=1_000_000).contains(number))
        .ok_or_else(|| misread(name, value, A_COUNT))
}

fn misread(key: &str, value: &str, wants: &'static str) -> Misread {
    Misread::Value {
        key: key.to_owned(),
        value: value.to_owned(),
        wants,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_read_and_off_is_not_the_same_as_untold() {
        let client = Client::parse("timeout=1.5, pool=20,processes=8,keepalive=off,max_idle=4m");
        let client = client.expect("it can be read");
        assert_eq!(client.timeout, Some(Some(Duration::from_millis(1_500))));
        assert_eq!((client.pool, client.processes), (Some(20), Some(8)));
        assert_eq!(client.keepalive, Some(None));
        assert_eq!(client.connect_timeout, None);
    }

    #[test]
    fn every_error_is_named_with_its_key_and_its_value() {
        let wrong =
            Client::parse("timout=1,pool=0,processes=many,timeout=x,timeout=1,timeout=2,so");
        let words = wrong.expect_err("nothing of it is right").to_string();
        for part in [
            "\"timout\"",
            "pool=\"0\"",
            "processes=\"many\"",
            "timeout=\"x\"",
            "timeout is given twice",
            "\"so\" is no name=value",
        ] {
            assert!(words.contains(part), "{part}: {words}");
        }
    }

    #[test]
    fn a_file_says_the_same() {
        let text =
            "[client]\ntimeout = \"1s\"\nconnect_timeout = 0.5\npool = 20\nkeepalive = false\n";
        let client = Client::parse_toml(text).expect("it can be read");
        assert_eq!(
            client.connect_timeout,
            Some(Some(Duration::from_millis(500)))
        );
        assert_eq!((client.pool, client.keepalive), (Some(20), Some(None)));
        for text in [
            "",
            "client = 1",
            "[client]\npol = 3",
            "[client",
            "[client]\npool = [1]",
        ] {
            assert!(Client::parse_toml(text).is_err(), "{text}");
        }
    }
}
