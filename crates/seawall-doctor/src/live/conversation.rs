//! One connection to a server, and nothing more than one question at a time.

use std::collections::BTreeMap;
use std::io;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use seawall_model::{Endpoint, Target};
use seawall_wire::error::{ErrorKind, ServerError};
use seawall_wire::scan::{Scan, Scanner};
use seawall_wire::{Foreign, Limits, Value, encode, sniff_foreign};

use super::dial::{Socket, Wire, open};
use super::login::Login;
use super::tls::{self, TlsWire, Unsecured};
use super::trust::Plan;
use crate::facts::{Cost, Loss, Lost, NO_PASSWORD_SET, Reach, TlsTrouble};

/// So long a server is listened to before it is asked: what it says unasked it says at once.
const UNASKED: Duration = Duration::from_millis(30);

/// What is told of a server that closed, and said nothing.
pub(super) const WORDLESS: &str = "closed without a word";

/// CLIENT LIST of 100,000 clients is 40 MB; more is no answer to these questions.
const REPLY_BYTES_MAX: u64 = 64 * 1024 * 1024;

fn limits() -> Limits {
    Limits {
        frame_bytes_max: REPLY_BYTES_MAX,
        ..Limits::default()
    }
}

/// One connection, and nothing more than one question at a time.
pub(crate) struct Conversation {
    stream: Box<dyn Wire>,
    unread: Vec<u8>,
    until: Instant,
    /// A question was left without its answer: the next one would be given it.
    over: bool,
    /// With what it ended, if it did: the question, and what became of it.
    lost: Option<Lost>,
    cost: Cost,
    asked: Asked,
}

/// How often each command was asked, with its subcommand where it has any: never with an argument.
pub(super) type Asked = BTreeMap<(String, Option<String>), u64>;

/// Commands whose first argument is a subcommand.
const CONTAINERS: &[&str] = &[
    "ACL", "CLIENT", "CLUSTER", "CONFIG", "LATENCY", "MEMORY", "SENTINEL", "SLOWLOG",
];

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error("refused ({})", .0.kind.word())]
    Refused(ServerError),
    #[error("not answered in time")]
    Silent,
    #[error("the connection ended: {0}")]
    Ended(io::ErrorKind),
    #[error("not asked: the connection was lost before")]
    Over,
    #[error("answered with what is no answer ({0})")]
    Foreign(String),
    #[error("{0}")]
    Tls(TlsTrouble),
}

impl Conversation {
    /// Connects. With a plan TLS is spoken.
    pub(super) fn begin(
        endpoint: &Endpoint,
        plan: Option<&Plan>,
        until: Instant,
    ) -> Result<Self, Reach> {
        let stream: Box<dyn Wire> = match (open(endpoint.clone(), until)?, plan) {
            (Socket::Tcp(stream), Some(plan)) => Box::new(secure(endpoint, stream, plan, until)?),
            (Socket::Tcp(stream), None) => Box::new(stream),
            (Socket::Unix(stream), _) => Box::new(stream),
        };
        let mut conversation = Self {
            stream,
            unread: Vec::new(),
            until,
            over: false,
            lost: None,
            cost: Cost::default(),
            asked: Asked::new(),
        };
        conversation.listen()?;
        Ok(conversation)
    }

    /// A server that lets nobody in says so unasked, and a request sent to it would have it reset instead.
    fn listen(&mut self) -> Result<(), Reach> {
        let error = |error: io::Error| turned_away(ended(&error));
        self.stream.wait(UNASKED).map_err(error)?;
        let mut chunk = [0; 2 * 1024];
        match self.stream.read(&mut chunk) {
            Ok(0) => Err(turned_away(Trouble::Ended(io::ErrorKind::UnexpectedEof))),
            Ok(count) => {
                self.unread.extend_from_slice(&chunk[..count]);
                match self.answer() {
                    Err(trouble) => Err(turned_away(trouble)),
                    Ok(_) => Err(Reach::NotRedis(
                        "it speaks before it is spoken to".to_owned(),
                    )),
                }
            }
            Err(silent)
                if matches!(
                    silent.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                ) =>
            {
                Ok(())
            }
            Err(failed) => Err(error(failed)),
        }
    }

    pub(super) fn log_in(&mut self, target: &Target) -> Result<(), Reach> {
        let own = Login::of(target);
        if let Some(login) = &own {
            self.log_in_as(login)?;
        }
        let mut answer = self.ask(&["PING"]);
        if own.is_none()
            && matches!(&answer, Err(Trouble::Refused(error)) if error.kind == ErrorKind::NoAuth)
            && let Some(login) = Login::around(target, |name| std::env::var(name).ok())
        {
            self.log_in_as(&login)?;
            answer = self.ask(&["PING"]);
        }
        match answer {
            Err(Trouble::Refused(error)) if lets_in(&error.kind) => {}
            answer => drop(answer.map_err(turned_away)?),
        }
        // Servers before 2.6.9 and some managed ones refuse it, which harms nothing.
        let _ = self.ask(&["CLIENT", "SETNAME", "seawall-doctor"]);
        Ok(())
    }

