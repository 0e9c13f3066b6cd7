//! A contender in Rust with the simplest client that there is: one socket a thread, no pool, no health, no causes
//! beyond what a socket says. It shows what a contender must do, and the lab's own tests plant defects in it:
//!
//! * `--resend` sends a call again after any failure, as many clients do: what ran twice must be found.
//! * `--mix-up` hands every hundredth pair of replies to each other's callers.
//! * `--forget` never answers every hundredth call.
//! * `--shift` keeps the connection of a call that is given up: the next call on it gets the reply that is still to come.
//! * `--storm` dials anew for each call.
//! * `--mute` subscribes anew after a lost connection, and says nothing of what it missed.

use seawall_lab::contender::serve::{Inbox, Outbox};
use seawall_lab::contender::{
    Ability, Answer, Call, Event, Failure, Gap, Message, Order, Refused, Reply, Request,
};
use seawall_model::{Cause, Sent};
use std::collections::{HashMap, HashSet};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// How the client was told to misbehave.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Habit {
    Honest,
    Resend,
    MixUp,
    Forget,
    Shift,
    Mute,
    Storm,
}

/// Attempts of a client that resends.
const ATTEMPTS: u32 = 3;
/// How often those misbehave that do it now and then.
const EVERY: u64 = 100;
/// How often a worker that waits for a reply looks whether its call was given up.
const LOOK: Duration = Duration::from_millis(1);

struct Worker {
    addr: String,
    habit: Habit,
    outbox: Outbox,
    given_up: GivenUp,
    dials: Arc<AtomicU64>,
    stream: Option<BufReader<TcpStream>>,
    /// A reply that is held back to be given to the next caller.
    held: Option<(u64, Reply)>,
}

/// The calls that were given up and have not ended yet.
#[derive(Clone, Default)]
struct GivenUp(Arc<Mutex<HashSet<u64>>>);

