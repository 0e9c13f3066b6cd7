use super::ErrorKind;

/// What an error says of the server, and so what a client should do about the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// The server cannot serve now: as good as no answer. Counts as a failed probe.
    Unavailable,
    /// The server refuses writes and still answers reads.
    WritesRefused,
    /// The server does not accept who we are, or that we talk to it at all; asking again does not help.
    Credentials,
    /// Another node, or a moment later, is the right one to ask.
    Redirect,
    /// It concerns this command alone; the server is well.
    Application,
}

impl ErrorKind {
    /// Whether the server refused on its own state, before it ran anything: sending the command again cannot double
    /// it.
    ///
    /// Three things the caller has to know. From `EVAL`, `FCALL` and module commands no text proves anything, since a
    /// script can write first and return such an error after. [`ExecAbort`](Self::ExecAbort) proves it for the `EXEC`
    /// that it answers: none of the queued commands ran. Inside the reply of an `EXEC` these hold for the one command
    /// that they answer, not for its neighbours.
    pub fn surely_did_not_run(&self) -> bool {
        matches!(
            self,
            Self::Loading
                | Self::ReadOnly
                | Self::Moved { .. }
                | Self::Ask { .. }
                | Self::RedirectTo { .. }
                | Self::TryAgain
                | Self::ClusterDown
                | Self::MasterDown
                | Self::NoReplicas
                | Self::Misconf
                | Self::Busy
                | Self::Oom
                | Self::NoAuth
                | Self::NoPerm
                | Self::NoScript
                | Self::MaxClients
                | Self::Denied
                | Self::ExecAbort
        )
    }

    /// What it says of the server.
    ///
    /// `DENIED` counts among the credentials: the server turns us away for who and where we are, and goes on doing so
    /// until somebody changes a setting.
    pub fn family(&self) -> Family {
        match self {
            Self::Loading
            | Self::MasterDown
            | Self::ClusterDown
            | Self::Busy
            | Self::MaxClients => Family::Unavailable,
            Self::ReadOnly | Self::Misconf | Self::NoReplicas | Self::Oom => Family::WritesRefused,
            Self::WrongPass | Self::NoAuth | Self::Denied => Family::Credentials,
            Self::Moved { .. } | Self::Ask { .. } | Self::RedirectTo { .. } | Self::TryAgain => {
                Family::Redirect
            }
            _ => Family::Application,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_follow_what_the_server_can_still_do() {
        let family = |text: &str| ErrorKind::parse(text).family();
        for text in [
            "LOADING x",
            "MASTERDOWN x",
            "CLUSTERDOWN x",
            "BUSY x",
            "ERR max number of clients reached",
        ] {
            assert_eq!(family(text), Family::Unavailable, "{text}");
        }
        for text in ["READONLY x", "MISCONF x", "NOREPLICAS x", "OOM x"] {
            assert_eq!(family(text), Family::WritesRefused, "{text}");
        }
        for text in ["WRONGPASS x", "NOAUTH x", "DENIED x"] {
            assert_eq!(family(text), Family::Credentials, "{text}");
        }
        for text in ["MOVED 1 a:1", "ASK 1 a:1", "TRYAGAIN x", "REDIRECT a:1"] {
            assert_eq!(family(text), Family::Redirect, "{text}");
        }
        for text in [
            "ERR x",
            "WRONGTYPE x",
            "BUSYGROUP x",
            "NOPERM x",
            "CROSSSLOT x",
            "MYMODULE x",
            "",
        ] {
            assert_eq!(family(text), Family::Application, "{text}");
        }
    }

    #[test]
    fn a_refusal_on_the_servers_state_proves_that_nothing_ran_and_a_failure_does_not() {
        for text in [
            "LOADING x",
            "MOVED 1 a:1",
            "OOM x",
            "ERR max number of clients reached",
            "EXECABORT x",
        ] {
            assert!(ErrorKind::parse(text).surely_did_not_run(), "{text}");
        }
        for text in [
            "ERR x",
            "WRONGTYPE x",
            "UNBLOCKED x",
            "IOERR x",
            "BUSYGROUP x",
            "UNKILLABLE x",
            "LOADINGX",
        ] {
            assert!(!ErrorKind::parse(text).surely_did_not_run(), "{text}");
        }
    }
}
