//! Changes of a live server's settings: the one place where the doctor writes, and only what it was told to.
//!
//! A [`Change`] is read out of the command that a rule advises, so that what a program does and what a person reads cannot
//! differ. [`Hand`] is a connection that reads a setting, sets it and reads it back; [`record`] remembers the old value before
//! anything is changed, so that [`undo`] can take it back.

mod change;
mod guard;
mod hand;
mod known;
pub mod record;

use crate::stamp::Stamp;

pub use change::Change;
pub use hand::{Hand, Trouble};
pub use known::{Known, known};
use record::{Cabinet, Record, State};

/// Why a setting was not changed, or not changed back.
#[derive(Debug, thiserror::Error)]
pub enum Unmended {
    /// It would do harm.
    #[error("{0}")]
    Harm(String),
    /// The record of the old value could not be kept: nothing was changed.
    #[error("the old value could not be recorded, so nothing was changed: {0}")]
    Record(#[from] record::Trouble),
    /// The server.
    #[error(transparent)]
    Server(#[from] Trouble),
    /// The server took it, and tells another value.
    #[error("{setting} was set to {to} and is now {now}: the server did not keep it")]
    NotKept {
        /// The setting.
        setting: String,
        /// What was wanted.
        to: String,
        /// What it is.
        now: String,
    },
    /// Somebody else has changed it since.
    #[error(
        "{setting} is {now}, and was set to {set} by this change: somebody else has changed it since"
    )]
    ChangedSince {
        /// The setting.
        setting: String,
        /// What this change made of it.
        set: String,
        /// What it is.
        now: String,
    },
    /// It was taken back before.
    #[error("change {0} is taken back already")]
    Undone(String),
    /// The server at that address is another one.
    #[error("{0} is not the server that was changed: {1}")]
    Another(String, String),
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mended {
    /// It is in force.
    Changed {
        /// The record's name, for undoing it.
        id: String,
        /// What the setting is now.
        now: String,
    },
    /// It was so before.
    AlreadySo,
}

/// What a setting is, and why it may not be changed in that way, if so.
pub fn examine(hand: &mut Hand, change: &Change) -> Result<(String, Option<String>), Trouble> {
    let old = hand.read(change)?;
    let facts = hand.info()?;
    Ok((old.clone(), guard::harm(change, &old, &facts)))
}

/// Records the old value, sets the new one, and reads it back.
pub fn apply(
    hand: &mut Hand,
    change: &Change,
    cabinet: &Cabinet,
    now: Stamp,
) -> Result<Mended, Unmended> {
    let (old, harm) = examine(hand, change)?;
    if change.is_so(&old) {
        return Ok(Mended::AlreadySo);
    }
    if let Some(harm) = harm {
        return Err(Unmended::Harm(harm));
    }
    let run_id = hand.run_id()?;
    let mut record = Record::new(hand.server(), run_id, change, &old, now);
    cabinet.keep(&mut record)?;
    if let Err(trouble) = hand.set(change) {
        record.state = State::Refused;
        // What was not changed needs no record; that it says so is a courtesy.
        let _ = cabinet.update(&record);
        return Err(trouble.into());
    }
    let told = hand.read(change)?;
    record.set = Some(told.clone());
    record.state = State::Applied;
    // The change is in force, and the record that began it is enough to take it back.
    let _ = cabinet.update(&record);
    if !change.is_so(&told) {
        return Err(Unmended::NotKept {
            setting: change.label(),
            to: change.to.clone(),
            now: told,
        });
    }
    Ok(Mended::Changed {
        id: record.id,
        now: told,
    })
}

/// Takes a change back, unless somebody else has changed the setting since. What it is then.
pub fn undo(hand: &mut Hand, record: &mut Record, cabinet: &Cabinet) -> Result<String, Unmended> {
    if record.state == State::Undone {
        return Err(Unmended::Undone(record.id.clone()));
    }
    let change = record.change().ok_or_else(|| {
        Unmended::Harm(format!(
            "{} is no setting that the doctor changes",
            record.setting
        ))
    })?;
    if hand.server() != record.server && hand.run_id()? != record.run_id {
        return Err(Unmended::Another(
            hand.server().to_owned(),
            format!("that was {}", record.server),
        ));
    }
    let now = hand.read(&change)?;
    let back = Change {
        to: record.old.clone(),
        ..change.clone()
    };
    if !back.is_so(&now) {
        let set = record.set.clone().unwrap_or_else(|| record.to.clone());
        let ours = Change {
            to: set.clone(),
            ..change.clone()
        };
        if !ours.is_so(&now) {
            return Err(Unmended::ChangedSince {
                setting: change.label(),
                set,
                now,
            });
        }
        hand.set(&back)?;
    }
    let told = hand.read(&back)?;
    if !back.is_so(&told) {
        return Err(Unmended::NotKept {
            setting: back.label(),
            to: back.to,
            now: told,
        });
    }
    record.state = State::Undone;
    cabinet.update(record)?;
    Ok(told)
}