    fn log_in_as(&mut self, login: &Login) -> Result<(), Reach> {
        let mut words = vec!["AUTH"];
        words.extend(login.user.as_deref());
        words.push(login.password.reveal());
        self.ask(&words).map_err(turned_away).map(drop)
    }

    /// The address that answers.
    pub(super) fn peer(&self) -> Option<String> {
        self.stream.peer().map(|peer| peer.to_string())
    }

    /// What it cost so far.
    pub(super) fn cost(&self) -> &Cost {
        &self.cost
    }

    /// What it was asked so far.
    pub(super) fn asked(&self) -> &Asked {
        &self.asked
    }

    pub(crate) fn ask(&mut self, words: &[&str]) -> Result<Value, Trouble> {
        let mut answers = self.ask_several(&[words]);
        answers.pop().unwrap_or(Err(Trouble::Over))
    }

    /// Asks several questions in one go. Where no more answers come, the last one says why.
    pub(super) fn ask_several(&mut self, questions: &[&[&str]]) -> Vec<Result<Value, Trouble>> {
        if self.over {
            return vec![Err(Trouble::Over)];
        }
        let mut request = Vec::new();
        for words in questions {
            encode::command(&mut request, *words);
            *self.asked.entry(named(words)).or_default() += 1;
        }
        self.cost.commands += questions.len() as u64;
        let began = Instant::now();
        let mut answers = Vec::new();
        if let Err(trouble) = self.send(&request) {
            self.lose(questions[0], &trouble, began);
            answers.push(Err(trouble));
        }
        while !self.over && answers.len() < questions.len() {
            let answer = self.answer();
            if let Err(trouble) = &answer
                && !matches!(trouble, Trouble::Refused(_))
            {
                self.lose(questions[answers.len()], trouble, began);
            }
            answers.push(answer);
        }
        self.cost.waited += began.elapsed();
        answers
    }

    /// Waits, and listens meanwhile: a server that goes is not waited for.
    pub(super) fn rest(&mut self, span: Duration) {
        let began = Instant::now();
        let mut chunk = [0; 4 * 1024];
        while !self.over {
            let left = span.saturating_sub(began.elapsed());
            if left.is_zero() {
                return;
            }
            let came = self
                .stream
                .wait(left)
                .and_then(|()| self.stream.read(&mut chunk));
            match came {
                Ok(0) => {
                    let ended = Trouble::Ended(io::ErrorKind::UnexpectedEof);
                    self.lose(&[], &ended, began);
                }
                Ok(_) => {
                    let unasked = Trouble::Foreign("it speaks unasked".to_owned());
                    self.lose(&[], &unasked, began);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => match ended(&error) {
                    Trouble::Silent => return,
                    trouble => self.lose(&[], &trouble, began),
                },
            }
        }
    }

    /// The question that has no answer is the last one.
    fn lose(&mut self, question: &[&str], trouble: &Trouble, since: Instant) {
        self.over = true;
        let (command, sub) = named(question);
        let asked = match sub {
            _ if command.is_empty() => "nothing".to_owned(),
            Some(sub) => format!("{command} {sub}").to_ascii_uppercase(),
            None => command.to_ascii_uppercase(),
        };
        let how = match trouble {
            Trouble::Silent if self.unread.is_empty() => Loss::Silent,
            Trouble::Silent => Loss::Slow,
            Trouble::Ended(_) => Loss::Ended,
            _ => Loss::Foreign(trouble.to_string()),
        };
        let after = since.elapsed();
        self.lost = Some(Lost { asked, how, after });
    }

    /// With what the conversation ended before its end.
    pub(super) fn lost(&self) -> Option<&Lost> {
        self.lost.as_ref()
    }

    fn send(&mut self, request: &[u8]) -> Result<(), Trouble> {
        self.wait()?;
        self.stream
            .write_all(request)
            .map_err(|error| ended(&error))
    }

    fn answer(&mut self) -> Result<Value, Trouble> {
        let limits = limits();
        let mut scanner = Scanner::new(limits);
        loop {
            match scanner.scan(&self.unread) {
                Ok(Scan::Complete { len, .. }) => {
                    let frame: Vec<u8> = self.unread.drain(..len).collect();
                    let (value, _) = Value::decode(&frame, &limits)
                        .map_err(|error| Trouble::Foreign(error.to_string()))?;
                    match value {
                        Value::Error(error) => return Err(Trouble::Refused(error)),
                        // Nobody asked for it, and no answer is one.
                        Value::Push(_) => {
                            scanner = Scanner::new(limits);
                            if Instant::now() >= self.until {
                                return Err(Trouble::Silent);
                            }
                            continue;
                        }
                        value => return Ok(value),
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    let foreign = sniff_foreign(&self.unread);
                    if foreign == Some(Foreign::Tls) {
                        return Err(Trouble::Tls(TlsTrouble::TlsPort));
                    }
                    let what =
                        foreign.map_or_else(|| error.to_string(), |foreign| foreign.to_string());
                    return Err(Trouble::Foreign(what));
                }
            }
            self.wait()?;
            let mut chunk = [0; 16 * 1024];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(Trouble::Ended(io::ErrorKind::UnexpectedEof)),
                Ok(count) => self.unread.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ended(&error)),
            }
        }
    }

