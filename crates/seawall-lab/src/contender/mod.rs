//! The line protocol between the lab and a contender: a child process that stands for one client library.
//!
//! The lab drives and judges; a contender only makes the calls that it is told to make, in whatever language and with
//! whatever client it likes. Both sides write lines of ASCII that end in a line feed, the lab to the contender's
//! standard input, the contender to its standard output (standard error is free, and shown if the contender dies).
//! `docs/contenders.md` tells the same with a worked example; this module is what the lab itself reads and writes.
//!
//! ```text
//! lab         hello 1 {"url":"redis://127.0.0.1:7001","deadline_ms":1000,"workers":32,"scenario":"restart","seed":1}
//! contender   ready redis-py 8.1.0 cancel subscribe
//! lab         call 1 1000 cmd GET user:1
//! lab         call 2 1000 tx INCR a | SET b x%20y
//! contender   ok 1 str:ada
//! contender   fail 2 sent=perhaps cause=connection-reset refused=no attempts=1 msg=reset
//! contender   event lost cause=connection-reset
//! lab         cancel 3
//! contender   fail 3 sent=perhaps cause=cancelled refused=no attempts=1 msg=given%20up
//! lab         stop
//! contender   stats dials=3 retries=1
//! contender   bye
//! ```
//!
//! The load is an open loop: calls come when they are due, whether or not earlier ones were answered, and answers may
//! come in any order. Every call is answered once. A deadline counts from when the contender reads the line; the lab
//! itself measures from when the call was due, so that nothing a contender does to its own queue goes unseen.
//!
//! Fields are separated by single spaces; an empty field is an empty argument. Within a field, a byte that is no
//! printable ASCII, and each of space `%` `|` `,` `[` `]`, is written `%XX`. [`Order`] is what the lab says, [`Answer`]
//! what a contender says, and [`serve`] what a contender in Rust needs besides its client. At the end of its standard
//! input a contender exits, so that none outlives the lab.

mod answer;
pub(crate) mod child;
mod order;
mod percent;
mod reply;
pub mod serve;

pub use answer::{Ability, Answer, Event, Failure, Gap, Message, Refused, Restarted};
pub use order::{Call, Order, Request, Settings, Words};
pub use percent::{decode, encode_into};
pub use reply::{Reply, fnv64};

/// A line that is not part of the protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The line, or a field with few choices, holds none of the words it may hold.
    #[error("unknown word `{0}`")]
    Word(String),
    /// A field that must be there is not.
    #[error("missing {0}")]
    Missing(&'static str),
    /// A field that must be a number is none, or does not fit.
    #[error("{0} is no number that fits")]
    Number(&'static str),
    /// An escape that is none, or a byte that must be escaped.
    #[error("bad percent coding at byte {at} of a field")]
    Percent {
        /// Offset in the field.
        at: usize,
    },
    /// A reply of no known form.
    #[error("a reply of no known form, at byte {at}")]
    Reply {
        /// Offset in the reply.
        at: usize,
    },
    /// A cause that is not among those of [`seawall_model::Cause`].
    #[error("unknown cause `{0}` (say `-` if the client names none)")]
    Cause(String),
    /// The settings are no JSON object of the right members.
    #[error("bad settings: {0}")]
    Json(String),
    /// The greeting is of another version of the protocol.
    #[error("only version {wanted} of the protocol is spoken here")]
    Version {
        /// The one that is spoken.
        wanted: u32,
    },
}

impl Malformed {
    fn word(word: &[u8]) -> Self {
        Self::Word(String::from_utf8_lossy(&word[..word.len().min(40)]).into_owned())
    }
}

fn split_once(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|&byte| byte == separator)?;
    Some((&text[..at], &text[at + 1..]))
}

fn fields(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b' ')
}

fn number<N: std::str::FromStr>(field: Option<&[u8]>, name: &'static str) -> Result<N, Malformed> {
    let field = field.ok_or(Malformed::Missing(name))?;
    std::str::from_utf8(field)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(Malformed::Number(name))
}
