use std::fmt;

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

            /// The error's first word, as the server sent it: the stable name for logs and metrics. That of an
            /// [`Unknown`](Self::Unknown) is whatever a script or module chose: count those as one.
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
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
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
}
