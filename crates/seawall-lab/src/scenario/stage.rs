use super::{Credentials, Path, Scenario};
use crate::world::{
    Authority, Bearer, Clients, Fault, Probe, Question, Relay, Server, ServerBinary, ServerError,
    Tls, Validity,
};
use seawall_model::Security;
use std::io;
use std::net::SocketAddr;

/// Why the stage could not be set, or a step not be done.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The server could not be started, stopped, asked or configured.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The relay, the probe or the authority could not be started.
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
    authority: Option<Authority>,
    question: Question,
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
        let (server, authority) = match scenario.security {
            Security::Plain => (Server::start(binary, &config)?, None),
            Security::Tls => {
                let (server, authority) = start_with_tls(binary, &config)?;
                (server, Some(authority))
            }
        };
        let door = server.tls_addr().unwrap_or(server.addr());
        let relay = match scenario.path {
            Path::Direct => None,
            Path::Relay => Some(Relay::start(door).map_err(part("relay"))?),
        };
        Ok(Self {
            server,
            relay,
            authority,
            question: scenario.question,
            credentials: scenario.credentials,
        })
    }

    /// Where the contender connects.
    pub fn addr(&self) -> SocketAddr {
        match &self.relay {
            Some(relay) => relay.addr(),
            None => self.server.tls_addr().unwrap_or(self.server.addr()),
        }
    }

    /// The URL that the contender is given.
    pub fn url(&self) -> String {
        let credentials = match self.credentials {
            Credentials::None => "",
            Credentials::Wrong => ":the-wrong-one@",
        };
        let addr = self.addr();
        match &self.authority {
            None => format!("redis://{credentials}{addr}/0"),
            // By the name that redis-py has for it, which our own faces take as well.
            Some(authority) => {
                let ca = authority.certificate();
                format!(
                    "rediss://{credentials}{addr}/0?ssl_ca_certs={}",
                    ca.display()
                )
            }
        }
    }

    /// Starts the independent probe, on the way that the contender takes; under TLS, at the server's plain port.
    ///
    /// # Errors
    /// [`StageError::Part`].
    pub fn probe(&self) -> Result<Probe, StageError> {
        let addr = match self.authority {
            None => self.addr(),
            Some(_) => self.server.addr(),
        };
        Probe::asking(self.question, addr, self.server.access()).map_err(part("probe"))
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

fn part(part: &'static str) -> impl Fn(io::Error) -> StageError {
    move |source| StageError::Part { part, source }
}

fn start_with_tls(
    binary: &ServerBinary,
    config: &[(&str, &str)],
) -> Result<(Server, Authority), StageError> {
    let authority = Authority::new().map_err(part("authority"))?;
    let names = ["127.0.0.1", "localhost"];
    let certificate = authority
        .sign("server", &names, Bearer::Server, Validity::Now)
        .map_err(part("authority"))?;
    let tls = Tls {
        authority: &authority,
        certificate: &certificate,
        clients: Clients::Anybody,
    };
    let server = Server::start_with_tls(binary, config, &tls)?;
    Ok((server, authority))
}
