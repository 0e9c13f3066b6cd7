use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::time::Duration;

use seawall_doctor::Facts;
use seawall_doctor::live::{self, Manner};
use seawall_doctor::read::{self, Given, Kind};
use seawall_doctor::stamp::Stamp;
use seawall_model::Target;

use crate::output;

/// What the sources told, all together.
pub(super) struct Told {
    pub(super) facts: Facts,
    /// One of them could not be read; why was said.
    pub(super) unread: bool,
}

/// How long a server is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// How long its answers may take, together.
    pub(super) within: Duration,
    /// How long its counters are watched.
    pub(super) watching: Option<Duration>,
}

/// Looks at each of them, once.
pub(super) fn look(sources: &[String], patience: Patience, now: Stamp) -> Told {
    let mut facts = Facts::default();
    let mut unread = false;
    for source in sources {
        let told = if source.contains("://") {
            of_url(source, patience, now)
        } else {
            of_file(source, Given { now })
        };
        match told {
            Some(told) => facts.add(told),
            None => unread = true,
        }
    }
    Told { facts, unread }
}

fn of_url(url: &str, patience: Patience, now: Stamp) -> Option<Facts> {
    let manner = Manner {
        now,
        within: patience.within,
        between: patience.watching.unwrap_or(live::BETWEEN),
    };
    match Target::parse(url) {
        Ok(target) => match live::look_as(&target, manner) {
            Ok(facts) => Some(facts),
            Err(unset) => {
                output::fail(&unset, unset.hint());
                None
            }
        },
        Err(error) => {
            output::fail(&error, &error.hint());
            None
        }
    }
}

fn of_file(path: &str, given: Given) -> Option<Facts> {
    let read = if path == "-" {
        if io::stdin().is_terminal() {
            output::fail(
                "nothing is piped into standard input",
                "redis-cli INFO | seawall doctor -",
            );
            return None;
        }
        read::file("standard input", io::stdin().lock(), given)
    } else {
        File::open(path).and_then(|file| {
            let name = Path::new(path).file_name().unwrap_or_default();
            read::file(&name.to_string_lossy(), file, given)
        })
    };
    match read {
        Ok((Kind::Unknown, _)) => {
            let hint = "logs of Redis, of applications and of the kernel are known, and what INFO, CLIENT LIST and CONFIG GET answered";
            output::fail(
                format_args!("{path} holds nothing that the doctor knows"),
                hint,
            );
            None
        }
        Ok((_, facts)) => Some(facts),
        Err(error) => {
            output::fail(
                format_args!("{path} cannot be read: {error}"),
                "give a URL (redis://..) or the path of a file",
            );
            None
        }
    }
}
