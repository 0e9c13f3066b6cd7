//! The overrides file, as written.

use serde::Deserialize;

use crate::task;

/// Everything in the file; its own comments say what each part means.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Overrides {
    /// Replay classes.
    pub(crate) replay: Vec<ReplayGroup>,
    /// What commands do to data.
    pub(crate) access: Vec<AccessGroup>,
    /// Key finders.
    pub(crate) keys: Vec<KeysGroup>,
    /// Timeouts.
    pub(crate) blocking: Vec<BlockingGroup>,
    /// Session effects.
    pub(crate) session: Vec<SessionGroup>,
    /// Commands that run programs.
    pub(crate) script: ScriptGroup,
    /// Miss answers.
    pub(crate) miss: Vec<MissGroup>,
}

/// A replay class, from the most to the least replayable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Class {
    /// Running it twice changes nothing.
    Read,
    /// It replaces whole values.
    Overwrite,
    /// The same state, another reply.
    SameState,
    /// Only if it surely did not run.
    Never,
}

/// What a command does to data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Access {
    /// It reads.
    Read,
    /// It may write.
    Write,
    /// Neither.
    Neither,
}

/// Commands of one class.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplayGroup {
    /// Under the worst arguments.
    pub(crate) class: Class,
    /// Under the best ones.
    pub(crate) at_best: Option<Class>,
    /// What tells which it is.
    pub(crate) rule: Option<String>,
    /// Why; read by people only, but never missing.
    #[serde(rename = "because")]
    pub(crate) reason: String,
    /// Which commands.
    pub(crate) commands: Vec<String>,
}

/// Commands of one access.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccessGroup {
    /// What they do.
    pub(crate) access: Access,
    /// Why.
    #[serde(rename = "because")]
    pub(crate) reason: String,
    /// Which commands.
    pub(crate) commands: Vec<String>,
}

/// How keys are found where the servers' specifications do not suffice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Finder {
    /// By SORT's own search.
    Sort,
    /// By MIGRATE's own search.
    Migrate,
    /// By those specifications that the server could give.
    KnownSpecs,
}

/// Commands with one finder.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeysGroup {
    /// How.
    pub(crate) finder: Finder,
    /// Why.
    #[serde(rename = "because")]
    pub(crate) reason: String,
    /// Which commands.
    pub(crate) commands: Vec<String>,
}

/// Commands whose timeout stands in the same place.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BlockingGroup {
    /// A variant of `TimeoutAt`.
    pub(crate) timeout: String,
    /// Which commands.
    pub(crate) commands: Vec<String>,
}

/// Commands with the same effect on their connection.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SessionGroup {
    /// A variant of `SessionEffect`.
    pub(crate) effect: String,
    /// Which commands.
    pub(crate) commands: Vec<String>,
}

/// Commands that run the caller's program.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScriptGroup {
    /// What follows from it.
    #[serde(rename = "because")]
    pub(crate) reason: String,
    /// Which commands.
    pub(crate) commands: Vec<String>,
}

/// Commands with the same miss answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MissGroup {
    /// A variant of `MissAnswer`.
    pub(crate) answer: String,
    /// Its field of that name.
    pub(crate) from: Option<u8>,
    /// Its field of that name.
    pub(crate) step: Option<u8>,
    /// Which commands.
    pub(crate) commands: Vec<String>,
}

impl Overrides {
    /// Reads the file's text.
    pub(crate) fn parse(text: &str) -> task::Result<Self> {
        toml::from_str(text).map_err(|error| format!("{}: {error}", super::OVERRIDES).into())
    }
}

impl Access {
    /// The variant's name in the table.
    pub(crate) const fn variant(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::Write => "Write",
            Self::Neither => "Neither",
        }
    }
}

impl Class {
    /// The variant's name in the table.
    pub(crate) const fn variant(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::Overwrite => "Overwrite",
            Self::SameState => "SameState",
            Self::Never => "Never",
        }
    }
}
