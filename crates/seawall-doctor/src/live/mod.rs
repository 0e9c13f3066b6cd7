//! A server that runs: one connection, a deadline, commands that only read.
//!
//! Each command is sent once, INFO twice. One that is refused is said, with what it leaves open: managed services block many
//! of them.

mod conversation;
mod questions;

use std::time::{Duration, Instant};

use seawall_model::{Security, Target};

use crate::facts::{Facts, Look, Reach};
use crate::rule::Need;
use crate::stamp::Stamp;
use conversation::Conversation;

/// So long lies between the two INFO of a look, if nothing else is asked for: whatever rises while one watches is seen to
/// rise, and the whole look takes less than a second.
pub const BETWEEN: Duration = Duration::from_millis(300);

/// The server speaks TLS, and the doctor does not yet.
#[derive(Debug, thiserror::Error)]
#[error("the doctor does not speak TLS yet, so that {0} cannot be looked at")]
pub struct Unspoken(String);

impl Unspoken {
    /// What to do instead.
    pub fn hint(&self) -> &'static str {
        "redis-cli --tls INFO > info.txt, then: seawall doctor info.txt"
    }
}

/// How a server is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// When.
    pub now: Stamp,
    /// How long its answers may take, together.
    pub within: Duration,
    /// How long lies between the two INFO.
    pub between: Duration,
}

/// Looks at a server, and is through by the end of `within`, whatever it does.
pub fn look(target: &Target, within: Duration, now: Stamp) -> Result<Facts, Unspoken> {
    let manner = Manner {
        now,
        within,
        // Who has little time wants answers first.
        between: BETWEEN.min(within / 4),
    };
    look_as(target, manner)
}

/// Looks at a server. It is through by the end of `within` and `between` together, whatever the server does.
pub fn look_as(target: &Target, manner: Manner) -> Result<Facts, Unspoken> {
    if target.security() == Security::Tls {
        return Err(Unspoken(target.endpoint().to_string()));
    }
    let began = Instant::now();
    let mut facts = Facts::default();
    facts.had.insert(Need::Server);
    let until = began + manner.within + manner.between;
    let name = target.endpoint().to_string();
    let mut look = Look::new(&name, Some(manner.now), Reach::Answered);
    match Conversation::begin(target.endpoint(), until) {
        Err(reach) => look.reach = reach,
        Ok(mut conversation) => {
            match conversation.log_in(target) {
                Err(reach) => look.reach = reach,
                Ok(()) => questions::ask_all(&mut conversation, &mut look, &mut facts, manner),
            }
            look.cost = conversation.cost();
        }
    }
    look.cost.lasted = began.elapsed();
    facts.looks.push(look);
    Ok(facts)
}
