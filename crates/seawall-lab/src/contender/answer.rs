use super::percent::{decode, decode_text, encode_into};
use super::{Malformed, Reply, fields, number, split_once};
use seawall_model::{Cause, Sent};
use std::time::Duration;

/// What a contender tells the lab: one line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `ready <name> <version> [<ability>..]`: calls may come. It need not have connected.
    Ready {
        /// The client under test.
        name: String,
        /// Its version.
        version: String,
        /// What it can be asked beside calls. Words that nobody knows are for later versions, and skipped.
        can: Vec<Ability>,
    },
    /// `ok <id> <reply>`: the call was answered.
    Ok {
        /// The call's id.
        id: u64,
        /// What it returned.
        reply: Reply,
    },
    /// `fail <id> <key>=<value>..`: the call ended without a reply.
    Fail {
        /// The call's id.
        id: u64,
        /// How it failed.
        failure: Failure,
    },
    /// `event <kind> <key>=<value>..`: something that the client noticed.
    Event(Event),
    /// `subscribed <id>`: the subscription stands. What is published from now on is delivered, or told as lost.
    Subscribed {
        /// The subscription's id.
        id: u64,
    },
    /// `message <id> <channel> <length> <head>`: the consumer was given a message.
    Message {
        /// The subscription's id.
        id: u64,
        /// The message, as far as it is told.
        message: Message,
    },
    /// `gap <id> [dropped=<n>] [cause=<cause>]`: the consumer was told that messages were lost between the one before and
    /// the next.
    Gap {
        /// The subscription's id.
        id: u64,
        /// What it was told.
        gap: Gap,
    },
    /// `stats <key>=<number>..`: the client's own counts, before `bye`.
    Stats(Vec<(String, u64)>),
    /// `bye`: the last line.
    Bye,
}

/// What a contender can be asked beside calls. Scenarios that need what it cannot leave it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ability {
    /// `cancel`: a call under way can be given up.
    Cancel,
    /// `subscribe`: subscriptions, with `pause` for their consumers.
    Subscribe,
}

/// A published message, as a contender tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The channel it came by.
    pub channel: Vec<u8>,
    /// The payload's length in bytes.
    pub bytes: u64,
    /// The payload's first [`HEAD_BYTES_MAX`](Self::HEAD_BYTES_MAX) bytes: the lab's messages say in them which they are.
    pub head: Vec<u8>,
}

/// What a subscriber was told of lost messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// `dropped`: how many, from a client that knows.
    pub dropped: Option<u64>,
    /// `cause`: why, from a client that names a cause.
    pub cause: Option<Cause>,
}

/// How a call failed, in the contender's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// `sent`: whether it may have run. A client that does not know must say `perhaps`.
    pub sent: Sent,
    /// `cause`: a name of [`Cause`], or `-` from a client that names none.
    pub cause: Option<Cause>,
    /// `refused`: whether it was answered at once by the client's policy for an outage.
    pub refused: Refused,
    /// `attempts`: how often it was tried; 0 if it never left the queue.
    pub attempts: u32,
    /// `msg`: the error as the application sees it.
    pub message: String,
}

/// Whether a failed call was turned away by policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refused {
    /// It was tried, or waited for its turn.
    No,
    /// The client knew of an outage and said so at once, without sending anything.
    Yes,
}

/// Something that a client noticed apart from any call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// `outage-start cause=..`: the client declared the server down.
    OutageStart {
        /// Why.
        cause: Option<Cause>,
    },
    /// `outage-end cause=.. lasted_ms=.. restarted=yes|no`: the server answers again.
    OutageEnd {
        /// Why it was down, as it is known by now.
        cause: Option<Cause>,
        /// How long, by the client's account.
        lasted: Option<Duration>,
        /// Whether another server process answers than before.
        restarted: Restarted,
    },
    /// `lost cause=..`: one connection ended.
    Lost {
        /// Why.
        cause: Option<Cause>,
    },
    /// Any other kind (`gap`, ..): kept by name, counted, and otherwise left alone.
    Other {
        /// Its kind.
        kind: String,
    },
}

