use super::percent::{decode, encode_into};
use super::{Malformed, fields, number, split_once};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What the lab tells a contender: one line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// `hello 1 <json>`: the first line. The contender answers `ready`.
    Hello(Settings),
    /// `call <id> <deadline_ms> cmd|tx|pipe <argument>..`: run this. The contender answers `ok` or `fail`.
    Call(Call),
    /// `cancel <id>`: give this call up where it is, as a caller does who no longer wants its answer. The contender
    /// answers `fail` with `cause=cancelled`, unless the call has ended already. Only to who [can](super::Ability).
    Cancel {
        /// The call's id.
        id: u64,
    },
    /// `subscribe <id> <channel>..`: subscribe, answer `subscribed`, and tell each message and each gap from then on. Only
    /// to who [can](super::Ability).
    Subscribe {
        /// Names the subscription in all that is told of it.
        id: u64,
        /// The channels.
        channels: Vec<Vec<u8>>,
    },
    /// `pause <id> <ms>`: the subscription's consumer is busy with something else, and takes no message for so long.
    Pause {
        /// The subscription's id.
        id: u64,
        /// For how long.
        span: Duration,
    },
    /// `stop`: no more calls will come. The contender answers `stats` and `bye`, and exits.
    Stop,
}

/// The JSON object of the `hello` line. A contender must ignore members that it does not know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Where the server is, as a Redis URL; credentials included where the scenario has any.
    pub url: String,
    /// The deadline that most calls carry, in milliseconds: for clients that set it once.
    pub deadline_ms: u64,
    /// How many calls a blocking contender runs at a time: its threads.
    pub workers: u32,
    /// The scenario's name, for messages.
    #[serde(default)]
    pub scenario: String,
    /// The run's seed, for contenders that draw random numbers.
    #[serde(default)]
    pub seed: u64,
}

/// One call to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Names it in the answer. Given once in a run, in rising order.
    pub id: u64,
    /// How long it may take, counted from when the contender reads the line, waiting for a worker included.
    pub deadline: Duration,
    /// What to run.
    pub request: Request,
}

/// One command: its name, then its arguments.
pub type Words = Vec<Vec<u8>>;

/// What a call runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// `cmd`: one command.
    Command(Words),
    /// `tx`: commands between MULTI and EXEC, a lone `|` between them. The reply is EXEC's array.
    Transaction(Vec<Words>),
    /// `pipe`: commands in one pipeline. The reply is an array of theirs.
    Pipeline(Vec<Words>),
}

impl Order {
    /// Appends the line, its line feed included.
    pub fn format_into(&self, line: &mut Vec<u8>) {
        match self {
            Self::Hello(settings) => {
                line.extend(b"hello 1 ");
                // A struct of strings and numbers always has a JSON form.
                line.extend(serde_json::to_vec(settings).unwrap_or_default());
            }
            Self::Call(call) => call.format_into(line),
            Self::Cancel { id } => line.extend(format!("cancel {id}").bytes()),
            Self::Subscribe { id, channels } => {
                line.extend(format!("subscribe {id}").bytes());
                for channel in channels {
                    line.push(b' ');
                    encode_into(line, channel);
                }
            }
            Self::Pause { id, span } => {
                line.extend(format!("pause {id} {}", span.as_millis()).bytes());
            }
            Self::Stop => line.extend(b"stop"),
        }
        line.push(b'\n');
    }

    /// Reads one line, without its line feed.
    ///
    /// # Errors
    /// An unknown first word, a `hello` of another version, a missing or superfluous field, a bad escape.
    pub fn parse(line: &[u8]) -> Result<Self, Malformed> {
        let (word, rest) = split_once(line, b' ').unwrap_or((line, b""));
        match word {
            b"call" => Call::parse(rest).map(Self::Call),
            b"cancel" => Ok(Self::Cancel {
                id: number(Some(rest), "call id")?,
            }),
            b"subscribe" => subscribe(rest),
            b"pause" => {
                let (id, ms) = split_once(rest, b' ').ok_or(Malformed::Missing("time in ms"))?;
                Ok(Self::Pause {
                    id: number(Some(id), "subscription id")?,
                    span: Duration::from_millis(number(Some(ms), "time in ms")?),
                })
            }
            b"stop" if rest.is_empty() => Ok(Self::Stop),
            b"hello" => match split_once(rest, b' ') {
                Some((b"1", json)) => serde_json::from_slice(json)
                    .map(Self::Hello)
                    .map_err(|error| Malformed::Json(error.to_string())),
                _ => Err(Malformed::Version { wanted: 1 }),
            },
            _ => Err(Malformed::word(word)),
        }
    }
}

fn subscribe(rest: &[u8]) -> Result<Order, Malformed> {
    let (id, channels) = split_once(rest, b' ').ok_or(Malformed::Missing("channel"))?;
    Ok(Order::Subscribe {
        id: number(Some(id), "subscription id")?,
        channels: fields(channels).map(decode).collect::<Result<_, _>>()?,
    })
}

impl Call {
    fn format_into(&self, line: &mut Vec<u8>) {
        let (kind, parts) = match &self.request {
            Request::Command(words) => ("cmd", std::slice::from_ref(words)),
            Request::Transaction(parts) => ("tx", parts.as_slice()),
            Request::Pipeline(parts) => ("pipe", parts.as_slice()),
        };
        line.extend(format!("call {} {} {kind}", self.id, self.deadline.as_millis()).bytes());
        for (index, words) in parts.iter().enumerate() {
            if index > 0 {
                line.extend(b" |");
            }
            for word in words {
                line.push(b' ');
                encode_into(line, word);
            }
        }
    }

