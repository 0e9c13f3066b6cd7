//! The first exchange on a connection: who are you, here is who we are.
//!
//! Everything is sent in one write (HELLO with AUTH and SETNAME, SELECT, then what the purpose asks for) and the
//! replies are matched in order. What does not take a name in HELLO, which some that only speak like Redis do not, gets
//! it in a command of its own, and a server that does not know HELLO gets the same in RESP2 words; each once.

use seawall_model::Cause;
use seawall_policy::health::{Probe, Writes};
use seawall_wire::error::{ErrorKind, ServerError};
use seawall_wire::{Value, encode};

use super::cause;

/// What a connection says about itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Login {
    pub(crate) user: Option<String>,
    pub(crate) password: Option<seawall_model::Secret>,
    pub(crate) db: u32,
    pub(crate) client_name: String,
    /// What CLIENT LIST is to show as our library, and its version.
    pub(crate) lib_name: Option<String>,
    pub(crate) lib_version: Option<String>,
    pub(crate) protocol: Wanted,
}

impl Login {
    /// Whether there is anybody to log in as. A user without a password is one who needs none: he has to be named.
    fn has_identity(&self) -> bool {
        self.user.is_some() || self.password.is_some()
    }

    /// The server does not want to know by which library we speak.
    pub(crate) fn leave_library_out(&mut self) {
        self.lib_name = None;
        self.lib_version = None;
    }

    fn password(&self) -> &[u8] {
        let password = self.password.as_ref();
        password.map_or(b"", |password| password.reveal().as_bytes())
    }
}

/// Which protocol to ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// RESP3, or RESP2 where the server does not know HELLO.
    #[default]
    Best,
    Resp2,
    Resp3,
}

/// What the connection is for decides what it asks beyond its login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To carry calls.
    Carry,
    /// To find out whether the server serves, and then to carry calls.
    Probe(Probe),
    /// To find out why it closed a connection, and then to carry calls.
    Examine,
}

/// In which words the login is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// HELLO 3 with everything in it.
    Hello,
    /// HELLO 3, and CLIENT SETNAME.
    HelloAlone,
    /// AUTH and CLIENT SETNAME.
    Resp2,
}

/// What the server said about itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Server {
    /// The id by which its log and CLIENT LIST know this connection.
    pub(crate) client_id: Option<u64>,
    /// What it calls itself: `redis`, `valkey`.
    pub(crate) product: Option<Box<str>>,
    pub(crate) version: Option<Box<str>>,
    pub(crate) protocol: u8,
    /// Names this run of the server's process; another one means a restart.
    pub(crate) run_id: Option<Box<str>>,
    /// From INFO: whether it would take a write now, where INFO tells.
    pub(crate) writes: Option<Writes>,
    /// Bytes of unsent replies at which it closes an ordinary client; 0 is no limit. `None`: not asked, or not told.
    pub(crate) output_limit: Option<u64>,
    /// It refused to tell its configuration: it is not asked again.
    pub(crate) refuses_config: bool,
    /// It does not want to know by which library we speak: it is not told again.
    pub(crate) refuses_setinfo: bool,
}

/// What to ask beyond the login.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Curiosity {
    /// PING, whose refusal shows that the server does not serve.
    pub(crate) ping: bool,
    /// INFO: which run of the server this is.
    pub(crate) info: bool,
    /// CONFIG GET client-output-buffer-limit.
    pub(crate) output_limit: bool,
}

/// Why no connection came about.
#[derive(Clone, Debug)]
pub(crate) struct DialError {
    pub(crate) cause: Cause,
    /// What was seen, in words: the server's own, or the kernel's.
    pub(crate) detail: Box<str>,
    pub(crate) server: Option<ServerError>,
}

impl DialError {
    pub(crate) fn new(cause: Cause, detail: impl Into<Box<str>>) -> Self {
        Self {
            cause,
            detail: detail.into(),
            server: None,
        }
    }

