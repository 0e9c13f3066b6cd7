use crate::contender::Ability;
use crate::contender::child::ChildError;
use crate::scenario::StageError;
use crate::world::NoServer;
use std::io;
use std::time::Duration;

/// Why the lab could not run, or one of its runs could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// There is no server to break.
    #[error(transparent)]
    NoServer(NoServer),
    /// No scenario has that name.
    #[error(
        "unknown scenario `{name}` (`seawall lab list` tells what each breaks); there are: {known}"
    )]
    UnknownScenario {
        /// The name that was given.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// No contender was given.
    #[error("no contender to run against")]
    NoContender,
    /// A contender was given in a form that is none.
    #[error("`{given}` is no contender: give NAME=COMMAND, or one of {known}")]
    UnknownContender {
        /// What was given.
        given: String,
        /// The names known without a command.
        known: String,
    },
    /// What a contender needs is not installed.
    #[error("{name}: {why}")]
    NotInstalled {
        /// The contender's name.
        name: String,
        /// What is missing, and how to install it.
        why: String,
    },
    /// Two contenders go by one name, and could not be told apart on the scoreboard.
    #[error("two contenders are called `{name}`: give one of them another name, as NAME=COMMAND")]
    SameName {
        /// The name.
        name: String,
    },
    /// The contender could not be used.
    #[error(transparent)]
    Contender(#[from] ChildError),
    /// The contender cannot do what the scenario asks for, and is left out of it.
    #[error("left out: {}", lacks(*ability))]
    Lacks {
        /// What it cannot do.
        ability: Ability,
    },
    /// Server, relay or probe could not be started, or a step of the timeline could not be done.
    #[error("{doing}: {source}")]
    Stage {
        /// What was being done.
        doing: &'static str,
        /// Why it could not be.
        source: StageError,
    },
    /// The server could not be filled before the run, or asked after it.
    #[error("{doing}: {source}")]
    Desk {
        /// What was being done.
        doing: &'static str,
        /// What the socket or the server said.
        source: io::Error,
    },
    /// This server or this host can take part in none of the scenarios.
    #[error("no scenario is left to run: {why}")]
    NothingLeft {
        /// What is missing.
        why: String,
    },
    /// The probe did not see a server that is there: without it nothing can be judged.
    #[error("the probe did not see the server within {limit:?}")]
    BlindProbe {
        /// How long it was given.
        limit: Duration,
    },
    /// It was interrupted.
    #[error("interrupted")]
    Interrupted,
}

fn lacks(ability: Ability) -> String {
    let what = match ability {
        Ability::Cancel => "its calls cannot be given up",
        Ability::Subscribe => "it has no subscriptions",
    };
    format!("{what} (no `{}` in its `ready`)", ability.name())
}

impl LabError {
    pub(super) fn pipe(source: io::Error) -> Self {
        Self::Contender(ChildError::Pipe(source))
    }

    pub(crate) fn stage<E: Into<StageError>>(doing: &'static str) -> impl Fn(E) -> Self {
        move |source| Self::Stage {
            doing,
            source: source.into(),
        }
    }

    pub(super) fn desk(doing: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::Desk { doing, source }
    }
}
