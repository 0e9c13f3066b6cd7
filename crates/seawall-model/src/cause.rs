use std::fmt;

/// Who has to act on a [`Cause`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The Redis server, or whoever runs it.
    Server,
    /// What lies between: routers, balancers, firewalls, name service.
    Network,
    /// This host or process: its limits, its threads, its pool.
    Client,
    /// What was configured on this side: URL, credentials, certificates.
    Settings,
    /// The application's own command.
    Application,
}

impl Fault {
    /// The word for it in logs, metrics and journals.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Network => "network",
            Self::Client => "client",
            Self::Settings => "settings",
            Self::Application => "application",
        }
    }
}

/// Builds the enum, its names and its texts from one table, so that a cause is added in one place.
macro_rules! causes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $number:literal, $name:literal, $fault:ident, $says:literal, $hint:literal;)+) => {
        /// Why something failed: a stable name for logs, metrics, errors and journals.
        ///
        /// Names are kebab-case and are never given a second meaning; numbers are what the journal stores.
        /// The first cause of a failure wins, later ones are attached to it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum Cause {
            $($(#[doc = $doc])+ #[doc = ""] #[doc = concat!("Name: `", $name, "`.")] $variant = $number,)+
        }

        impl Cause {
            /// Every cause, in the order of this page.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable kebab-case name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Who has to act.
            pub const fn fault(self) -> Fault {
                match self { $(Self::$variant => Fault::$fault,)+ }
            }

            /// What happened, in one line.
            pub const fn says(self) -> &'static str {
                match self { $(Self::$variant => $says,)+ }
            }

            /// What to look at or do next, in one line.
            pub const fn hint(self) -> &'static str {
                match self { $(Self::$variant => $hint,)+ }
            }
        }
    };
}

