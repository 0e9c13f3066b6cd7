use super::{Credentials, Path, Scenario};
use crate::world::{Fault, Probe, Relay, Server, ServerBinary, ServerError};
use std::io;
use std::net::SocketAddr;

/// Why the stage could not be set, or a step not be done.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The server could not be started, stopped, asked or configured.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The relay or the probe could not be started.
    #[error("cannot start the {part}: {source}")]
    Part {
        /// Which part.
        part: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A step needs a relay, and the scenario has none.
    #[error("the scenario breaks the path, but has no relay on it")]
    NoRelay,
}

/// The server of one run, and what lies before it.
pub struct Stage {
    /// The server.
    pub server: Server,
    relay: Option<Relay>,
    credentials: Credentials,
}

impl Stage {
    /// Starts what the scenario needs.
    ///
    /// # Errors
    /// [`StageError`].
    pub fn set(scenario: &Scenario, binary: &ServerBinary) -> Result<Self, StageError> {
        let mut config = scenario.config.clone();
        if scenario.credentials == Credentials::Wrong {
            config.push(("requirepass", "the-right-one"));
        }
        let server = Server::start(binary, &config)?;
        let relay = match scenario.path {
            Path::Direct => None,
            Path::Relay => {
                Some(
                    Relay::start(server.addr()).map_err(|source| StageError::Part {
                        part: "relay",
                        source,
                    })?,
                )
            }
        };
        Ok(Self {
            server,
            relay,
            credentials: scenario.credentials,
        })
    }

    /// Where the contender connects.
    pub fn addr(&self) -> SocketAddr {
        self.relay
            .as_ref()
            .map_or_else(|| self.server.addr(), Relay::addr)
    }

    /// The URL that the contender is given.
    pub fn url(&self) -> String {
        let credentials = match self.credentials {
            Credentials::None => "",
            Credentials::Wrong => ":the-wrong-one@",
        };
        format!("redis://{credentials}{}/0", self.addr())
    }

    /// Starts the independent probe, on the way that the contender takes.
    ///
    /// # Errors
    /// [`StageError::Part`].
    pub fn probe(&self) -> Result<Probe, StageError> {
        Probe::start(self.addr(), self.server.access()).map_err(|source| StageError::Part {
            part: "probe",
            source,
        })
    }

    /// Puts a fault on the path.
    ///
    /// # Errors
    /// [`StageError::NoRelay`].
    pub fn path(&self, fault: Fault) -> Result<(), StageError> {
        self.relay.as_ref().ok_or(StageError::NoRelay)?.set(fault);
        Ok(())
    }

    /// Takes the fault off the path.
    ///
    /// # Errors
    /// [`StageError::NoRelay`].
    pub fn clear_path(&self) -> Result<(), StageError> {
        self.relay.as_ref().ok_or(StageError::NoRelay)?.clear();
        Ok(())
    }

    /// Ends the relay, so that nothing is under way to the server any more.
    pub fn cut_path(&mut self) {
        self.relay = None;
    }
}