/// What a client says of the server's process after an outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Restarted {
    /// The same process answers.
    No,
    /// Another one does.
    Yes,
    /// The client did not say.
    Unsaid,
}

impl Answer {
    /// Appends the line, its line feed included.
    pub fn format_into(&self, line: &mut Vec<u8>) {
        match self {
            Self::Ready { name, version, can } => {
                line.extend(b"ready ");
                encode_into(line, name.as_bytes());
                line.push(b' ');
                encode_into(line, version.as_bytes());
                for ability in can {
                    line.push(b' ');
                    line.extend(ability.name().bytes());
                }
            }
            Self::Ok { id, reply } => {
                line.extend(format!("ok {id} ").bytes());
                reply.format_into(line);
            }
            Self::Fail { id, failure } => failure.format_into(*id, line),
            Self::Event(event) => event.format_into(line),
            Self::Subscribed { id } => line.extend(format!("subscribed {id}").bytes()),
            Self::Message { id, message } => message.format_into(*id, line),
            Self::Gap { id, gap } => gap.format_into(*id, line),
            Self::Stats(counts) => {
                line.extend(b"stats");
                for (key, count) in counts {
                    line.push(b' ');
                    encode_into(line, key.as_bytes());
                    line.extend(format!("={count}").bytes());
                }
            }
            Self::Bye => line.extend(b"bye"),
        }
        line.push(b'\n');
    }

    /// Reads one line, without its line feed.
    ///
    /// # Errors
    /// An unknown first word or cause, a missing field, a bad escape.
    pub fn parse(line: &[u8]) -> Result<Self, Malformed> {
        let (word, rest) = split_once(line, b' ').unwrap_or((line, b""));
        match word {
            b"ok" => {
                let (id, reply) = split_once(rest, b' ').ok_or(Malformed::Missing("reply"))?;
                Ok(Self::Ok {
                    id: number(Some(id), "call id")?,
                    reply: Reply::parse(reply)?,
                })
            }
            b"fail" => {
                let (id, rest) = split_once(rest, b' ').ok_or(Malformed::Missing("sent"))?;
                Ok(Self::Fail {
                    id: number(Some(id), "call id")?,
                    failure: Failure::parse(rest)?,
                })
            }
            b"event" => Event::parse(rest).map(Self::Event),
            b"message" => {
                let (id, rest) = split_once(rest, b' ').ok_or(Malformed::Missing("channel"))?;
                Ok(Self::Message {
                    id: number(Some(id), "subscription id")?,
                    message: Message::parse(rest)?,
                })
            }
            b"gap" => {
                let (id, rest) = split_once(rest, b' ').unwrap_or((rest, b""));
                Ok(Self::Gap {
                    id: number(Some(id), "subscription id")?,
                    gap: Gap::parse(rest)?,
                })
            }
            b"subscribed" => Ok(Self::Subscribed {
                id: number(Some(rest), "subscription id")?,
            }),
            b"stats" => pairs(rest)
                .map(|pair| {
                    pair.and_then(|(key, value)| {
                        Ok((decode_text(key)?, number(Some(value), "count")?))
                    })
                })
                .collect::<Result<_, _>>()
                .map(Self::Stats),
            b"bye" => Ok(Self::Bye),
            b"ready" => {
                let mut fields = fields(rest);
                let mut text = |name| decode_text(fields.next().ok_or(Malformed::Missing(name))?);
                Ok(Self::Ready {
                    name: text("name")?,
                    version: text("version")?,
                    can: fields.filter_map(Ability::from_name).collect(),
                })
            }
            _ => Err(Malformed::word(word)),
        }
    }
}

impl Ability {
    /// The word for it in `ready`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Subscribe => "subscribe",
        }
    }

    fn from_name(name: &[u8]) -> Option<Self> {
        [Self::Cancel, Self::Subscribe]
            .into_iter()
            .find(|ability| ability.name().as_bytes() == name)
    }
}