causes! {
    // -- no connection came about --
    /// The host answered that nothing listens on the port. Example: redis-server was stopped, or is between the stop
    /// and the start of a restart.
    ConnectionRefused = 1, "connection-refused", Server,
        "the host is there, but no process listens on that port",
        "is redis-server running there, and on this port? look at its log for the reason it stopped";
    /// Nothing at all answered the attempt to connect. Example: a firewall drops the packets, the host is down, a
    /// network is partitioned.
    ConnectTimeout = 2, "connect-timeout", Network,
        "the host does not answer at all",
        "is the host up and reachable? look at firewalls, security groups and routes between here and there";
    /// The network said that there is no way to the host. Example: a missing route, an interface that is down.
    Unreachable = 3, "unreachable", Network,
        "there is no route to the host",
        "look at the routes and interfaces of this host (`ip route get ADDRESS`)";
    /// The name service knows no address for the host. Example: a typing error, or a name that was deleted in a
    /// failover.
    NameUnknown = 4, "name-unknown", Settings,
        "the host's name has no address",
        "check the host name in the URL, and the name service (`getent hosts NAME`)";
    /// The name service did not answer. Example: the cluster's DNS pods are down.
    NameService = 5, "name-service", Network,
        "the name service does not answer",
        "look at the name servers in /etc/resolv.conf; the last good address is used meanwhile";
    /// This process or host has no file descriptor, port or memory left for a socket. Example: `ulimit -n` reached.
    LocalLimit = 6, "local-limit", Client,
        "this host or process has no socket to give",
        "raise `ulimit -n`, look for leaked sockets, widen net.ipv4.ip_local_port_range";
    /// The connection was accepted, but nothing answered on it. Example: a server stopped by SIGSTOP, stuck in a slow
    /// command, or swapping: its kernel accepts, its process does not answer.
    ServerUnresponsive = 7, "server-unresponsive", Server,
        "the server accepts connections but does not answer",
        "is redis-server stopped, swapping, or inside a slow command? look at SLOWLOG, LATENCY and its processor time";
    /// What answers is not a Redis server. Example: an HTTP server, or a TLS port spoken to without TLS.
    NotRedis = 8, "not-redis", Settings,
        "what answers there does not speak the Redis protocol",
        "check host and port; for a TLS port use rediss://";
    /// The TLS handshake failed. Example: rediss:// against a plain port, no common version.
    TlsHandshake = 9, "tls-handshake", Settings,
        "the TLS handshake failed",
        "does that port speak TLS (tls-port in redis.conf)? for a plain port use redis://";
    /// A certificate was refused, by us or by the server. Example: an unknown authority, a wrong name, an expired one.
    TlsCertificate = 10, "tls-certificate", Settings,
        "a certificate was not accepted",
        "check the authority (`tls_ca_file`), the host name and the certificate's dates";
    /// This host does not let the process connect. Example: the permissions of a Unix socket, a local firewall.
    ConnectForbidden = 11, "connect-forbidden", Client,
        "this host does not let the process connect",
        "look at the socket file's permissions (`unixsocketperm`), at SELinux or AppArmor, and at the local firewall";

    // -- the server refuses us --
    /// User name or password is wrong. Example: `WRONGPASS invalid username-password pair`.
    AuthFailed = 20, "auth-failed", Settings,
        "the server refused the user name or password",
        "check the credentials in the URL; was the password rotated?";
    /// The server wants credentials and got none. Example: `NOAUTH Authentication required`.
    AuthRequired = 21, "auth-required", Settings,
        "the server wants a password and got none",
        "put the credentials into the URL: redis://user:password@host:port/0";
    /// The user may not run the command or touch the key. Example: `NOPERM`.
    PermissionDenied = 22, "permission-denied", Settings,
        "the server's ACL does not allow this command or key",
        "ask for the rule with ACL GETUSER, and look at ACL LOG";
    /// The server is in protected mode. Example: `DENIED Redis is running in protected mode`.
    ProtectedMode = 23, "protected-mode", Server,
        "the server is in protected mode and answers only its own host",
        "set a password or `bind` on the server; do not simply switch protected-mode off";
    /// The server has as many clients as it allows. Example: `ERR max number of clients reached`.
    MaxClients = 24, "max-clients", Server,
        "the server has reached maxclients",
        "look for leaked connections with CLIENT LIST; size pools times processes below maxclients";

    // -- what the server says of itself --
    /// The server is reading its data into memory. Example: after a restart with a large RDB or AOF.
    Loading = 30, "loading", Server,
        "the server is loading its data",
        "it will answer when it has loaded; why did it restart?";
    /// A replica has lost its primary and may not answer. Example: `MASTERDOWN`.
    MasterDown = 31, "master-down", Server,
        "this replica has lost its primary",
        "look at the primary, and at replica-serve-stale-data";
    /// The cluster does not serve this slot. Example: `CLUSTERDOWN Hash slot not served`.
    ClusterDown = 32, "cluster-down", Server,
        "the cluster does not serve the key's slot",
        "look at CLUSTER INFO and CLUSTER NODES: which slots have no owner?";
    /// A script or function runs and has passed its time limit. Example: `BUSY Redis is busy running a script`.
    Busy = 33, "busy", Server,
        "the server is busy with a script",
        "SCRIPT KILL ends a script that has not written yet; look at busy-reply-threshold";
    /// The server is a replica and refuses writes. Example: after a failover, the old primary answers `READONLY`.
    ReadOnly = 34, "read-only", Server,
        "the server is a replica and refuses writes",
        "was there a failover? does the name still point to the old primary?";
    /// The server refuses writes since it could not save. Example: `MISCONF`, after a failed BGSAVE on a full disk.
    SaveFailed = 35, "save-failed", Server,
        "the server refuses writes because its last save failed",
        "look at the disk's space and rights on the server, then at its log for the failed save";
    /// The server refuses writes since its memory limit is reached. Example: `OOM command not allowed`.
    OutOfMemory = 36, "out-of-memory", Server,
        "the server refuses writes because maxmemory is reached",
        "look at maxmemory and maxmemory-policy, and at what fills the memory";
    /// Too few replicas are connected for the server to accept writes. Example: `NOREPLICAS`.
    NoReplicas = 37, "no-replicas", Server,
        "too few good replicas for the server to accept writes",
        "look at the replicas, and at min-replicas-to-write";
    /// The server sent the request elsewhere. Example: `MOVED` from a cluster that was spoken to as a single server.
    Redirected = 38, "redirected", Settings,
        "the key lives on another node of a cluster",
        "use a cluster client for a cluster";

    // -- an established connection ended --
    /// The server closed this connection in order, with no outage around it. Example: CLIENT KILL, an ACL change.
    ClosedByServer = 50, "closed-by-server", Server,
        "the server closed the connection, and is well",
        "was it CLIENT KILL, or client eviction? look at the server's log around this time";
    /// The server closed this connection because a reply outgrew client-output-buffer-limit.
    OutputLimit = 51, "output-limit", Server,
        "the server closed the connection because the reply outgrew its output buffer limit",
        "ask for less at a time (SCAN, LRANGE by pages), or raise client-output-buffer-limit";
    /// The connection was reset while in use. Example: a balancer or firewall restarted, the server's process died.
    ConnectionReset = 52, "connection-reset", Network,
        "the connection was reset while in use",
        "if the server's log shows nothing, something between reset it: a balancer, a proxy, a firewall";
    /// The peer closed an idle connection. Example: the server's `timeout` is 300 s.
    IdleClosed = 53, "idle-closed", Server,
        "the peer closed the connection while it was idle",
        "keep `max_idle` below the server's `timeout` (CONFIG GET timeout)";
    /// An idle connection was reset, when next used or before. Example: a firewall forgot the flow.
    IdleReset = 54, "idle-reset", Network,
        "the connection was reset after it had been idle",
        "something between forgets idle flows: keep `max_idle` and TCP keepalive below its limit";
    /// A request on a connection that had been idle was swallowed. Example: a balancer drops packets of idle flows.
    IdleSwallowed = 55, "idle-swallowed", Network,
        "nothing came back on a connection that had been idle, while a fresh one is answered",
        "something between drops idle flows without a word: keep `max_idle` and TCP keepalive below its limit";
    /// The connection ended inside a reply. Example: a proxy gave up on a large reply.
    ClosedMidReply = 56, "closed-mid-reply", Network,
        "the connection ended inside a reply",
        "if replies are large: look at client-output-buffer-limit, and at proxies' limits between";
    /// A reply did not come in time, on a connection that was in use, and the server is well.
    ReplyTimeout = 57, "reply-timeout", Server,
        "the reply did not come in time",
        "is the command slow (SLOWLOG), or the deadline short?";
    /// The peer no longer acknowledges what we send. Example: its host lost power.
    PeerVanished = 58, "peer-vanished", Network,
        "the peer's host no longer acknowledges what we send",
        "is the host up? look at the network between";
    /// The connection was made to a server that is no more: it came back as another process.
    ServerRestarted = 59, "server-restarted", Server,
        "the server was restarted",
        "look at its log for the reason it stopped";

    // -- the bytes make no sense --
    /// What the server sent breaks the protocol. Example: a length that is no number.
    ProtocolError = 70, "protocol-error", Server,
        "what came from the server breaks the protocol",
        "is there a proxy between that mixes connections? this connection was closed";
    /// A reply is larger, or nested deeper, than we allow.
    ReplyTooLarge = 71, "reply-too-large", Application,
        "the reply is larger than the configured limit",
        "ask for less at a time, or raise the limit";

    // -- this side --
    /// No connection became free in time. Example: 64 threads share 8 connections, and each holds one in BLPOP.
    PoolExhausted = 80, "pool-exhausted", Client,
        "every connection of the pool was in use until the deadline",
        "raise the pool's size, hold leases for less time, or look for one that is never returned";
    /// Too many calls already wait. Example: an outage with no deadline on the callers' side.
    TooManyWaiting = 81, "too-many-waiting", Client,
        "too many calls already wait for a connection",
        "the application asks for more than this endpoint answers; shed load earlier";
    /// The deadline came before the request could be sent.
    DeadlineExceeded = 82, "deadline-exceeded", Client,
        "the deadline came before the request could be sent",
        "give the call more time, or look why it waited";
    /// The caller gave the call up. Example: a dropped future, a signal.
    Cancelled = 83, "cancelled", Application,
        "the caller gave the call up",
        "nothing to do: the connection it used was closed if a reply was owed";
    /// The client was closed. Example: a call after `close()`.
    ClientClosed = 84, "client-closed", Application,
        "this client was closed",
        "make a new client, or close it later";
    /// A URL, option or argument is wrong. Example: an unknown URL option.
    BadSettings = 85, "bad-settings", Settings,
        "a setting is wrong",
        "docs/settings.md has the values of each setting";
    /// A subscriber did not keep up, and its queue is full.
    SubscriberSlow = 86, "subscriber-slow", Application,
        "the subscriber did not take its messages in time, and its queue is full",
        "do less between messages, or give the subscription a larger queue";
    /// The server answered with an error that concerns this command alone. Example: `WRONGTYPE`.
    CommandError = 90, "command-error", Application,
        "the server refused the command",
        "the server's own words say why";
}

