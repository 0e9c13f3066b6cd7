//! A server that runs: one connection, a deadline, commands that only read.
//!
//! Each command is sent once, INFO twice. One that is refused is said, with what it leaves open: managed services block many
//! of them.

mod clients;
mod conversation;
mod dial;
mod login;
mod questions;
mod tls;
mod trust;

use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use seawall_model::{Endpoint, Security, Target};

use crate::facts::{Facts, Look, Loss, Reach, TlsTrouble};
use crate::rule::Need;
use crate::stamp::Stamp;
pub(crate) use conversation::Conversation;
use conversation::WORDLESS;
use trust::Plan;
pub use trust::Unset;

/// So long lies between the two INFO of a look, if nothing else is asked for: whatever rises while one watches is seen to
/// rise, and the whole look takes less than a second.
pub const BETWEEN: Duration = Duration::from_millis(300);

/// So long a process may take from closing its clients to closing its port.
const ENDS: Duration = Duration::from_millis(100);

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

/// A conversation with a server that has let us in, until then.
pub(crate) fn converse(
    target: &Target,
    until: Instant,
) -> Result<Result<Conversation, Reach>, Unset> {
    let plan = Plan::of(target)?;
    let begun = Conversation::begin(target.endpoint(), plan.as_ref(), until);
    Ok(begun.and_then(|mut conversation| conversation.log_in(target).map(|()| conversation)))
}

/// Looks at a server, and is through by the end of `within`, whatever it does.
pub fn look(target: &Target, within: Duration, now: Stamp) -> Result<Facts, Unset> {
    let manner = Manner {
        now,
        within,
        // Who has little time wants answers first.
        between: BETWEEN.min(within / 4),
    };
    look_as(target, manner)
}

/// Looks at a server. It is through by the end of `within` and `between` together, whatever the server does.
pub fn look_as(target: &Target, manner: Manner) -> Result<Facts, Unset> {
    look_with(target, manner, &[])
}

/// Looks at a server as [`look_as`], and asks it for the lengths of these queues (LLEN), twice.
pub fn look_with(target: &Target, manner: Manner, queues: &[String]) -> Result<Facts, Unset> {
    let plan = Plan::of(target)?;
    let began = Instant::now();
    let mut facts = Facts::default();
    facts.had.insert(Need::Server);
    let until = began + manner.within + manner.between;
    let name = target.endpoint().to_string();
    let mut look = Look::new(&name, Some(manner.now), Reach::Answered);
    match Conversation::begin(target.endpoint(), plan.as_ref(), until) {
        Err(reach) => look.reach = reach,
        Ok(mut conversation) => {
            if let Err(reach) = conversation.log_in(target) {
                look.reach = reach;
            } else {
                let asked = questions::Wanted {
                    manner,
                    queues,
                    user: target.user(),
                };
                questions::ask_all(&mut conversation, &mut look, &mut facts, asked);
            }
            look.address = conversation.peer().filter(|_| named(target));
            // Where nobody was let in, that says how.
            look.lost = conversation
                .lost()
                .filter(|_| look.reach == Reach::Answered)
                .cloned();
            let cost = conversation.cost();
            look.cost.commands = cost.commands;
            look.cost.waited = cost.waited;
        }
    }
    let wordless = matches!(&look.reach, Reach::TurnedAway(words) if words.starts_with(WORDLESS));
    if wordless
        && target.security() == Security::Plain
        && conversation::wants_tls(target.endpoint(), until)
    {
        look.reach = Reach::Tls(TlsTrouble::TlsPort);
    }
    look.cost.lasted = began.elapsed();
    let ended = matches!(&look.lost, Some(lost) if lost.how == Loss::Ended);
    if look.reach == Reach::Answered && ended {
        facts
            .looks
            .push(again(target, plan.as_ref(), manner, until));
    }
    facts.looks.push(look);
    Ok(facts)
}

/// Looks who answers now, where the server has ended the conversation: nobody, another process, or the same one.
fn again(target: &Target, plan: Option<&Plan>, manner: Manner, until: Instant) -> Look {
    // A process that ends closes its clients first, and its port last.
    thread::sleep(ENDS.min(until.saturating_duration_since(Instant::now()) / 2));
    let name = target.endpoint().to_string();
    let mut look = Look::new(&name, Some(manner.now), Reach::Answered);
    let begun = Conversation::begin(target.endpoint(), plan, until);
    match begun.and_then(|mut talk| talk.log_in(target).map(|()| talk)) {
        Err(reach) => look.reach = reach,
        Ok(mut talk) => {
            questions::info_alone(&mut talk, &mut look);
            look.cost = talk.cost().clone();
        }
    }
    look
}

/// Whether the server is asked by a name: what that stands for may change.
fn named(target: &Target) -> bool {
    match target.endpoint() {
        Endpoint::Tcp { host, .. } => host.parse::<IpAddr>().is_err() && &**host != "localhost",
        Endpoint::Unix { .. } => false,
    }
}