impl Message {
    /// How much of a payload is told.
    pub const HEAD_BYTES_MAX: usize = 64;

    /// A message as it is told.
    pub fn of(channel: &[u8], payload: &[u8]) -> Self {
        Self {
            channel: channel.to_vec(),
            bytes: payload.len() as u64,
            head: payload[..payload.len().min(Self::HEAD_BYTES_MAX)].to_vec(),
        }
    }

    fn format_into(&self, id: u64, line: &mut Vec<u8>) {
        line.extend(format!("message {id} ").bytes());
        encode_into(line, &self.channel);
        line.extend(format!(" {} ", self.bytes).bytes());
        encode_into(line, &self.head);
    }

    fn parse(rest: &[u8]) -> Result<Self, Malformed> {
        let mut fields = fields(rest);
        let channel = decode(fields.next().ok_or(Malformed::Missing("channel"))?)?;
        let bytes = number(fields.next(), "length")?;
        let head = decode(fields.next().ok_or(Malformed::Missing("head"))?)?;
        match fields.next() {
            None => Ok(Self {
                channel,
                bytes,
                head,
            }),
            Some(more) => Err(Malformed::word(more)),
        }
    }
}

impl Gap {
    fn format_into(self, id: u64, line: &mut Vec<u8>) {
        line.extend(format!("gap {id}").bytes());
        if let Some(dropped) = self.dropped {
            line.extend(format!(" dropped={dropped}").bytes());
        }
        line.extend(format!(" cause={}", cause_name(self.cause)).bytes());
    }

    fn parse(rest: &[u8]) -> Result<Self, Malformed> {
        let mut gap = Self {
            dropped: None,
            cause: None,
        };
        for pair in pairs(rest) {
            match pair? {
                (b"dropped", count) => gap.dropped = Some(number(Some(count), "dropped")?),
                (b"cause", name) => gap.cause = parse_cause(name)?,
                _ => {}
            }
        }
        Ok(gap)
    }
}

impl Failure {
    fn format_into(&self, id: u64, line: &mut Vec<u8>) {
        let sent = match self.sent {
            Sent::No => "no",
            Sent::Perhaps => "perhaps",
        };
        let refused = match self.refused {
            Refused::No => "no",
            Refused::Yes => "yes",
        };
        let cause = cause_name(self.cause);
        let attempts = self.attempts;
        line.extend(
            format!(
                "fail {id} sent={sent} cause={cause} refused={refused} attempts={attempts} msg="
            )
            .bytes(),
        );
        encode_into(line, self.message.as_bytes());
    }

    fn parse(rest: &[u8]) -> Result<Self, Malformed> {
        let mut sent = None;
        let mut failure = Self {
            sent: Sent::Perhaps,
            cause: None,
            refused: Refused::No,
            attempts: 1,
            message: String::new(),
        };
        for pair in pairs(rest) {
            match pair? {
                (b"sent", b"no") => sent = Some(Sent::No),
                (b"sent", b"perhaps") => sent = Some(Sent::Perhaps),
                (b"sent", other) => return Err(Malformed::word(other)),
                (b"cause", name) => failure.cause = parse_cause(name)?,
                (b"refused", answer) => {
                    failure.refused = if yes(answer)? {
                        Refused::Yes
                    } else {
                        Refused::No
                    }
                }
                (b"attempts", count) => failure.attempts = number(Some(count), "attempts")?,
                (b"msg", text) => failure.message = decode_text(text)?,
                _ => {}
            }
        }
        failure.sent = sent.ok_or(Malformed::Missing("sent"))?;
        Ok(failure)
    }
}