impl Cause {
    /// The number that the journal stores.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The cause with this journal number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|cause| cause.number() == number)
    }

    /// The cause with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|cause| cause.name() == name)
    }

    /// Whether it only says what was seen on one connection, and a probe may find what lies behind: a reset names no
    /// culprit, the refused dial after it does.
    pub const fn is_symptom(self) -> bool {
        matches!(
            self,
            Self::ClosedByServer
                | Self::ConnectionReset
                | Self::IdleClosed
                | Self::IdleReset
                | Self::IdleSwallowed
                | Self::ClosedMidReply
                | Self::ReplyTimeout
                | Self::DeadlineExceeded
                | Self::PoolExhausted
                | Self::TooManyWaiting
        )
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_and_numbers_are_given_once_and_read_back() {
        let mut names = HashSet::new();
        let mut numbers = HashSet::new();
        for &cause in Cause::ALL {
            assert!(names.insert(cause.name()), "{cause} twice");
            assert!(numbers.insert(cause.number()), "{cause}: number twice");
            assert_eq!(Cause::from_name(cause.name()), Some(cause));
            assert_eq!(Cause::from_number(cause.number()), Some(cause));
        }
    }

    #[test]
    fn names_are_kebab_case_and_texts_follow_the_house_style() {
        for &cause in Cause::ALL {
            assert!(
                cause
                    .name()
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'-'),
                "{cause}"
            );
            for text in [cause.says(), cause.hint()] {
                assert!(!text.ends_with('.') && !text.is_empty(), "{cause}: {text}");
            }
        }
    }
}