impl GivenUp {
    fn calls(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn main() -> io::Result<()> {
    let habit = match std::env::args().nth(1).as_deref() {
        Some("--resend") => Habit::Resend,
        Some("--mix-up") => Habit::MixUp,
        Some("--forget") => Habit::Forget,
        Some("--shift") => Habit::Shift,
        Some("--mute") => Habit::Mute,
        Some("--storm") => Habit::Storm,
        _ => Habit::Honest,
    };
    let mut inbox = Inbox::new(io::stdin().lock());
    let (outbox, writer) = Outbox::start(io::stdout());
    let Ok(Some(Order::Hello(settings))) = inbox.next_order() else {
        return Err(io::Error::other("no hello"));
    };
    let addr = settings
        .url
        .trim_start_matches("redis://")
        .trim_end_matches("/0")
        .to_owned();
    let (sender, receiver) = mpsc::channel::<(Instant, Call)>();
    let (receiver, dials) = (Arc::new(Mutex::new(receiver)), Arc::new(AtomicU64::new(0)));
    let given_up = GivenUp::default();
    for _ in 0..settings.workers {
        let worker = Worker {
            addr: addr.clone(),
            habit,
            outbox: outbox.clone(),
            given_up: given_up.clone(),
            dials: Arc::clone(&dials),
            stream: None,
            held: None,
        };
        let receiver = Arc::clone(&receiver);
        thread::spawn(move || worker.serve(&receiver));
    }
    outbox.say(&Answer::Ready {
        name: "naive".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        can: vec![Ability::Cancel, Ability::Subscribe],
    });
    let mut consumers = HashMap::new();
    while let Ok(Some(order)) = inbox.next_order() {
        match order {
            Order::Call(call) => drop(sender.send((Instant::now() + call.deadline, call))),
            Order::Hello(_) => {}
            Order::Cancel { id } => {
                given_up.calls().insert(id);
            }
            Order::Subscribe { id, channels } => {
                let (pauses, paused) = mpsc::channel();
                consumers.insert(id, pauses);
                let consumer = Consumer {
                    id,
                    channels,
                    addr: addr.clone(),
                    habit,
                    outbox: outbox.clone(),
                };
                thread::spawn(move || consumer.listen(&paused));
            }
            Order::Pause { id, span } => {
                // A consumer that has ended says so by its silence.
                let _ = consumers.get(&id).map(|pauses| pauses.send(span));
            }
            Order::Stop => {
                outbox.say(&Answer::Stats(vec![(
                    "dials".into(),
                    dials.load(Ordering::Relaxed),
                )]));
                outbox.say(&Answer::Bye);
                break;
            }
        }
    }
    writer.finish()
}

impl Worker {
    fn serve(mut self, calls: &Mutex<mpsc::Receiver<(Instant, Call)>>) {
        loop {
            let next = calls.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok((deadline, call)) = next else { return };
            if self.habit == Habit::Forget && call.id.is_multiple_of(EVERY) {
                continue;
            }
            let outcome = self.run(&call, deadline);
            self.given_up.calls().remove(&call.id);
            match outcome {
                Ok(Reply::Error(message)) => {
                    self.outbox.say(&Answer::Fail {
                        id: call.id,
                        failure: refusal(&message),
                    });
                }
                Ok(reply) => self.answer(call.id, reply),
                Err(failure) => self.outbox.say(&Answer::Fail {
                    id: call.id,
                    failure,
                }),
            }
        }
    }

    fn answer(&mut self, id: u64, reply: Reply) {
        if let Some((other, theirs)) = self.held.take() {
            self.outbox.say(&Answer::Ok { id: other, reply });
            self.outbox.say(&Answer::Ok { id, reply: theirs });
        } else if self.habit == Habit::MixUp && id.is_multiple_of(EVERY) {
            self.held = Some((id, reply));
        } else {
            self.outbox.say(&Answer::Ok { id, reply });
        }
    }

    fn run(&mut self, call: &Call, deadline: Instant) -> Result<Reply, Failure> {
        let attempts_max = if self.habit == Habit::Resend {
            ATTEMPTS
        } else {
            1
        };
        let mut sent = Sent::No;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let error = match self.attempt(call, deadline, &mut sent) {
                Ok(Some(reply)) => return Ok(reply),
                Ok(None) => {
                    return Err(Failure {
                        sent,
                        cause: Some(Cause::Cancelled),
                        refused: Refused::No,
                        attempts,
                        message: "given up".to_owned(),
                    });
                }
                Err(error) => error,
            };
            let cause = cause_of(&error);
            if self.stream.take().is_some() {
                self.outbox.say(&Answer::Event(Event::Lost { cause }));
            }
            if attempts == attempts_max || Instant::now() >= deadline {
                let message = error.to_string();
                return Err(Failure {
                    sent,
                    cause,
                    refused: Refused::No,
                    attempts,
                    message,
                });
            }
        }
    }

    /// `None` if the call was given up.
    fn attempt(
        &mut self,
        call: &Call,
        deadline: Instant,
        sent: &mut Sent,
    ) -> io::Result<Option<Reply>> {
        let left = || match deadline.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(io::Error::from(ErrorKind::TimedOut)),
            left => Ok(left),
        };
        left()?;
        if self.given_up.calls().contains(&call.id) {
            return Ok(None);
        }
        let stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.dial()?,
        };
        let (frame, replies) = frame_of(&call.request);
        *sent = Sent::Perhaps;
        // From here on the connection is lost with whatever goes wrong: what it owes belongs to nobody else.
        let stream = self.stream.insert(stream);
        stream.get_mut().write_all(&frame)?;
        stream.get_ref().set_read_timeout(Some(LOOK))?;
        while let Err(error) = stream.get_ref().peek(&mut [0]) {
            if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) {
                return Err(error);
            }
            left()?;
            if self.given_up.calls().contains(&call.id) {
                if self.habit != Habit::Shift {
                    // Closed: the reply that is still to come belongs to nobody.
                    self.stream = None;
                }
                return Ok(None);
            }
        }
        stream.get_ref().set_read_timeout(Some(left()?))?;
        let mut read = (0..replies)
            .map(|_| read_reply(stream))
            .collect::<io::Result<Vec<_>>>()?;
        if self.habit == Habit::Storm {
            self.stream = None;
        }
        Ok(Some(match &call.request {
            Request::Pipeline(_) => Reply::Array(read),
            _ => read.pop().unwrap_or(Reply::Nil),
        }))
    }

    fn dial(&self) -> io::Result<BufReader<TcpStream>> {
        self.dials.fetch_add(1, Ordering::Relaxed);
        dial(&self.addr)
    }
}

fn dial(addr: &str) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(addr)?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

/// A subscription. Whoever publishes faster than it reads is held back by nothing: the server closes it in the end.
struct Consumer {
    id: u64,
    channels: Vec<Vec<u8>>,
    addr: String,
    habit: Habit,
    outbox: Outbox,
}

impl Consumer {
    fn listen(&self, paused: &mpsc::Receiver<Duration>) {
        let mut subscribed = false;
        loop {
            let lost = match self.subscribe() {
                Ok(mut stream) => {
                    if !subscribed {
                        subscribed = true;
                        self.outbox.say(&Answer::Subscribed { id: self.id });
                    }
                    self.read(&mut stream, paused)
                }
                Err(error) => {
                    thread::sleep(Duration::from_millis(20));
                    error
                }
            };
            if self.habit != Habit::Mute {
                let cause = cause_of(&lost);
                let gap = Gap {
                    dropped: None,
                    cause,
                };
                self.outbox.say(&Answer::Gap { id: self.id, gap });
            }
        }
    }

    fn subscribe(&self) -> io::Result<BufReader<TcpStream>> {
        let mut stream = dial(&self.addr)?;
        let mut words = vec![b"SUBSCRIBE".to_vec()];
        words.extend(self.channels.iter().cloned());
        let mut frame = Vec::new();
        command(&mut frame, &words);
        stream.get_mut().write_all(&frame)?;
        for _ in &self.channels {
            read_parts(&mut stream)?;
        }
        Ok(stream)
    }

