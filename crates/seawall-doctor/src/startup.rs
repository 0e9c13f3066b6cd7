//! What a server says when it does not start, or ends without its farewell.

use crate::facts::{Fact, Facts};
use crate::text::{Keeps, Said, Text};

/// Its data cannot be read.
pub(crate) const DATA: [Text; 9] = [
    Text::server("Fatal error loading the DB"),
    Text::server("Bad file format reading the append only file"),
    Text::server("Unexpected end of file reading the append only file"),
    Text::server("Unrecoverable error reading the append only file"),
    Text::server("Wrong signature trying to load DB from file"),
    Text::server("Wrong RDB checksum expected"),
    Text::server("Short read or OOM loading DB"),
    Text::server("Internal error in RDB reading offset"),
    Text::server("Unable to obtain the AOF file"),
];

/// Its data are from a newer version.
pub(crate) const NEWER: Text =
    Text::server("Can't handle RDB format version ").keeping(Keeps::Word);

/// Its configuration, or what that names, cannot be used.
pub(crate) const CONFIGURATION: [Text; 7] = [
    Text::server("FATAL CONFIG FILE ERROR"),
    Text::server("Fatal error, can't open config file"),
    Text::server("Aborting Redis startup because of ACL errors"),
    Text::server("Can't load module from "),
    Text::server("Sorry, the cluster configuration file "),
    Text::server("Can't chdir to "),
    Text::server("Redis will now exit to prevent data corruption"),
];

/// Its port or its Unix socket is not to be had.
pub(crate) const LISTENING: [Text; 2] = [
    Text::server("Failed listening on port ").keeping(Keeps::Word),
    Text::server("Failed opening Unix socket: ").keeping(Keeps::Rest),
];

/// Its certificates cannot be used.
pub(crate) const TLS: Text = Text::server("Failed to configure TLS");

/// A signal came while it was loading.
pub(crate) const LOADING: Text = Text::server("Received shutdown signal during loading");

/// A second signal came.
pub(crate) const INSISTED: Text = Text::server("You insist... exiting now");

/// Why that process ended without its farewell, if it says so: nobody killed it then.
pub(crate) fn gave_up(facts: &Facts, pid: Option<u32>) -> Option<&Fact<Said>> {
    let ends = |text: &Text| {
        DATA.contains(text)
            || CONFIGURATION.contains(text)
            || LISTENING.contains(text)
            || [NEWER, TLS, LOADING, INSISTED].contains(text)
    };
    facts
        .said
        .iter()
        .find(|fact| pid.is_some() && fact.what.pid == pid && ends(&fact.what.text))
}