    fn wait(&mut self) -> Result<(), Trouble> {
        let rest = self.until.saturating_duration_since(Instant::now());
        if rest.is_zero() {
            return Err(Trouble::Silent);
        }
        self.stream.wait(rest).map_err(|error| ended(&error))
    }
}

/// A command by the name under which servers count it.
fn named(words: &[&str]) -> (String, Option<String>) {
    let command = words.first().copied().unwrap_or_default();
    let sub = words.get(1).filter(|_| CONTAINERS.contains(&command));
    let name = |word: &&str| word.to_ascii_lowercase();
    (name(&command), sub.map(name))
}

fn ended(error: &io::Error) -> Trouble {
    if let Some(trouble) = tls::trouble(error) {
        return Trouble::Tls(trouble);
    }
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Trouble::Silent,
        kind => Trouble::Ended(kind),
    }
}

/// Whether who is refused so is let in: INFO is answered all the same, and tells why.
fn lets_in(kind: &ErrorKind) -> bool {
    use ErrorKind::{Loading, MasterDown, Misconf, NoPerm};
    matches!(kind, Loading | MasterDown | Misconf | NoPerm)
}

fn turned_away(trouble: Trouble) -> Reach {
    match trouble {
        // Only the words that Redis itself writes for these: a message may quote arguments.
        Trouble::Refused(error) if error.message.contains("max number of clients") => {
            Reach::TurnedAway("max number of clients reached".to_owned())
        }
        Trouble::Refused(error) if needs_no_password(&error) => {
            Reach::TurnedAway(NO_PASSWORD_SET.to_owned())
        }
        Trouble::Refused(error) => Reach::TurnedAway(error.kind.word().to_owned()),
        Trouble::Silent | Trouble::Over => Reach::Silent { connected: true },
        Trouble::Ended(kind) => Reach::TurnedAway(format!("{WORDLESS} ({kind})")),
        Trouble::Foreign(what) => Reach::NotRedis(what),
        Trouble::Tls(trouble) => Reach::Tls(trouble),
    }
}

/// What AUTH is answered where there is no password. Protected mode's refusal has the same words, and begins with DENIED.
fn needs_no_password(error: &ServerError) -> bool {
    let asked = error.message.contains("without any password configured")
        || error.message.contains("Client sent AUTH");
    error.kind == ErrorKind::Err && asked
}

/// Agrees on TLS. A port of Redis's that speaks none waits for the rest of a line, and says nothing: it is asked without.
fn secure(
    endpoint: &Endpoint,
    stream: TcpStream,
    plan: &Plan,
    until: Instant,
) -> Result<TlsWire, Reach> {
    let half = until.saturating_duration_since(Instant::now()) / 2;
    match TlsWire::secure(stream, plan, Instant::now() + half) {
        Ok(wire) => Ok(wire),
        Err(Unsecured::Failed(reach)) => Err(reach),
        Err(Unsecured::Silent) if speaks_plain(endpoint, until) => {
            Err(Reach::Tls(TlsTrouble::PlainPort))
        }
        Err(Unsecured::Silent) => Err(Reach::Silent { connected: true }),
    }
}

/// Whether it answers without TLS.
fn speaks_plain(endpoint: &Endpoint, until: Instant) -> bool {
    match Conversation::begin(endpoint, None, until) {
        Ok(mut plain) => matches!(plain.ask(&["PING"]), Ok(_) | Err(Trouble::Refused(_))),
        Err(Reach::TurnedAway(words)) => !words.starts_with(WORDLESS),
        Err(_) => false,
    }
}

/// Whether what closes without a word closes so because it wants TLS.
pub(super) fn wants_tls(endpoint: &Endpoint, until: Instant) -> bool {
    match (open(endpoint.clone(), until), endpoint.host()) {
        (Ok(Socket::Tcp(stream)), Some(host)) => tls::speaks_tls(stream, host, until),
        _ => false,
    }
}