    fn said(error: ServerError) -> Self {
        let error = cause::without_arguments(error);
        Self {
            cause: cause::of_server(&error.kind),
            detail: error.message.as_ref().into(),
            server: Some(error),
        }
    }
}

/// One request of the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Hello,
    Auth,
    SetName,
    ClientId,
    LibName,
    LibVersion,
    Select,
    Ping,
    Info,
    OutputLimit,
}

/// Where the exchange stands.
#[derive(Debug)]
pub(crate) enum Next {
    /// More replies are owed.
    Await,
    /// The server does not understand our HELLO: send this instead, it is owed `replies`.
    Fallback { bytes: Vec<u8>, replies: u32 },
    /// The connection may carry calls.
    Ready(Server),
}

/// The exchange.
#[derive(Debug)]
pub(crate) struct Handshake {
    login: Login,
    curiosity: Curiosity,
    manner: Manner,
    script: Vec<Asked>,
    at: usize,
    server: Server,
    fall_back: Option<Manner>,
}

impl Handshake {
    /// The exchange and its first write, with the number of replies that it is owed.
    pub(crate) fn start(login: Login, curiosity: Curiosity) -> (Self, Vec<u8>, u32) {
        let manner = match login.protocol {
            // HELLO 2 would do as well, but servers before 6.0 do not know it.
            Wanted::Resp2 => Manner::Resp2,
            Wanted::Best | Wanted::Resp3 => Manner::Hello,
        };
        let mut this = Self {
            login,
            curiosity,
            manner,
            script: Vec::new(),
            at: 0,
            server: Server::default(),
            fall_back: None,
        };
        let (bytes, replies) = this.begin(manner);
        (this, bytes, replies)
    }

    /// Begins in this manner.
    fn begin(&mut self, manner: Manner) -> (Vec<u8>, u32) {
        self.manner = manner;
        self.script = match manner {
            Manner::Hello => vec![Asked::Hello],
            Manner::HelloAlone => vec![Asked::Hello, Asked::SetName],
            Manner::Resp2 => resp2_login(&self.login),
        };
        self.script.extend(after_login(&self.login, self.curiosity));
        self.at = 0;
        self.server.protocol = if manner == Manner::Resp2 { 2 } else { 3 };
        self.pack()
    }

    /// The next reply has come.
    pub(crate) fn handle(&mut self, reply: Value) -> Result<Next, DialError> {
        let Some(&asked) = self.script.get(self.at) else {
            return Err(DialError::new(
                Cause::ProtocolError,
                "a reply that nobody asked for during the handshake",
            ));
        };
        self.at += 1;
        let reply = match reply {
            Value::Attributed { value, .. } => *value,
            other => other,
        };
        match reply {
            Value::Error(error) => self.refused(asked, error)?,
            value => self.granted(asked, &value),
        }
        if self.at < self.script.len() {
            return Ok(Next::Await);
        }
        if let Some(manner) = self.fall_back.take() {
            let (bytes, replies) = self.begin(manner);
            return Ok(Next::Fallback { bytes, replies });
        }
        Ok(Next::Ready(std::mem::take(&mut self.server)))
    }

    fn refused(&mut self, asked: Asked, error: ServerError) -> Result<(), DialError> {
        if asked == Asked::Hello {
            self.fall_back = self.other_manner(&error);
        }
        match asked {
            // What follows a HELLO that was not understood was asked without a login: its refusals prove nothing.
            _ if self.fall_back.is_some() => Ok(()),
            // A name, an id and INFO are a convenience: an ACL that forbids them, or a server too old, does no harm.
            Asked::SetName | Asked::ClientId | Asked::Info => Ok(()),
            Asked::OutputLimit => {
                self.server.refuses_config = true;
                Ok(())
            }
            // Before 7.2 it is not known.
            Asked::LibName | Asked::LibVersion => {
                self.server.refuses_setinfo = true;
                Ok(())
            }
            // The default user's PING may be forbidden; the refusal shows that the server answers.
            Asked::Ping if error.kind.family() != seawall_wire::error::Family::Unavailable => {
                Ok(())
            }
            // AUTH for a default user that has no password is refused with a plain ERR.
            Asked::Auth if error.kind == ErrorKind::Err => Err(DialError {
                cause: Cause::AuthFailed,
                ..DialError::said(error)
            }),
            Asked::Hello | Asked::Auth | Asked::Select | Asked::Ping => Err(DialError::said(error)),
        }
    }

