use super::{Credentials, Name, Path, Scenario};
use crate::world::{
    Authority, Bearer, Clients, Fault, NameServer, Probe, Question, Relay, Says, Seclusion, Server,
    ServerBinary, ServerError, Tls, Validity,
};
use seawall_model::Security;
use std::io;
use std::net::{IpAddr, SocketAddr};

/// Why the stage could not be set, or a step not be done.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The server could not be started, stopped, asked or configured.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The relay, the probe, the authority or the name service could not be started.
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
    /// A step needs a name service, and the scenario has none.
    #[error("the scenario changes what a name leads to, but gives no name")]
    NoName,
}

/// The server's name. `test` is set aside for such ends (RFC 6761).
const NAME: &str = "redis.seawall.test";

/// The server of one run, and what lies before it.
pub struct Stage {
    /// The server.
    pub server: Server,
    relay: Option<Relay>,
    elsewhere: Option<Relay>,
    names: Option<Names>,
    authority: Option<Authority>,
    question: Question,
    credentials: Credentials,
}

/// A name service, and who asks it.
struct Names {
    server: NameServer,
    seclusion: Seclusion,
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
        let (relay, elsewhere) = match scenario.path {
            Path::Direct => (None, None),
            Path::Relay => (Some(Relay::start(door).map_err(part("relay"))?), None),
            Path::TwoRelays => {
                let (here, there) = Relay::start_two(door).map_err(part("relay"))?;
                (Some(here), Some(there))
            }
        };
        let mut stage = Self {
            server,
            relay,
            elsewhere,
            names: None,
            authority,
            question: scenario.question,
            credentials: scenario.credentials,
        };
        if let Some(name) = scenario.name_says {
            let begin = || {
                let server = NameServer::start(NAME, stage.says(name))?;
                let seclusion = Seclusion::new(server.addr())?;
                Ok(Names { server, seclusion })
            };
            stage.names = Some(begin().map_err(part("name service"))?);
        }
        Ok(stage)
    }

    fn says(&self, name: Name) -> Says {
        let at = |addr: SocketAddr| match addr.ip() {
            IpAddr::V4(ip) => Says::Addresses(vec![ip]),
            IpAddr::V6(_) => Says::Addresses(Vec::new()),
        };
        match name {
            Name::Here => at(self.addr()),
            Name::There => at(self.elsewhere.as_ref().map_or(self.addr(), Relay::addr)),
            Name::Unknown => Says::Unknown,
            Name::Failure => Says::Failure,
            Name::Silence => Says::Nothing,
        }
    }

    /// The command that runs a contender's where the name service is ours, if it has one.
    pub fn seclude(&self, command: &[String]) -> Vec<String> {
        match &self.names {
            Some(names) => names.seclusion.around(command),
            None => command.to_vec(),
        }
    }

    /// Changes what the name service says of the server's name.
    ///
    /// # Errors
    /// [`StageError::NoName`].
    pub fn name(&self, name: Name) -> Result<(), StageError> {
        let names = self.names.as_ref().ok_or(StageError::NoName)?;
        names.server.say(self.says(name));
        Ok(())
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
        let addr = match &self.names {
            Some(_) => format!("{NAME}:{}", addr.port()),
            None => addr.to_string(),
        };
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

    /// Starts the independent probe, on the way that the contender takes; where that way is also one of certificates or names,
    /// at the server itself.
    ///
    /// # Errors
    /// [`StageError::Part`].
    pub fn probe(&self) -> Result<Probe, StageError> {
        let addr = if self.authority.is_some() || self.names.is_some() {
            self.server.addr()
        } else {
            self.addr()
        };
        Probe::asking(self.question, addr, self.server.access()).map_err(part("probe"))
    }

    /// Puts a fault on the path; of two ways, on the first.
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

    /// Ends the relays, so that nothing is under way to the server any more.
    pub fn cut_path(&mut self) {
        self.relay = None;
        self.elsewhere = None;
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