    /// Reads until the connection is lost.
    fn read(
        &self,
        stream: &mut BufReader<TcpStream>,
        paused: &mpsc::Receiver<Duration>,
    ) -> io::Error {
        loop {
            if let Ok(span) = paused.try_recv() {
                thread::sleep(span);
            }
            match read_parts(stream).as_deref() {
                Ok([_, channel, payload]) => self.outbox.say(&Answer::Message {
                    id: self.id,
                    message: Message::of(channel, payload),
                }),
                Ok(_) => return io::Error::from(ErrorKind::InvalidData),
                Err(error) => return io::Error::from(error.kind()),
            }
        }
    }
}

/// One array of bulk strings and numbers, as its bytes.
fn read_parts(stream: &mut BufReader<TcpStream>) -> io::Result<Vec<Vec<u8>>> {
    let mut line = String::new();
    let mut next = |stream: &mut BufReader<TcpStream>| {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Err(io::Error::from(ErrorKind::UnexpectedEof));
        }
        let rest = line.get(1..).unwrap_or_default().trim_end();
        Ok((line.starts_with('$'), rest.parse::<usize>().unwrap_or(0)))
    };
    let (_, count) = next(stream)?;
    let mut parts = Vec::new();
    for _ in 0..count {
        let (is_bulk, number) = next(stream)?;
        if !is_bulk {
            parts.push(number.to_string().into_bytes());
            continue;
        }
        let mut bytes = vec![0; number + 2];
        stream.read_exact(&mut bytes)?;
        bytes.truncate(number);
        parts.push(bytes);
    }
    Ok(parts)
}

/// The bytes of a request, and how many replies it gets.
fn frame_of(request: &Request) -> (Vec<u8>, usize) {
    let mut frame = Vec::new();
    match request {
        Request::Command(words) => {
            command(&mut frame, words);
            (frame, 1)
        }
        Request::Pipeline(parts) => {
            for words in parts {
                command(&mut frame, words);
            }
            (frame, parts.len())
        }
        Request::Transaction(parts) => {
            command(&mut frame, &[b"MULTI".to_vec()]);
            for words in parts {
                command(&mut frame, words);
            }
            command(&mut frame, &[b"EXEC".to_vec()]);
            (frame, parts.len() + 2)
        }
    }
}

fn command(frame: &mut Vec<u8>, words: &[Vec<u8>]) {
    frame.extend(format!("*{}\r\n", words.len()).bytes());
    for word in words {
        frame.extend(format!("${}\r\n", word.len()).bytes());
        frame.extend_from_slice(word);
        frame.extend_from_slice(b"\r\n");
    }
}

fn read_reply(stream: &mut BufReader<TcpStream>) -> io::Result<Reply> {
    let mut line = Vec::new();
    if stream.read_until(b'\n', &mut line)? == 0 {
        return Err(io::Error::from(ErrorKind::UnexpectedEof));
    }
    let text = String::from_utf8_lossy(
        line.get(1..line.len().saturating_sub(2))
            .unwrap_or_default(),
    )
    .into_owned();
    let number = || text.parse::<i64>().map_err(io::Error::other);
    match line.first() {
        Some(b'+') => Ok(Reply::Simple(text.into_bytes())),
        Some(b'-') => Ok(Reply::Error(text.into_bytes())),
        Some(b':') => Ok(Reply::Int(number()?)),
        Some(b'$' | b'*') if number()? < 0 => Ok(Reply::Nil),
        Some(b'*') => (0..number()?)
            .map(|_| read_reply(stream))
            .collect::<io::Result<_>>()
            .map(Reply::Array),
        Some(b'$') => {
            let length = usize::try_from(number()?).map_err(io::Error::other)?;
            let mut bytes = vec![0; length + 2];
            stream.read_exact(&mut bytes)?;
            Ok(Reply::bulk(&bytes[..length]))
        }
        _ => Err(io::Error::from(ErrorKind::InvalidData)),
    }
}

/// The server's own error: whatever it was, the command did not run.
fn refusal(message: &[u8]) -> Failure {
    let message = String::from_utf8_lossy(message).into_owned();
    let cause = match message.split(' ').next() {
        Some("LOADING") => Cause::Loading,
        Some("MISCONF") => Cause::SaveFailed,
        Some("NOAUTH") => Cause::AuthRequired,
        Some("ERR") if message.starts_with("ERR max number of clients") => Cause::MaxClients,
        _ => Cause::CommandError,
    };
    Failure {
        sent: Sent::No,
        cause: Some(cause),
        refused: Refused::No,
        attempts: 1,
        message,
    }
}

fn cause_of(error: &io::Error) -> Option<Cause> {
    match error.kind() {
        ErrorKind::ConnectionRefused => Some(Cause::ConnectionRefused),
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Some(Cause::ConnectionReset),
        ErrorKind::UnexpectedEof => Some(Cause::ClosedByServer),
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Some(Cause::ReplyTimeout),
        _ => None,
    }
}