    /// How to say it after HELLO was refused.
    fn other_manner(&self, error: &ServerError) -> Option<Manner> {
        if !matches!(error.kind, ErrorKind::Err | ErrorKind::NoProto) {
            return None;
        }
        let known = error.kind != ErrorKind::NoProto && !error.message.contains("unknown command");
        if known && self.manner == Manner::Hello && !self.login.client_name.is_empty() {
            return Some(Manner::HelloAlone);
        }
        (self.login.protocol == Wanted::Best).then_some(Manner::Resp2)
    }

    fn granted(&mut self, asked: Asked, value: &Value) {
        match asked {
            Asked::Hello => self.greeted(value),
            Asked::ClientId => {
                self.server.client_id = value.as_int().and_then(|id| u64::try_from(id).ok());
            }
            Asked::Info => self.informed(value),
            Asked::OutputLimit => self.server.output_limit = normal_limit(value),
            Asked::Auth
            | Asked::SetName
            | Asked::LibName
            | Asked::LibVersion
            | Asked::Select
            | Asked::Ping => {}
        }
    }

    fn greeted(&mut self, value: &Value) {
        let Value::Map(pairs) = value else { return };
        for (key, value) in pairs {
            match key.as_bytes() {
                Some(b"id") => {
                    self.server.client_id = value.as_int().and_then(|id| u64::try_from(id).ok());
                }
                Some(b"server") => self.server.product = text(value),
                Some(b"version") => self.server.version = text(value),
                _ => {}
            }
        }
    }

    fn informed(&mut self, value: &Value) {
        let Some(text) = value.as_bytes().map(String::from_utf8_lossy) else {
            return;
        };
        let (mut refused, mut told) = (None, false);
        let (mut used, mut limit) = (0_u64, 0_u64);
        for line in text.lines() {
            let Some((key, value)) = line.split_once(':') else {
                continue;
            };
            match key {
                "run_id" => self.server.run_id = Some(value.into()),
                "redis_version" if self.server.version.is_none() => {
                    self.server.version = Some(value.into());
                }
                "rdb_last_bgsave_status" | "aof_last_write_status" if value != "ok" => {
                    refused = Some(Cause::SaveFailed);
                }
                "role" => {
                    told = true;
                    if value != "master" {
                        refused = Some(Cause::ReadOnly);
                    }
                }
                "used_memory" => used = value.parse().unwrap_or(0),
                "maxmemory" => limit = value.parse().unwrap_or(0),
                _ => {}
            }
        }
        let full = limit != 0 && used >= limit;
        // Only good news is taken from here: a failed save stops writes only where `stop-writes-on-bgsave-error` is
        // on, a full memory only where nothing can be evicted. The server's own refusal closes the gate.
        self.server.writes = (told && refused.is_none() && !full).then_some(Writes::Accepted);
    }

    fn pack(&self) -> (Vec<u8>, u32) {
        let mut out = Vec::with_capacity(256);
        for &asked in &self.script {
            self.pack_one(asked, &mut out);
        }
        (out, u32::try_from(self.script.len()).unwrap_or(u32::MAX))
    }

