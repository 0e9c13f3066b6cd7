use std::collections::VecDeque;

use seawall_wire::scan::{FrameKind, RequestScan, RequestScanner, Scan, Scanner};
use seawall_wire::{Limits, request};

use super::rules::Verdict;

/// A frame larger than this ends the matching of replies on its connection.
const FRAME_BYTES_MAX: u64 = 64 << 20;

/// A reply that is to be cut is held until its end came, or this much of it.
const CUT_BYTES_MAX: usize = 1 << 20;

/// Buffers that grew beyond this are given back once they are empty.
const BUFFER_BYTES_KEPT: usize = 256 << 10;

/// Commands after which replies and requests no longer pair off one to one.
const UNPAIRED: [&str; 9] = [
    "SUBSCRIBE",
    "PSUBSCRIBE",
    "SSUBSCRIBE",
    "UNSUBSCRIBE",
    "PUNSUBSCRIBE",
    "SUNSUBSCRIBE",
    "MONITOR",
    "SYNC",
    "PSYNC",
];

/// What becomes of bytes that came from the server. Offsets count from the start of the bytes given.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ruling {
    /// All of them pass.
    Pass,
    /// The first `pass` of them pass, the others are held: a reply that is to be cut has not ended.
    Hold { pass: usize },
    /// The first `pass` of them pass; then came the reply to `command`, which is lost.
    Lose { pass: usize, command: String },
    /// The first `pass` of them pass, then `head`, which is half of a reply.
    Cut { pass: usize, head: Vec<u8> },
}

/// Follows one connection's requests and replies, and knows which reply belongs to which request.
///
/// Bytes that are no RESP, frames beyond 64 MiB, subscriptions, MONITOR and CLIENT REPLY end that: from then on all
/// bytes pass and nothing is judged.
#[derive(Debug)]
pub(super) struct Track {
    requests: RequestScanner,
    asking: Vec<u8>,
    /// Commands whose replies have not ended, oldest first.
    asked: VecDeque<String>,
    replies: Scanner,
    answering: Vec<u8>,
    sees: Sees,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sees {
    Frames,
    /// Frames, the one begun being held since it is to be cut.
    Cutting,
    Bytes,
}

impl Track {
    pub(super) fn new() -> Self {
        let limits = Limits {
            frame_bytes_max: FRAME_BYTES_MAX,
            ..Limits::default()
        };
        Self {
            requests: RequestScanner::new(limits),
            asking: Vec::new(),
            asked: VecDeque::new(),
            replies: Scanner::new(limits),
            answering: Vec::new(),
            sees: Sees::Frames,
        }
    }

    /// Bytes that the client sent.
    pub(super) fn sent(&mut self, bytes: &[u8]) {
        if self.sees == Sees::Bytes {
            return;
        }
        self.asking.extend_from_slice(bytes);
        let mut start = 0;
        loop {
            match self.requests.scan(&self.asking[start..]) {
                Ok(RequestScan::Complete { len, .. }) => {
                    match pairing(&self.asking[start..start + len]) {
                        Some(command) => self.asked.push_back(command),
                        None => return self.give_up(),
                    }
                    start += len;
                }
                Ok(RequestScan::Blank { len }) => start += len,
                Ok(RequestScan::Partial { .. }) => break,
                Err(_) => return self.give_up(),
            }
        }
        consume(&mut self.asking, start);
    }

    /// Bytes that the server sent; `judge` is asked once for each reply, when its first byte is there.
    pub(super) fn answered(
        &mut self,
        bytes: &[u8],
        mut judge: impl FnMut(&str) -> Verdict,
    ) -> Ruling {
        if self.sees == Sees::Bytes {
            return Ruling::Pass;
        }
        let known = self.answering.len();
        self.answering.extend_from_slice(bytes);
        let mut start = 0;
        let ruling = loop {
            let Some(&first) = self.answering.get(start) else {
                break Ruling::Pass;
            };
            let pass = start.saturating_sub(known);
            if start >= known
                && first != b'>'
                && let Some(command) = self.asked.front()
            {
                match judge(command) {
                    Verdict::Pass => {}
                    Verdict::Cut => self.sees = Sees::Cutting,
                    Verdict::Lose => {
                        break Ruling::Lose {
                            pass,
                            command: command.clone(),
                        };
                    }
                }
            }
            match self.replies.scan(&self.answering[start..]) {
                Ok(Scan::Complete { len, .. }) if self.sees == Sees::Cutting => {
                    break Ruling::Cut {
                        pass,
                        head: self.answering[start..start + len / 2].to_vec(),
                    };
                }
                Ok(Scan::Complete { len, kind }) => {
                    if kind != FrameKind::Push {
                        self.asked.pop_front();
                    }
                    start += len;
                }
                Ok(Scan::Partial { .. }) if self.sees == Sees::Cutting => {
                    let begun = &self.answering[start..];
                    if begun.len() > CUT_BYTES_MAX {
                        break Ruling::Cut {
                            pass,
                            head: begun[..begun.len() / 2].to_vec(),
                        };
                    }
                    break Ruling::Hold { pass };
                }
                Ok(Scan::Partial { .. }) => break Ruling::Pass,
                Err(_) => {
                    self.give_up();
                    return Ruling::Pass;
                }
            }
        };
        consume(&mut self.answering, start);
        ruling
    }

    /// The fault that wanted a reply cut is over: what was held of it.
    pub(super) fn release(&mut self) -> Vec<u8> {
        if self.sees != Sees::Cutting {
            return Vec::new();
        }
        self.sees = Sees::Frames;
        self.answering.clone()
    }