    fn parse(rest: &[u8]) -> Result<Self, Malformed> {
        let mut fields = fields(rest);
        let id = number(fields.next(), "call id")?;
        let deadline = Duration::from_millis(number(fields.next(), "deadline in ms")?);
        let kind = fields.next().ok_or(Malformed::Missing("cmd, tx or pipe"))?;
        let mut parts = vec![Words::new()];
        for field in fields {
            match (field, parts.last_mut()) {
                (b"|", _) => parts.push(Words::new()),
                (word, Some(words)) => words.push(decode(word)?),
                (_, None) => return Err(Malformed::Missing("command name")),
            }
        }
        if parts.iter().any(Vec::is_empty) {
            return Err(Malformed::Missing("command name"));
        }
        let request = match kind {
            b"cmd" if parts.len() == 1 => Request::Command(parts.swap_remove(0)),
            b"tx" => Request::Transaction(parts),
            b"pipe" => Request::Pipeline(parts),
            other => return Err(Malformed::word(other)),
        };
        Ok(Self {
            id,
            deadline,
            request,
        })
    }
}

impl Request {
    /// A single command from its words.
    pub fn command<W: AsRef<[u8]>>(words: impl IntoIterator<Item = W>) -> Self {
        Self::Command(
            words
                .into_iter()
                .map(|word| word.as_ref().to_vec())
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(order: &Order) -> String {
        let mut line = Vec::new();
        order.format_into(&mut line);
        String::from_utf8(line).unwrap()
    }

    fn words(text: &str) -> Words {
        text.split(' ')
            .map(|word| word.as_bytes().to_vec())
            .collect()
    }

    #[test]
    fn a_transaction_is_one_line_with_bars_between_its_commands() {
        let call = Call {
            id: 7,
            deadline: Duration::from_millis(250),
            request: Request::Transaction(vec![
                words("INCR a"),
                vec![b"SET".to_vec(), b"b".to_vec(), b"x |".to_vec()],
            ]),
        };
        let line = written(&Order::Call(call.clone()));
        assert_eq!(line, "call 7 250 tx INCR a | SET b x%20%7C\n");
        assert_eq!(
            Order::parse(line.trim_end_matches('\n').as_bytes()),
            Ok(Order::Call(call))
        );
    }

    #[test]
    fn an_empty_argument_is_an_empty_field() {
        let call = Call {
            id: 1,
            deadline: Duration::from_secs(1),
            request: Request::command([&b"SET"[..], b"k", b""]),
        };
        assert_eq!(written(&Order::Call(call)), "call 1 1000 cmd SET k \n");
        let Ok(Order::Call(call)) = Order::parse(b"call 1 1000 cmd SET k ") else {
            panic!("no call")
        };
        assert_eq!(call.request, Request::command([&b"SET"[..], b"k", b""]));
    }

    #[test]
    fn unknown_members_of_the_settings_are_ignored_and_another_version_is_not() {
        let hello = br#"hello 1 {"url":"redis://h:1","deadline_ms":1000,"workers":4,"new":true}"#;
        let Ok(Order::Hello(settings)) = Order::parse(hello) else {
            panic!("no hello")
        };
        assert_eq!(
            (settings.url.as_str(), settings.workers),
            ("redis://h:1", 4)
        );
        assert_eq!(
            Order::parse(b"hello 2 {}"),
            Err(Malformed::Version { wanted: 1 })
        );
    }

    #[test]
    fn what_is_asked_beside_calls_comes_back() {
        for (order, line) in [
            (Order::Cancel { id: 7 }, "cancel 7\n"),
            (
                Order::Subscribe {
                    id: 0,
                    channels: vec![b"news".to_vec(), b"a b".to_vec()],
                },
                "subscribe 0 news a%20b\n",
            ),
            (
                Order::Pause {
                    id: 0,
                    span: Duration::from_millis(1500),
                },
                "pause 0 1500\n",
            ),
        ] {
            assert_eq!(written(&order), line);
            assert_eq!(Order::parse(line.trim_end().as_bytes()), Ok(order));
        }
    }

    #[test]
    fn lines_with_missing_or_superfluous_parts_are_refused() {
        for line in [
            "call",
            "call x 1 cmd GET",
            "call 1 1 cmd",
            "call 1 1 tx GET a |",
            "call 1 1 cmd GET a | GET b",
            "call 1 1 eval x",
            "stop now",
            "cancel",
            "cancel 1 2",
            "subscribe 1",
            "pause 1",
            "pause 1 soon",
            "go",
            "",
        ] {
            assert!(Order::parse(line.as_bytes()).is_err(), "{line}");
        }
    }

    proptest! {
        #[test]
        fn every_call_comes_back(
            id: u64,
            deadline_ms in 0..100_000_u64,
            parts in proptest::collection::vec(
                proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..12), 1..5), 1..4),
            shape in 0..3,
        ) {
            let request = match shape {
                0 => Request::Command(parts[0].clone()),
                1 => Request::Transaction(parts),
                _ => Request::Pipeline(parts),
            };
            // A command named by the empty string cannot be told from a missing one, and no server has it.
            let order = Order::Call(Call { id, deadline: Duration::from_millis(deadline_ms), request });
            let line = written(&order);
            prop_assert_eq!(line.bytes().filter(|&b| b == b'\n').count(), 1);
            prop_assert_eq!(Order::parse(line.trim_end_matches('\n').as_bytes()), Ok(order));
        }
    }
}
