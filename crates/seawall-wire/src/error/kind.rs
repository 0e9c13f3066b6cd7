use std::fmt;

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

/// Builds the enum's plain variants and their words from one table, so that a word is added in one place.
macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $variant:ident = $word:literal;)+) => {
        /// The kind of an error reply, by its whole first word: `BUSYGROUP` is not `BUSY`.
        ///
        /// The words are those of Redis 6.2 to 8 and Valkey 7.2 to 9, Sentinel's among them.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorKind {
            $($(#[doc = $doc])+ #[doc = ""] #[doc = concat!("Word: `", $word, "`.")] $variant,)+
            /// The server has as many clients as it allows, and closes this connection. Its first word is `ERR`, so
            /// its text tells it apart.
            MaxClients,
            /// Another node owns the slot, for good.
            Moved {
                /// The slot.
                slot: u16,
                /// `host:port` as the server sent it; see [`split_addr`](super::split_addr).
                addr: Box<str>,
            },
            /// Another node has, or will have, the key while its slot moves; it must hear `ASKING` first.
            Ask {
                /// The slot.
                slot: u16,
                /// `host:port` as the server sent it; see [`split_addr`](super::split_addr).
                addr: Box<str>,
            },
            /// A Valkey replica or leaving primary names the node to use, outside of a cluster; sent only to clients
            /// that declared the capability.
            RedirectTo {
                /// `host:port` as the server sent it; see [`split_addr`](super::split_addr).
                addr: Box<str>,
            },
            /// Any other first word, kept as it came: modules and scripts bring their own. Also `MOVED`, `ASK` and
            /// `REDIRECT` with a text that cannot be read.
            Unknown(Box<str>),
        }

        impl ErrorKind {
            fn plain(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }

            /// The error's first word, as the server sent it: the stable name for logs and metrics, bounded by the
            /// server's (not the caller's) vocabulary.
            pub fn word(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::MaxClients => "ERR",
                    Self::Moved { .. } => "MOVED",
                    Self::Ask { .. } => "ASK",
                    Self::RedirectTo { .. } => "REDIRECT",
                    Self::Unknown(word) => word,
                }
            }

            #[cfg(test)]
            const PLAIN: &[(Self, &str)] = &[$((Self::$variant, $word),)+];
        }
    };
}

kinds! {
    /// An error without a word of its own.
    Err = "ERR";
    /// The key holds another type than the command works on.
    WrongType = "WRONGTYPE";
    /// Several keys of one command are split between nodes while their slot moves: ask again in a moment.
    TryAgain = "TRYAGAIN";
    /// The cluster is down, or this slot has no owner.
    ClusterDown = "CLUSTERDOWN";
    /// The keys of one command lie in different slots.
    CrossSlot = "CROSSSLOT";
    /// The server is reading its data into memory.
    Loading = "LOADING";
    /// A replica that lost its primary and may not answer from old data.
    MasterDown = "MASTERDOWN";
    /// A replica refuses a write.
    ReadOnly = "READONLY";
    /// Writes are refused since the last save failed.
    Misconf = "MISCONF";
    /// Writes are refused since too few replicas are connected.
    NoReplicas = "NOREPLICAS";
    /// Writes are refused since the memory limit is reached.
    Oom = "OOM";
    /// A script, function or module command runs and has passed its time limit.
    Busy = "BUSY";
    /// The consumer group exists already.
    BusyGroup = "BUSYGROUP";
    /// The key that `RESTORE` or `MIGRATE` would write exists already.
    BusyKey = "BUSYKEY";
    /// The server wants credentials first.
    NoAuth = "NOAUTH";
    /// The user name or password is wrong, or the user is switched off.
    WrongPass = "WRONGPASS";
    /// The user may not run this command, or touch this key or channel.
    NoPerm = "NOPERM";
    /// No script has this digest: send the script itself.
    NoScript = "NOSCRIPT";
    /// `EXEC` threw the transaction away, since queueing one of its commands failed.
    ExecAbort = "EXECABORT";
    /// The server does not speak the protocol version that `HELLO` asked for.
    NoProto = "NOPROTO";
    /// The server is in protected mode and answers only its own host.
    Denied = "DENIED";
    /// A blocking call was ended from outside: `CLIENT UNBLOCK`, a role change, a stream that went away.
    Unblocked = "UNBLOCKED";
    /// The stream has no such consumer group, or there is no such stream.
    NoGroup = "NOGROUP";
    /// A failover is going on already.
    InProg = "INPROG";
    /// There is no script to kill.
    NotBusy = "NOTBUSY";
    /// The script has written already, and cannot be killed.
    Unkillable = "UNKILLABLE";
    /// `MIGRATE` could not reach its target, or not in time: the key may stand there already.
    IoErr = "IOERR";
    /// Replication was asked of a replica that has no link to its own primary.
    NoMasterLink = "NOMASTERLINK";
    /// The value is a damaged `HyperLogLog`.
    InvalidObj = "INVALIDOBJ";
    /// Sentinel finds no replica to promote.
    NoGoodSlave = "NOGOODSLAVE";
    /// Sentinel of Valkey finds no replica to promote.
    NoGoodPrimary = "NOGOODPRIMARY";
    /// Too few Sentinels agree or answer.
    NoQuorum = "NOQUORUM";
}

