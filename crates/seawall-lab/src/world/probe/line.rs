use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use rustix::event::{PollFd, PollFlags};
use seawall_model::Moment;
use socket2::{Domain, SockRef, Socket, Type};

use super::Question;
use crate::world::timeline::Serving;

/// One connection of the probe. Nothing here blocks.
#[derive(Debug)]
pub(super) struct Line {
    stream: TcpStream,
    question: &'static [u8],
    stage: Stage,
    /// When the stage began.
    since: Moment,
    unread: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Dialling,
    Idle,
    /// This many replies are owed; the last one answers the question.
    Asked {
        owed: usize,
    },
}

/// What a line has to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    None,
    Answer(Serving),
    /// It was refused, reset or closed.
    Gone,
}

impl Line {
    pub(super) fn dial(addr: SocketAddr, question: Question, now: Moment) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        match socket.connect(&addr.into()) {
            Err(error)
                if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) =>
            {
                Err(error)
            }
            _ => Ok(Self {
                stream: socket.into(),
                question: question.command(),
                stage: Stage::Dialling,
                since: now,
                unread: Vec::new(),
            }),
        }
    }

    pub(super) fn is_dialling(&self) -> bool {
        self.stage == Stage::Dialling
    }

    pub(super) fn is_idle(&self) -> bool {
        self.stage == Stage::Idle
    }

    pub(super) fn since(&self) -> Moment {
        self.since
    }

    pub(super) fn poll_fd(&self) -> PollFd<'_> {
        let flags = if self.is_dialling() {
            PollFlags::OUT
        } else {
            PollFlags::IN
        };
        PollFd::new(&self.stream, flags)
    }

    /// Sends the question.
    pub(super) fn ask(&mut self, now: Moment) -> News {
        self.send(self.question, 1, now)
    }

    fn send(&mut self, bytes: &[u8], replies: usize, now: Moment) -> News {
        self.stage = Stage::Asked { owed: replies };
        self.since = now;
        // A few bytes on a connection that owes nothing: the kernel takes all of them or none.
        match (&self.stream).write(bytes) {
            Ok(length) if length == bytes.len() => News::None,
            _ => News::Gone,
        }
    }

    /// Looks what has happened. `greeting` goes before the first question; it gets one reply if it is not empty.
    pub(super) fn look(&mut self, greeting: &[u8], now: Moment) -> News {
        if self.is_dialling() {
            return match (self.stream.take_error(), self.stream.peer_addr()) {
                (Ok(None), Ok(_)) => self.send(
                    &[greeting, self.question].concat(),
                    1 + usize::from(!greeting.is_empty()),
                    now,
                ),
                (Ok(None), Err(error)) if error.kind() == io::ErrorKind::NotConnected => News::None,
                _ => News::Gone,
            };
        }
        let mut bytes = [0; 1024];
        match (&self.stream).read(&mut bytes) {
            Ok(0) => News::Gone,
            Ok(length) => {
                self.unread.extend_from_slice(&bytes[..length]);
                self.take_replies(now)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => News::None,
            Err(_) => News::Gone,
        }
    }

    fn take_replies(&mut self, now: Moment) -> News {
        let mut news = News::None;
        while let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
            let reply: Vec<u8> = self.unread.drain(..=end).collect();
            match self.stage {
                Stage::Asked { owed: 1 } => {
                    self.stage = Stage::Idle;
                    self.since = now;
                    news = News::Answer(judge(&reply));
                }
                Stage::Asked { owed } => self.stage = Stage::Asked { owed: owed - 1 },
                // An answer to nothing: whatever it is, it is not the server that was greeted.
                Stage::Idle | Stage::Dialling => return News::Gone,
            }
        }
        news
    }

    /// Leaves without a word, so that nothing unread runs later.
    pub(super) fn abandon(self) {
        // Fails for a socket that is gone already.
        let _ = SockRef::from(&self.stream).set_linger(Some(std::time::Duration::ZERO));
    }
}

/// What a reply says of the server. Whatever is no refusal is a good answer.
fn judge(reply: &[u8]) -> Serving {
    let text = String::from_utf8_lossy(reply);
    if text.starts_with("-ERR max number of clients") {
        return Serving::Nothing;
    }
    match text.split_whitespace().next().unwrap_or_default() {
        "-LOADING" | "-BUSY" | "-MASTERDOWN" | "-CLUSTERDOWN" | "-NOAUTH" | "-WRONGPASS"
        | "-NOPERM" | "-DENIED" => Serving::Nothing,
        "-MISCONF" | "-READONLY" | "-NOREPLICAS" | "-OOM" => Serving::ReadsOnly,
        word if word.starts_with(['+', '-', ':']) => Serving::All,
        _ => Serving::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_judged_by_its_whole_first_word() {
        for (reply, serving) in [
            ("+PONG\r\n", Serving::All),
            ("-ERR unknown command\r\n", Serving::All),
            (
                "-LOADING Redis is loading the dataset in memory\r\n",
                Serving::Nothing,
            ),
            ("-BUSY Redis is busy running a script\r\n", Serving::Nothing),
            ("-BUSYGROUP no\r\n", Serving::All),
            ("-ERR max number of clients reached\r\n", Serving::Nothing),
            ("-NOAUTH Authentication required.\r\n", Serving::Nothing),
            (
                "-MISCONF Redis is configured to save RDB snapshots\r\n",
                Serving::ReadsOnly,
            ),
            ("HTTP/1.1 400 Bad Request\r\n", Serving::Nothing),
        ] {
            assert_eq!(judge(reply.as_bytes()), serving, "{reply}");
        }
    }
}
