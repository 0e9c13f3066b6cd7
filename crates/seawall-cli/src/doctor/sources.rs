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
            of_file(source, Given { now }, &mut unread)
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

fn of_file(path: &str, given: Given, unread: &mut bool) -> Option<Facts> {
    if path == "-" {
        if io::stdin().is_terminal() {
            output::fail(
                "nothing is piped into standard input",
                "redis-cli INFO | seawall doctor -",
            );
            return None;
        }
        return told(
            path,
            read::file("standard input", io::stdin().lock(), given),
        );
    }
    let place = Path::new(path);
    if place.is_dir() {
        return of_folder(place, given, unread);
    }
    let name = place.file_name().unwrap_or_default();
    told(path, read::path(place, &name.to_string_lossy(), given))
}

fn told(path: &str, read: io::Result<(Kind, Facts)>) -> Option<Facts> {
    match read {
        Ok((Kind::Empty, _)) => {
            output::fail(
                format_args!("{path} is empty"),
                "a log that was rotated goes on in another file: path.1, path.gz",
            );
            None
        }
        Ok((Kind::Unknown, _)) => {
            let hint = "logs of Redis, of applications and of the kernel are known, what INFO, CLIENT LIST and CONFIG GET answered, and JSON of kubectl, docker inspect and providers";
            output::fail(
                format_args!("{path} holds nothing that the doctor knows"),
                hint,
            );
            None
        }
        Ok((_, facts)) => Some(facts),
        Err(error) => {
            output::fail(format_args!("{path} cannot be read: {error}"), hint(&error));
            None
        }
    }
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "read it as somebody who may: sudo cat FILE | seawall doctor -"
        }
        io::ErrorKind::NotFound => "give a URL (redis://..) or the path of a file or folder",
        _ => "",
    }
}

/// All files of a folder. Those that hold nothing that is known are counted, and no failure: any may lie there.
fn of_folder(path: &Path, given: Given, unread: &mut bool) -> Option<Facts> {
    let found = match read::folder(path) {
        Ok(found) => found,
        Err(error) => {
            let path = path.display();
            output::fail(format_args!("{path} cannot be read: {error}"), hint(&error));
            return None;
        }
    };
    let mut facts = Facts::default();
    let mut closed = !found.closed.is_empty();
    for (path, error) in &found.closed {
        output::fail(
            format_args!("{} cannot be read: {error}", path.display()),
            hint(error),
        );
    }
    let mut told = 0;
    for file in &found.files {
        let name = file.strip_prefix(path).unwrap_or(file);
        match read::path(file, &name.to_string_lossy(), given) {
            Ok((Kind::Unknown | Kind::Empty, _)) => {}
            Ok((_, of_file)) => {
                told += 1;
                facts.add(of_file);
            }
            Err(error) => {
                closed |= error.kind() != io::ErrorKind::Unsupported;
                output::fail(
                    format_args!("{} cannot be read: {error}", file.display()),
                    hint(&error),
                );
            }
        }
    }
    let more = match found.more {
        0 => String::new(),
        more => format!(", and {more} more were not looked at: give them by name"),
    };
    let path = path.display();
    let all = found.files.len();
    facts.assumed.insert(format!(
        "{path}: {told} of its {all} files hold something that is known{more}"
    ));
    *unread |= closed;
    if closed {
        facts.unseen.push(seawall_doctor::facts::Unseen {
            what: format!("some files of {path}"),
            why: "they could not be read".to_owned(),
            how: format!("as somebody who may: sudo seawall doctor {path}"),
        });
    }
    if told == 0 {
        output::fail(
            format_args!("none of the {all} files of {path} holds anything that the doctor knows"),
            "",
        );
        return None;
    }
    Some(facts)
}