impl Event {
    fn format_into(&self, line: &mut Vec<u8>) {
        line.extend(b"event ");
        match self {
            Self::OutageStart { cause } => {
                line.extend(format!("outage-start cause={}", cause_name(*cause)).bytes());
            }
            Self::Lost { cause } => {
                line.extend(format!("lost cause={}", cause_name(*cause)).bytes());
            }
            Self::OutageEnd {
                cause,
                lasted,
                restarted,
            } => {
                line.extend(format!("outage-end cause={}", cause_name(*cause)).bytes());
                if let Some(lasted) = lasted {
                    line.extend(format!(" lasted_ms={}", lasted.as_millis()).bytes());
                }
                match restarted {
                    Restarted::Yes => line.extend(b" restarted=yes"),
                    Restarted::No => line.extend(b" restarted=no"),
                    Restarted::Unsaid => {}
                }
            }
            Self::Other { kind } => encode_into(line, kind.as_bytes()),
        }
    }

    fn parse(rest: &[u8]) -> Result<Self, Malformed> {
        let (kind, rest) = split_once(rest, b' ').unwrap_or((rest, b""));
        let mut cause = None;
        let mut lasted = None;
        let mut restarted = Restarted::Unsaid;
        for pair in pairs(rest) {
            match pair? {
                (b"cause", name) => cause = parse_cause(name)?,
                (b"lasted_ms", ms) => {
                    lasted = Some(Duration::from_millis(number(Some(ms), "lasted_ms")?));
                }
                (b"restarted", answer) => {
                    restarted = if yes(answer)? {
                        Restarted::Yes
                    } else {
                        Restarted::No
                    }
                }
                _ => {}
            }
        }
        match kind {
            b"outage-start" => Ok(Self::OutageStart { cause }),
            b"outage-end" => Ok(Self::OutageEnd {
                cause,
                lasted,
                restarted,
            }),
            b"lost" => Ok(Self::Lost { cause }),
            b"" => Err(Malformed::Missing("kind of event")),
            other => decode_text(other).map(|kind| Self::Other { kind }),
        }
    }
}

/// The `key=value` fields of a line, in any order. Keys that nobody knows are for later versions, and skipped.
fn pairs(rest: &[u8]) -> impl Iterator<Item = Result<(&[u8], &[u8]), Malformed>> {
    fields(rest)
        .filter(|field| !field.is_empty())
        .map(|field| split_once(field, b'=').ok_or_else(|| Malformed::word(field)))
}

fn yes(answer: &[u8]) -> Result<bool, Malformed> {
    match answer {
        b"yes" => Ok(true),
        b"no" => Ok(false),
        other => Err(Malformed::word(other)),
    }
}

fn cause_name(cause: Option<Cause>) -> &'static str {
    cause.map_or("-", Cause::name)
}