    fn pack_one(&self, asked: Asked, out: &mut Vec<u8>) {
        let db = self.login.db.to_string();
        let mut words: Vec<&[u8]> = Vec::with_capacity(8);
        match asked {
            Asked::Hello => {
                words.extend([b"HELLO".as_slice(), b"3"]);
                if self.login.has_identity() {
                    let user = self.login.user.as_deref().unwrap_or("default");
                    words.extend([b"AUTH".as_slice(), user.as_bytes(), self.login.password()]);
                }
                if self.manner == Manner::Hello && !self.login.client_name.is_empty() {
                    words.extend([b"SETNAME".as_slice(), self.login.client_name.as_bytes()]);
                }
            }
            Asked::Auth => {
                words.push(b"AUTH");
                words.extend(self.login.user.as_deref().map(str::as_bytes));
                words.push(self.login.password());
            }
            Asked::SetName => words.extend([
                b"CLIENT".as_slice(),
                b"SETNAME",
                self.login.client_name.as_bytes(),
            ]),
            Asked::ClientId => words.extend([b"CLIENT".as_slice(), b"ID"]),
            Asked::LibName => words.extend(setinfo(b"LIB-NAME", self.login.lib_name.as_deref())),
            Asked::LibVersion => {
                words.extend(setinfo(b"LIB-VER", self.login.lib_version.as_deref()));
            }
            Asked::Select => words.extend([b"SELECT".as_slice(), db.as_bytes()]),
            Asked::Ping => words.push(b"PING"),
            // Several sections in one INFO are understood from 7.0 on; `everything` is far larger. The default
            // sections are a few kilobytes, and asked for once a connection that probes.
            Asked::Info => words.push(b"INFO"),
            Asked::OutputLimit => {
                words.extend([b"CONFIG".as_slice(), b"GET", b"client-output-buffer-limit"]);
            }
        }
        encode::command(out, words);
    }
}

fn resp2_login(login: &Login) -> Vec<Asked> {
    let mut script = Vec::with_capacity(6);
    if login.has_identity() {
        script.push(Asked::Auth);
    }
    if !login.client_name.is_empty() {
        script.push(Asked::SetName);
    }
    script.push(Asked::ClientId);
    script
}

fn setinfo<'a>(what: &'a [u8], text: Option<&'a str>) -> [&'a [u8]; 4] {
    [
        b"CLIENT",
        b"SETINFO",
        what,
        text.unwrap_or_default().as_bytes(),
    ]
}

fn after_login(login: &Login, curiosity: Curiosity) -> impl Iterator<Item = Asked> {
    [
        (login.lib_name.is_some(), Asked::LibName),
        (login.lib_version.is_some(), Asked::LibVersion),
        (login.db != 0, Asked::Select),
        (curiosity.ping, Asked::Ping),
        (curiosity.info, Asked::Info),
        (curiosity.output_limit, Asked::OutputLimit),
    ]
    .into_iter()
    .filter_map(|(wanted, asked)| wanted.then_some(asked))
}

fn text(value: &Value) -> Option<Box<str>> {
    let bytes = value.as_bytes()?;
    Some(String::from_utf8_lossy(bytes).into_owned().into_boxed_str())
}

