//! A connection that reads settings, sets one, and reads it back.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use seawall_model::{Endpoint, Security, Target};
use seawall_wire::Value;

use super::change::Change;
use crate::live::{self, Conversation, Unset};

/// Why the server did not do it.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// Its TLS needs what is not there.
    #[error(transparent)]
    Tls(#[from] Unset),
    /// There is no talking to it.
    #[error("{0} cannot be talked to: {1}")]
    Unreached(String, String),
    /// It refuses.
    #[error("{server} refuses {command}: {why}")]
    Refused {
        /// Its address.
        server: String,
        /// What was asked.
        command: String,
        /// Its word for it, or what became of the connection.
        why: String,
    },
    /// It does not know the setting.
    #[error("{0} does not know the setting {1}")]
    NotKnown(String, String),
}

impl Trouble {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Tls(_) => "",
            Self::Unreached(..) => "give the URL of the server: seawall doctor URL --fix",
            Self::Refused { .. } => {
                "managed services rename CONFIG: change it in their parameter group; else ACL SETUSER <user> +config|get +config|set +info"
            }
            Self::NotKnown(..) => "it came with a later version",
        }
    }
}

/// A connection to one server.
pub struct Hand {
    conversation: Conversation,
    server: String,
    info: Option<BTreeMap<String, String>>,
}

impl Hand {
    /// Connects and logs in, by the end of `within`; what is asked later has as long, together.
    pub fn reach(target: &Target, within: Duration) -> Result<Self, Trouble> {
        let server = address(target);
        let until = Instant::now() + within;
        let conversation = live::converse(target, until)?.map_err(|reach| {
            Trouble::Unreached(server.clone(), reach.away().unwrap_or_default())
        })?;
        Ok(Self {
            conversation,
            server,
            info: None,
        })
    }

    /// Its address.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Which process of the server's this is.
    pub(super) fn run_id(&mut self) -> Result<String, Trouble> {
        Ok(self.info()?.get("run_id").cloned().unwrap_or_default())
    }

    /// The file of its settings, if it was started with one.
    pub fn file(&mut self) -> Option<String> {
        let info = self.info().ok()?;
        info.get("config_file")
            .filter(|path| !path.is_empty())
            .cloned()
    }

    /// INFO, asked for once.
    pub(super) fn info(&mut self) -> Result<BTreeMap<String, String>, Trouble> {
        if let Some(info) = &self.info {
            return Ok(info.clone());
        }
        let answer = self.ask(&["INFO", "everything"])?;
        let bytes = answer.as_bytes().unwrap_or_default();
        let info: BTreeMap<_, _> = String::from_utf8_lossy(bytes)
            .lines()
            .filter_map(|line| line.trim_end().split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        self.info = Some(info.clone());
        Ok(info)
    }

    /// What the setting is now.
    pub(super) fn read(&mut self, change: &Change) -> Result<String, Trouble> {
        let answer = self.ask(&["CONFIG", "GET", change.setting])?;
        let told = match answer.bare() {
            Value::Map(pairs) => pairs.first().and_then(|(_, value)| value.as_str()),
            other => other
                .as_elements()
                .and_then(|pair| pair.get(1))
                .and_then(Value::as_str),
        };
        told.and_then(|told| change.part(told))
            .map(std::borrow::Cow::into_owned)
            .ok_or_else(|| Trouble::NotKnown(self.server.clone(), change.label()))
    }

    pub(super) fn set(&mut self, change: &Change) -> Result<(), Trouble> {
        self.ask(&["CONFIG", "SET", change.setting, &change.value()])
            .map(drop)
    }

    fn ask(&mut self, words: &[&str]) -> Result<Value, Trouble> {
        self.conversation
            .ask(words)
            .map_err(|trouble| Trouble::Refused {
                server: self.server.clone(),
                command: words[..words.len().min(3)].join(" "),
                why: trouble.to_string(),
            })
    }
}

/// The URL without user and password.
fn address(target: &Target) -> String {
    match (target.endpoint(), target.security()) {
        (Endpoint::Unix { path }, _) => format!("unix://{}", path.display()),
        (endpoint, Security::Tls) => format!("rediss://{endpoint}"),
        (endpoint, Security::Plain) => format!("redis://{endpoint}"),
    }
}