/// An unknown name is refused, not skipped: a typing error would otherwise pass for a client that names no cause.
fn parse_cause(name: &[u8]) -> Result<Option<Cause>, Malformed> {
    if name == b"-" {
        return Ok(None);
    }
    let cause = std::str::from_utf8(name).ok().and_then(Cause::from_name);
    cause
        .map(Some)
        .ok_or_else(|| Malformed::Cause(String::from_utf8_lossy(name).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(answer: &Answer) -> String {
        let mut line = Vec::new();
        answer.format_into(&mut line);
        String::from_utf8(line).unwrap()
    }

    fn read_back(answer: &Answer) -> Result<Answer, Malformed> {
        Answer::parse(written(answer).trim_end_matches('\n').as_bytes())
    }

    #[test]
    fn a_failure_says_whether_it_may_have_run_and_why() {
        let line = "fail 9 sent=no cause=connection-refused refused=yes attempts=0 msg=redis%20is%20down\n";
        let answer = Answer::parse(line.trim_end().as_bytes()).unwrap();
        assert_eq!(written(&answer), line);
        let Answer::Fail { id: 9, failure } = answer else {
            panic!("no failure")
        };
        assert_eq!((failure.sent, failure.refused), (Sent::No, Refused::Yes));
        assert_eq!(failure.cause, Some(Cause::ConnectionRefused));
    }

    #[test]
    fn keys_come_in_any_order_and_unknown_ones_are_skipped() {
        let answer = Answer::parse(b"fail 1 msg=x later=1 sent=perhaps").unwrap();
        let Answer::Fail { failure, .. } = answer else {
            panic!("no failure")
        };
        assert_eq!(
            (failure.attempts, failure.cause, failure.message.as_str()),
            (1, None, "x")
        );
    }

    #[test]
    fn a_failure_must_say_whether_it_was_sent_and_may_not_invent_a_cause() {
        assert_eq!(
            Answer::parse(b"fail 1 cause=-"),
            Err(Malformed::Missing("sent"))
        );
        assert_eq!(
            Answer::parse(b"fail 1 sent=no cause=gremlins"),
            Err(Malformed::Cause("gremlins".into()))
        );
        assert!(Answer::parse(b"fail 1 sent=maybe").is_err());
    }

    #[test]
    fn events_stats_and_greetings_come_back() {
        let answers = [
            Answer::Ready {
                name: "redis-py".into(),
                version: "8.1.0 (sync)".into(),
                can: vec![],
            },
            Answer::Ready {
                name: "redis-py".into(),
                version: "8.1.0".into(),
                can: vec![Ability::Cancel, Ability::Subscribe],
            },
            Answer::Subscribed { id: 1 },
            Answer::Message {
                id: 1,
                message: Message::of(b"news 1", &[b'x'; 200]),
            },
            Answer::Message {
                id: 1,
                message: Message::of(b"", b""),
            },
            Answer::Gap {
                id: 1,
                gap: Gap {
                    dropped: Some(17),
                    cause: Some(Cause::SubscriberSlow),
                },
            },
            Answer::Gap {
                id: 1,
                gap: Gap {
                    dropped: None,
                    cause: None,
                },
            },
            Answer::Event(Event::OutageStart {
                cause: Some(Cause::Loading),
            }),
            Answer::Event(Event::OutageEnd {
                cause: Some(Cause::ConnectionRefused),
                lasted: Some(Duration::from_millis(311)),
                restarted: Restarted::Yes,
            }),
            Answer::Event(Event::OutageEnd {
                cause: None,
                lasted: None,
                restarted: Restarted::Unsaid,
            }),
            Answer::Event(Event::Lost {
                cause: Some(Cause::IdleReset),
            }),
            Answer::Event(Event::Other { kind: "gap".into() }),
            Answer::Stats(vec![("dials".into(), 12), ("retries".into(), 0)]),
            Answer::Stats(vec![]),
            Answer::Bye,
        ];
        for answer in answers {
            assert_eq!(
                read_back(&answer),
                Ok(answer.clone()),
                "{}",
                written(&answer)
            );
        }
    }

    #[test]
    fn an_ability_of_a_later_version_is_skipped_and_a_gap_may_say_nothing_more() {
        assert_eq!(
            Answer::parse(b"ready x 1 fly subscribe"),
            Ok(Answer::Ready {
                name: "x".into(),
                version: "1".into(),
                can: vec![Ability::Subscribe],
            })
        );
        let gap = Gap {
            dropped: None,
            cause: None,
        };
        assert_eq!(Answer::parse(b"gap 3"), Ok(Answer::Gap { id: 3, gap }));
    }

    proptest! {
        #[test]
        fn every_failure_comes_back(
            id: u64, attempts: u32, message in ".*", sent_no: bool, refused: bool, cause in 0..=Cause::ALL.len(),
        ) {
            let failure = Failure {
                sent: if sent_no { Sent::No } else { Sent::Perhaps },
                cause: Cause::ALL.get(cause).copied(),
                refused: if refused { Refused::Yes } else { Refused::No },
                attempts,
                message,
            };
            let answer = Answer::Fail { id, failure };
            prop_assert_eq!(read_back(&answer), Ok(answer));
        }

        #[test]
        fn no_line_makes_the_parser_panic(line in "(ok|fail|event|message|gap|subscribed|stats|ready|bye)? ?[ -~]{0,60}") {
            let _ = Answer::parse(line.as_bytes());
        }
    }
}