/// The smaller of the hard and the soft limit of the class `normal`, out of
/// `normal 1048576 0 0 slave 268435456 67108864 60 pubsub ..`.
fn normal_limit(value: &Value) -> Option<u64> {
    let text = match value {
        Value::Map(pairs) => pairs.first()?.1.as_bytes()?,
        Value::Array(items) => items.get(1)?.as_bytes()?,
        _ => return None,
    };
    let text = std::str::from_utf8(text).ok()?;
    let mut words = text
        .split_ascii_whitespace()
        .skip_while(|&word| word != "normal")
        .skip(1);
    let hard: u64 = words.next()?.parse().ok()?;
    let soft: u64 = words.next()?.parse().ok()?;
    Some(match (hard, soft) {
        (0, limit) | (limit, 0) => limit,
        (hard, soft) => hard.min(soft),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(protocol: Wanted) -> Login {
        Login {
            client_name: "api".to_owned(),
            protocol,
            ..Login::default()
        }
    }

    fn refusal(text: &str) -> Value {
        let wire = format!("-{text}\r\n");
        Value::decode(wire.as_bytes(), &seawall_wire::Limits::default())
            .expect("an error is a reply")
            .0
    }

    fn words(bytes: &[u8]) -> Vec<String> {
        String::from_utf8_lossy(bytes)
            .lines()
            .filter(|line| !line.starts_with(['*', '$']))
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn what_takes_no_name_in_hello_is_told_it_apart() {
        let (mut handshake, bytes, _) =
            Handshake::start(named(Wanted::Resp3), Curiosity::default());
        assert_eq!(words(&bytes), ["HELLO", "3", "SETNAME", "api"]);
        let Ok(Next::Fallback { bytes, replies }) = handshake.handle(refusal("ERR")) else {
            panic!("HELLO was refused");
        };
        assert_eq!(words(&bytes), ["HELLO", "3", "CLIENT", "SETNAME", "api"]);
        assert_eq!(replies, 2);
        let greeted = handshake.handle(Value::Map(Vec::new()));
        assert!(matches!(greeted, Ok(Next::Await)), "{greeted:?}");
        let ready = handshake.handle(refusal("ERR"));
        assert!(
            matches!(ready, Ok(Next::Ready(_))),
            "a name is a convenience: {ready:?}"
        );
    }

    #[test]
    fn a_server_that_does_not_know_hello_is_spoken_to_in_resp2_at_once() {
        let (mut handshake, ..) = Handshake::start(named(Wanted::Best), Curiosity::default());
        let unknown = refusal("ERR unknown command 'HELLO', with args beginning with: '3'");
        let Ok(Next::Fallback { bytes, .. }) = handshake.handle(unknown) else {
            panic!("HELLO was refused");
        };
        assert_eq!(words(&bytes), ["CLIENT", "SETNAME", "api", "CLIENT", "ID"]);
    }

    #[test]
    fn the_library_is_told_with_the_login_and_a_server_that_does_not_know_that_serves_all_the_same()
    {
        let login = Login {
            lib_name: Some("seawall".to_owned()),
            lib_version: Some("1.2.3".to_owned()),
            db: 4,
            ..named(Wanted::Resp3)
        };
        let (mut handshake, bytes, replies) = Handshake::start(login, Curiosity::default());
        let sent = words(&bytes).join(" ");
        assert_eq!(
            sent,
            "HELLO 3 SETNAME api CLIENT SETINFO LIB-NAME seawall CLIENT SETINFO LIB-VER 1.2.3 SELECT 4"
        );
        assert_eq!(replies, 4);
        let old =
            "ERR Unknown subcommand or wrong number of arguments for 'setinfo'. Try CLIENT HELP.";
        for reply in [Value::Map(Vec::new()), refusal(old), refusal(old)] {
            assert!(matches!(handshake.handle(reply), Ok(Next::Await)));
        }
        let Ok(Next::Ready(server)) = handshake.handle(Value::Simple(b"OK".to_vec())) else {
            panic!("what it does not know does no harm");
        };
        assert!(server.refuses_setinfo);
    }

    #[test]
    fn a_user_without_a_password_is_named_all_the_same() {
        let login = Login {
            user: Some("reader".to_owned()),
            protocol: Wanted::Resp3,
            ..Login::default()
        };
        let (_, bytes, _) = Handshake::start(login, Curiosity::default());
        assert_eq!(words(&bytes), ["HELLO", "3", "AUTH", "reader", ""]);
    }

    #[test]
    fn a_password_that_nobody_asked_for_is_a_wrong_one() {
        let login = Login {
            password: Some(seawall_model::Secret::from("secret".to_owned())),
            protocol: Wanted::Resp2,
            ..Login::default()
        };
        let (mut handshake, ..) = Handshake::start(login, Curiosity::default());
        let said =
            "ERR AUTH <password> called without any password configured for the default user.";
        let error = handshake.handle(refusal(said)).expect_err("it was refused");
        assert_eq!(error.cause, Cause::AuthFailed);
    }
}
