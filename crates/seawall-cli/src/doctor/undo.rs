//! `seawall doctor --undo`: takes a change back.

use std::env;
use std::time::Duration;

use seawall_doctor::mend::record::{Cabinet, Record};
use seawall_doctor::mend::{self, Hand, Unmended};
use seawall_model::Target;

use crate::{Exit, output};

/// The place of the records; why there is none is said.
pub(super) fn cabinet() -> Option<Cabinet> {
    match Cabinet::of(env::var_os("XDG_STATE_HOME"), env::var_os("HOME")) {
        Ok(cabinet) => Some(cabinet),
        Err(trouble) => {
            output::fail(trouble, "XDG_STATE_HOME=/var/lib/seawall seawall doctor ..");
            None
        }
    }
}

/// What to do about it.
pub(super) fn hint(unmended: &Unmended) -> &'static str {
    match unmended {
        Unmended::Server(trouble) => trouble.hint(),
        Unmended::ChangedSince { .. } => {
            "ask who did; if the old value is still the right one, set it by redis-cli CONFIG SET"
        }
        Unmended::Record(_) => "make room there, or XDG_STATE_HOME=/another/directory",
        Unmended::Another(..) => "give the URL of the server that was changed",
        Unmended::Harm(_) | Unmended::NotKept { .. } | Unmended::Undone(_) => "",
    }
}

/// Takes the change of that name back; `last` is the newest, `list` shows all.
pub(super) fn undo(id: &str, url: Option<&str>, within: Duration) -> Exit {
    let Some(cabinet) = cabinet() else {
        return Exit::Unable;
    };
    if id == "list" {
        return list(&cabinet);
    }
    let mut record = match cabinet.find(id) {
        Ok(record) => record,
        Err(trouble) => {
            output::fail(trouble, "`seawall doctor --undo list` has their names");
            return Exit::Unable;
        }
    };
    let target = match Target::parse(url.unwrap_or(&record.server)) {
        Ok(target) => target,
        Err(error) => {
            output::fail(&error, &error.hint());
            return Exit::Unable;
        }
    };
    let mut hand = match Hand::reach(&target, within) {
        Ok(hand) => hand,
        Err(trouble) => {
            let hint = format!(
                "with the user and password of the server: seawall doctor URL --undo {}",
                record.id
            );
            output::fail(trouble, &hint);
            return Exit::Unable;
        }
    };
    match mend::undo(&mut hand, &mut record, &cabinet) {
        Ok(now) => {
            let words = format!("{} at {} is {now} again", label(&record), record.server);
            if output::out(words).is_err() {
                return Exit::Unable;
            }
            Exit::Well
        }
        Err(unmended) => {
            output::fail(&unmended, hint(&unmended));
            Exit::Short
        }
    }
}

fn list(cabinet: &Cabinet) -> Exit {
    let all = match cabinet.all() {
        Ok(all) => all,
        Err(trouble) => {
            output::fail(trouble, "");
            return Exit::Unable;
        }
    };
    if all.is_empty() {
        output::note("no change is recorded");
    }
    let lines = all.iter().map(|record| {
        let set = record.set.as_ref().unwrap_or(&record.to);
        format!(
            "{}  {:<8} {}  {}: {} -> {set}",
            record.id,
            record.state.name(),
            record.server,
            label(record),
            record.old
        )
    });
    match output::out_all(lines) {
        Ok(()) => Exit::Well,
        Err(error) => {
            output::fail(format_args!("the list could not be written: {error}"), "");
            Exit::Unable
        }
    }
}

fn label(record: &Record) -> String {
    match &record.class {
        Some(class) => format!("{} {class}", record.setting),
        None => record.setting.clone(),
    }
}