/// The whole texts of "max number of clients": both begin with `ERR` and share nothing else with other errors.
const MAX_CLIENTS: [&str; 2] = [
    "ERR max number of clients reached",
    "ERR max number of clients + cluster connections reached",
];

impl ErrorKind {
    /// The kind of an error reply with this text (without marker and line end).
    pub fn parse(text: &str) -> Self {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        if word == "ERR" && MAX_CLIENTS.contains(&text.trim_end()) {
            return Self::MaxClients;
        }
        Self::plain(word)
            .or_else(|| Self::redirect(word, rest))
            .unwrap_or_else(|| Self::Unknown(word.into()))
    }

    fn redirect(word: &str, rest: &str) -> Option<Self> {
        if word == "REDIRECT" {
            let addr = rest.split_ascii_whitespace().next()?;
            return Some(Self::RedirectTo { addr: addr.into() });
        }
        let mut parts = rest.split_ascii_whitespace();
        let slot = parts
            .next()?
            .parse()
            .ok()
            .filter(|slot| *slot < crate::slot::SLOT_COUNT)?;
        let addr = parts.next()?.into();
        match word {
            "MOVED" => Some(Self::Moved { slot, addr }),
            "ASK" => Some(Self::Ask { slot, addr }),
            _ => None,
        }
    }

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

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Splits the address of a redirect at its last colon: the host, and the port.
///
/// The host is `None` where the server sent none or `?`: it then means the host that was asked
/// (`cluster-preferred-endpoint-type unknown-endpoint`). An IPv6 address comes without brackets, as servers send it.
/// `None` if there is no port.
pub fn split_addr(addr: &str) -> Option<(Option<&str>, u16)> {
    let (host, port) = addr.rsplit_once(':')?;
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    Some((
        Some(host).filter(|host| !host.is_empty() && *host != "?"),
        port.parse().ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_first_word_decides() {
        for (kind, word) in ErrorKind::PLAIN {
            assert_eq!(ErrorKind::parse(&format!("{word} some text")), *kind);
            assert_eq!(ErrorKind::parse(word), *kind, "without a text");
            assert_eq!(kind.word(), *word);
            assert_eq!(
                ErrorKind::parse(&format!("{word}X text")),
                ErrorKind::Unknown(format!("{word}X").into())
            );
        }
    }

    #[test]
    fn redirects_keep_their_slot_and_address() {
        let moved = ErrorKind::parse("MOVED 3999 127.0.0.1:6381");
        assert_eq!(
            moved,
            ErrorKind::Moved {
                slot: 3999,
                addr: "127.0.0.1:6381".into()
            }
        );
        let ask = ErrorKind::parse("ASK 16383 redis-2.local:6379");
        assert_eq!(
            ask,
            ErrorKind::Ask {
                slot: 16383,
                addr: "redis-2.local:6379".into()
            }
        );
        let redirect = ErrorKind::parse("REDIRECT 10.0.0.9:6379");
        assert_eq!(
            redirect,
            ErrorKind::RedirectTo {
                addr: "10.0.0.9:6379".into()
            }
        );
    }

    #[test]
    fn redirects_that_cannot_be_read_are_unknown() {
        for text in [
            "MOVED",
            "MOVED x 1:2",
            "MOVED 16384 h:1",
            "MOVED 5",
            "ASK 70000 h:1",
            "REDIRECT",
        ] {
            let word = text.split(' ').next().unwrap_or_default();
            assert_eq!(
                ErrorKind::parse(text),
                ErrorKind::Unknown(word.into()),
                "{text}"
            );
        }
    }

    #[test]
    fn max_clients_is_known_by_its_exact_text() {
        assert_eq!(
            ErrorKind::parse("ERR max number of clients reached"),
            ErrorKind::MaxClients
        );
        assert_eq!(
            ErrorKind::parse("ERR max number of clients + cluster connections reached"),
            ErrorKind::MaxClients
        );
        assert_eq!(
            ErrorKind::parse("ERR max number of clients reached yesterday"),
            ErrorKind::Err
        );
    }

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

    #[test]
    fn addresses_split_at_their_last_colon() {
        assert_eq!(
            split_addr("127.0.0.1:6381"),
            Some((Some("127.0.0.1"), 6381))
        );
        assert_eq!(
            split_addr("2001:db8::7:6379"),
            Some((Some("2001:db8::7"), 6379))
        );
        assert_eq!(
            split_addr("[2001:db8::7]:6379"),
            Some((Some("2001:db8::7"), 6379))
        );
        assert_eq!(split_addr(":6379"), Some((None, 6379)));
        assert_eq!(split_addr("?:6379"), Some((None, 6379)));
        assert_eq!(split_addr("host"), None);
        assert_eq!(split_addr("host:99999"), None);
    }
}