    fn give_up(&mut self) {
        self.sees = Sees::Bytes;
        self.asking = Vec::new();
        self.answering = Vec::new();
        self.asked = VecDeque::new();
    }
}

/// The command's name in upper case; none if its replies cannot be paired off.
fn pairing(frame: &[u8]) -> Option<String> {
    let args = request::args(frame).ok()?;
    let mut words = args
        .iter()
        .map(|word| String::from_utf8_lossy(word).to_ascii_uppercase());
    let name = words.next()?;
    let silences = name == "CLIENT" && words.next().is_some_and(|word| word == "REPLY");
    let spelt = name.bytes().all(|byte| byte.is_ascii_graphic());
    (spelt && !silences && !UNPAIRED.contains(&name.as_str())).then_some(name)
}

fn consume(buffer: &mut Vec<u8>, bytes: usize) {
    buffer.drain(..bytes);
    if buffer.is_empty() && buffer.capacity() > BUFFER_BYTES_KEPT {
        *buffer = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(wanted: &'static str, verdict: Verdict) -> impl FnMut(&str) -> Verdict {
        move |command| {
            if command == wanted {
                verdict
            } else {
                Verdict::Pass
            }
        }
    }

    fn asked(requests: &[u8]) -> Track {
        let mut track = Track::new();
        for byte in requests {
            track.sent(&[*byte]);
        }
        track
    }

    const GET_INCR_GET: &[u8] =
        b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*2\r\n$4\r\nincr\r\n$1\r\nn\r\nget k\r\n";

    #[test]
    fn the_reply_to_the_named_command_is_lost_and_those_before_it_pass() {
        let mut track = asked(GET_INCR_GET);
        let lost = Ruling::Lose {
            pass: 5,
            command: "INCR".into(),
        };
        assert_eq!(
            track.answered(b"$-1\r\n:1\r\n$-1\r\n", judge("INCR", Verdict::Lose)),
            lost
        );
    }

    #[test]
    fn a_reply_is_lost_at_its_first_byte_wherever_the_bytes_were_split() {
        let replies = b"$3\r\nabc\r\n:1\r\n";
        for split in 0..replies.len() {
            let mut track = asked(GET_INCR_GET);
            let mut passed = 0;
            for part in [&replies[..split], &replies[split..]] {
                match track.answered(part, judge("INCR", Verdict::Lose)) {
                    Ruling::Pass => passed += part.len(),
                    Ruling::Lose { pass, .. } => {
                        passed += pass;
                        break;
                    }
                    other => panic!("{other:?} at {split}"),
                }
            }
            assert_eq!(passed, 9, "split at {split}");
        }
    }

    #[test]
    fn half_of_a_reply_is_cut_off_wherever_the_bytes_were_split() {
        let replies = b"+OK\r\n:12345\r\n+OK\r\n";
        for split in 0..replies.len() {
            let mut track = asked(GET_INCR_GET);
            let mut passed = Vec::new();
            let mut ended = false;
            for part in [&replies[..split], &replies[split..]] {
                match track.answered(part, judge("INCR", Verdict::Cut)) {
                    Ruling::Pass => passed.extend_from_slice(part),
                    Ruling::Hold { pass } => passed.extend_from_slice(&part[..pass]),
                    Ruling::Cut { pass, head } => {
                        passed.extend_from_slice(&part[..pass]);
                        passed.extend_from_slice(&head);
                        ended = true;
                        break;
                    }
                    Ruling::Lose { .. } => panic!("nothing was to be lost"),
                }
            }
            assert!(ended, "split at {split}");
            assert_eq!(passed, b"+OK\r\n:123", "split at {split}");
        }
    }

    #[test]
    fn a_held_reply_is_given_back_when_its_fault_ends() {
        let mut track = asked(b"GET k\r\nGET k\r\n");
        assert_eq!(
            track.answered(b"$5\r\nab", judge("GET", Verdict::Cut)),
            Ruling::Hold { pass: 0 }
        );
        assert_eq!(track.release(), b"$5\r\nab");
        assert_eq!(
            track.answered(b"cde\r\n", judge("GET", Verdict::Cut)),
            Ruling::Pass
        );
        assert_eq!(
            track.answered(b"+", judge("GET", Verdict::Cut)),
            Ruling::Hold { pass: 0 }
        );
    }

    #[test]
    fn pushes_and_unasked_replies_belong_to_no_request() {
        let mut track = asked(b"INCR n\r\n");
        let lost = Ruling::Lose {
            pass: 14,
            command: "INCR".into(),
        };
        assert_eq!(
            track.answered(b">1\r\n$4\r\npush\r\n:1\r\n", judge("INCR", Verdict::Lose)),
            lost
        );
        let unasked = b"-ERR max number of clients reached\r\n";
        assert_eq!(
            Track::new().answered(unasked, |_| Verdict::Lose),
            Ruling::Pass
        );
    }

    #[test]
    fn what_is_no_resp_or_does_not_pair_off_passes_unjudged() {
        for requests in [
            &b"\x16\x03\x01*9\r\n"[..],
            b"*1\r\n:1\r\n",
            b"SUBSCRIBE a b\r\n",
            b"CLIENT REPLY OFF\r\n",
        ] {
            let mut track = asked(requests);
            track.sent(b"GET k\r\n");
            assert_eq!(
                track.answered(b"$-1\r\n", |_| Verdict::Lose),
                Ruling::Pass,
                "{requests:?}"
            );
        }
        let mut track = asked(b"GET k\r\nGET k\r\n");
        assert_eq!(
            track.answered(b"HTTP/1.1 400\r\n", |_| Verdict::Pass),
            Ruling::Pass
        );
        assert_eq!(track.answered(b"$-1\r\n", |_| Verdict::Lose), Ruling::Pass);
    }
}
