//! What clients of Redis write when a call fails: ours, redis-py, kombu and Django's caches, ioredis, node-redis, go-redis, Jedis,
//! Lettuce, StackExchange.Redis, redis-rs, hiredis, Predis and phpredis.

use std::sync::{LazyLock, OnceLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::our_texts;
use crate::facts::Failure;

/// Words, and what they mean.
#[derive(Clone, Copy)]
pub(super) struct Known {
    pub(super) words: &'static str,
    pub(super) failure: Failure,
    /// No other library writes so. What others write too is a failure of Redis's only where something names Redis.
    pub(super) own: bool,
}

pub(super) const fn own(words: &'static str, failure: Failure) -> Known {
    Known {
        words,
        failure,
        own: true,
    }
}

const fn shared(words: &'static str, failure: Failure) -> Known {
    Known {
        words,
        failure,
        own: false,
    }
}

/// Ours first, which say most; then the more particular: of several in one traceback the first says what happened.
pub(super) static TEXTS: LazyLock<Vec<Known>> =
    LazyLock::new(|| our_texts::texts().chain(OTHERS.iter().copied()).collect());

const OTHERS: &[Known] = &[
    // What the server said.
    own("max number of clients reached", Failure::MaxClients),
    own("max number of clients + cluster", Failure::MaxClients),
    own("LOADING Redis is loading", Failure::Loading),
    own("Redis is loading the dataset in memory", Failure::Loading),
    own("Valkey is loading the dataset in memory", Failure::Loading),
    own("READONLY You can't write", Failure::ReadOnly),
    own("You can't write against a read only", Failure::ReadOnly),
    own("OOM command not allowed", Failure::OutOfMemory),
    own("command not allowed when used memory", Failure::OutOfMemory),
    own("MISCONF ", Failure::SaveFailed),
    own("unable to persist on disk", Failure::SaveFailed),
    own("WRONGPASS ", Failure::Auth),
    own("invalid username-password pair", Failure::Auth),
    own("NOAUTH ", Failure::Auth),
    own("AUTH failed: ", Failure::Auth),
    shared("Authentication required", Failure::Auth),
    own("NOPERM ", Failure::Denied),
    // redis-py leaves the first word out.
    own("this user has no permissions", Failure::Denied),
    own("has no permissions to run", Failure::Denied),
    own("has no permissions to access", Failure::Denied),
    own("Link with MASTER is down", Failure::NotConnected),
    own("Hash slot not served", Failure::Cluster),
    own("CLUSTERDOWN ", Failure::Cluster),
    own("Too many Cluster redirections", Failure::Cluster),
    own("No more cluster attempts left", Failure::Cluster),
    own("MASTERDOWN ", Failure::NotConnected),
    own("BUSY Redis is busy", Failure::Busy),
    own("BUSY Valkey is busy", Failure::Busy),
    // Pools.
    own("redis: connection pool timeout", Failure::PoolExhausted),
    own("redis: connection pool exhausted", Failure::PoolExhausted),
    own(
        "Could not get a resource from the pool",
        Failure::PoolExhausted,
    ),
    own("MaxConnectionsError", Failure::PoolExhausted),
    shared("Too many connections", Failure::PoolExhausted),
    shared("No connection available", Failure::PoolExhausted),
    shared("Timeout waiting for idle object", Failure::PoolExhausted),
    shared("Request queue size exceeded", Failure::PoolExhausted),
    // No connection.
    own("Error 99 connecting to", Failure::NoLocalPort),
    shared("Cannot assign requested address", Failure::NoLocalPort),
    shared("cannot assign requested address", Failure::NoLocalPort),
    shared("EADDRNOTAVAIL", Failure::NoLocalPort),
    own("Error 113 connecting to", Failure::Unreachable),
    own("Error 101 connecting to", Failure::Unreachable),
    shared("No route to host", Failure::Unreachable),
    shared("no route to host", Failure::Unreachable),
    shared("Network is unreachable", Failure::Unreachable),
    shared("EHOSTUNREACH", Failure::Unreachable),
    shared("ENETUNREACH", Failure::Unreachable),
    own("Error -2 connecting to", Failure::NameUnknown),
    own("Error -3 connecting to", Failure::NameUnknown),
    own("Error -5 connecting to", Failure::NameUnknown),
    own("Error 8 connecting to", Failure::NameUnknown),
    shared("Name or service not known", Failure::NameUnknown),
    shared("Temporary failure in name resolution", Failure::NameUnknown),
    shared("No address associated with hostname", Failure::NameUnknown),
    shared("nodename nor servname provided", Failure::NameUnknown),
    shared("Name does not resolve", Failure::NameUnknown),
    shared("php_network_getaddresses", Failure::NameUnknown),
    shared("getaddrinfo ENOTFOUND", Failure::NameUnknown),
    shared("getaddrinfo EAI_AGAIN", Failure::NameUnknown),
    shared("UnknownHostException", Failure::NameUnknown),
    shared(": no such host", Failure::NameUnknown),
    shared("CERTIFICATE_VERIFY_FAILED", Failure::Tls),
    shared("certificate verify failed", Failure::Tls),
    shared("CERTIFICATE_REQUIRED", Failure::Tls),
    shared("WRONG_VERSION_NUMBER", Failure::Tls),
    shared("wrong version number", Failure::Tls),
    shared("SSLHandshakeException", Failure::Tls),
    shared("x509: certificate", Failure::Tls),
    shared("first record does not look like a TLS", Failure::Tls),
    shared("DEPTH_ZERO_SELF_SIGNED_CERT", Failure::Tls),
    shared("SELF_SIGNED_CERT_IN_CHAIN", Failure::Tls),
    shared("UNEXPECTED_EOF_WHILE_READING", Failure::Closed),
    own("Error 111 connecting to", Failure::Refused),
    own("Error 61 connecting to", Failure::Refused),
    own("Error 2 connecting to unix socket", Failure::Refused),
    own("Error 13 connecting to unix socket", Failure::Denied),
    own("Error 110 connecting to", Failure::ConnectTimeout),
    own("Timeout connecting to server", Failure::ConnectTimeout),
    own(
        "Connection initialization timed out",
        Failure::ConnectTimeout,
    ),
    // While a call was under way.
    own("Timeout reading from ", Failure::ReadTimeout),
    own("Timeout performing ", Failure::ReadTimeout),
    own("Timeout awaiting response (", Failure::ReadTimeout),
    // `Socket timeout.` of ioredis 6, `Socket timeout timeout.` and `Socket timeout during maintenance.` of node-redis 6.
    own(
        "Expecting data, but didn't receive any",
        Failure::ReadTimeout,
    ),
    own("RedisCommandTimeoutException", Failure::ReadTimeout),
    own("RedisTimeoutException", Failure::ReadTimeout),
    own(
        "was reached before the message could be written",
        Failure::WriteFailed,
    ),
    own("Timeout writing to socket", Failure::WriteFailed),
    own("Command timeout during maintenance", Failure::WriteFailed),
    own("while writing to socket", Failure::WriteFailed),
    own(
        "Attempting to write to a broken connection",
        Failure::WriteFailed,
    ),
    own(
        "Error while writing bytes to the server",
        Failure::WriteFailed,
    ),
    own("Connection closed by server.", Failure::Closed),
    shared("Connection closed by server", Failure::Closed),
    own("Socket closed unexpectedly", Failure::Closed),
    own("Server closed the connection", Failure::Closed),
    own("Unexpected end of stream", Failure::Closed),
    own(
        "It seems like server has closed the connection",
        Failure::Closed,
    ),
    own("Connection closed prematurely", Failure::Closed),
    own("discarding bad PubSub connection", Failure::Closed),
    own("Error while reading line from the server", Failure::Closed),
    own("read error on connection to", Failure::Closed),
    own("Redis server went away", Failure::Closed),
    own("SocketClosed (ReadEndOfStream", Failure::Closed),
    own("InvalidResponse", Failure::Protocol),
    own("Protocol error, got ", Failure::Protocol),
    own("Unknown RESP type ", Failure::Protocol),
    own("JedisConnectionException: Unknown reply", Failure::Protocol),
    own("Error while reading from ", Failure::Reset),
    // Given up.
    own(
        "Reached the max retries per request limit",
        Failure::NotConnected,
    ),
    own(
        "Stream isn't writeable and enableOfflineQueue",
        Failure::NotConnected,
    ),
    own(
        "Currently not connected. Commands are rejected",
        Failure::NotConnected,
    ),
    own("to service this operation: ", Failure::NotConnected),
    own(
        "possible to connect to the redis server",
        Failure::NotConnected,
    ),
    own(
        "Failed to connect to any host resolved for DNS name",
        Failure::NotConnected,
    ),
    own("All sentinels down", Failure::NotConnected),
    own("No master found for ", Failure::NotConnected),
    own(
        "Master with given name not found in sentinel",
        Failure::NotConnected,
    ),
    own("redis: all sentinels", Failure::NotConnected),
    own("All sentinels are unreachable", Failure::NotConnected),
    own("Failed to refresh slots cache", Failure::NotConnected),
    own("None of startup nodes is available", Failure::NotConnected),
    own("All the root nodes are unavailable", Failure::NotConnected),
    own("redis: client is closed", Failure::NotConnected),
    shared("The client is closed", Failure::NotConnected),
    shared("The client is offline", Failure::NotConnected),
    shared("Connection is closed.", Failure::NotConnected),
    // What every program writes about its sockets.
    shared("connect ETIMEDOUT", Failure::ConnectTimeout),
    shared("connect timed out", Failure::ConnectTimeout),
    shared("Connect timed out", Failure::ConnectTimeout),
    shared("Connection timeout", Failure::ConnectTimeout),
    shared("Connection timed out", Failure::ConnectTimeout),
    shared("os error 110", Failure::ConnectTimeout),
    shared("Broken pipe", Failure::WriteFailed),
    shared("broken pipe", Failure::WriteFailed),
    shared("write EPIPE", Failure::WriteFailed),
    shared("Connection reset", Failure::Reset),
    shared("connection reset by peer", Failure::Reset),
    shared("read ECONNRESET", Failure::Reset),
    shared("write ECONNRESET", Failure::Reset),
    shared("Connection refused", Failure::Refused),
    shared("connect ECONNREFUSED", Failure::Refused),
    shared("connection refused", Failure::Refused),
    shared("Read timed out", Failure::ReadTimeout),
    shared("read ETIMEDOUT", Failure::ReadTimeout),
    shared("Command timed out", Failure::ReadTimeout),
    shared("i/o timeout", Failure::ReadTimeout),
    shared("context deadline exceeded", Failure::ReadTimeout),
    shared("asyncio.exceptions.TimeoutError", Failure::ReadTimeout),
    shared("asyncio.TimeoutError", Failure::ReadTimeout),
    shared("unexpected EOF", Failure::Closed),
    shared(": EOF", Failure::Closed),
    shared("Connection closed", Failure::Closed),
    shared("Connection lost", Failure::Closed),
    // The failure has no other words.
    own("Cannot connect to redis", Failure::NotConnected),
    own("JedisConnectionException", Failure::NotConnected),
    own("RedisConnectionException", Failure::NotConnected),
    own(
        "kombu.exceptions.OperationalError: Error ",
        Failure::NotConnected,
    ),
    shared("Connection to broker lost", Failure::Closed),
    shared("Failed to connect to ", Failure::NotConnected),
    shared("Unable to connect to ", Failure::NotConnected),
];

/// A port that is Redis's, whatever else is named.
const AT_ITS_PORT: &[&str] = &[":6379", ":6380", ":26379"];

/// What names Redis in a line, or in the traceback or the record around it: libraries, products, ports.
pub(super) const HINTS: &[&str] = &[
    "redis",
    "valkey",
    "keydb",
    "jedis",
    "lettuce",
    "kombu/transport/virtual",
    ":6379",
    ":6380",
    ":26379",
    ":16379",
    "elasticache",
];

/// What names something else. It decides where nothing names Redis's port, since a URL of Redis's may stand in any line.
pub(super) const STRANGERS: &[&str] = &[
    "postgres",
    "psycopg",
    "asyncpg",
    "mysql",
    "mariadb",
    "amqp",
    "rabbitmq",
    "mongo",
    "kafka",
    "memcache",
    "elasticsearch",
    ":5432",
    ":3306",
    ":5672",
    ":27017",
    ":9092",
    ":11211",
    ":9200",
    "http://",
    "https://",
    "smtp",
    "ldap",
];

/// Exceptions' names, which are searched for as well: the failure's words may stand in another line than what names Redis.
pub(super) const NAMES: &[&str] = &[
    "redis.exceptions.",
    "valkey.exceptions.",
    "redis.clients.jedis.",
    "io.lettuce.core.",
    "StackExchange.Redis.",
    "Predis\\",
    "RedisException",
    "django_redis.exceptions.",
];

/// What the words mean, and whether no other library writes so: the first in the order of the table.
pub(super) fn meaning(text: &str) -> Option<(usize, &'static Known)> {
    static ALL: OnceLock<AhoCorasick> = OnceLock::new();
    let all = ALL.get_or_init(|| automaton(TEXTS.iter().map(|known| known.words)));
    let found = all.find_overlapping_iter(text);
    let first = found.map(|found| found.pattern().as_usize()).min()?;
    Some((first, &TEXTS[first]))
}

/// Whether something in it names Redis; `None` where something else is named.
pub(super) fn names_redis(text: &str) -> Option<bool> {
    static ALL: OnceLock<AhoCorasick> = OnceLock::new();
    let all =
        ALL.get_or_init(|| caseless(AT_ITS_PORT.iter().chain(HINTS).chain(STRANGERS).copied()));
    let (mut at_its_port, mut hinted, mut strange) = (false, false, false);
    for found in all.find_overlapping_iter(text) {
        let which = found.pattern().as_usize();
        at_its_port |= which < AT_ITS_PORT.len();
        hinted |= which < AT_ITS_PORT.len() + HINTS.len();
        strange |= which >= AT_ITS_PORT.len() + HINTS.len();
    }
    if strange && !at_its_port && !text.contains("redis.exceptions") {
        return None;
    }
    Some(hinted)
}

fn automaton(words: impl Iterator<Item = &'static str>) -> AhoCorasick {
    AhoCorasick::builder()
        .kind(Some(AhoCorasickKind::DFA))
        .build(words)
        .expect("the table fits into an automaton")
}

fn caseless(words: impl Iterator<Item = &'static str>) -> AhoCorasick {
    AhoCorasick::builder()
        .kind(Some(AhoCorasickKind::DFA))
        .ascii_case_insensitive(true)
        .build(words)
        .expect("the table fits into an automaton")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As ioredis 6.0 and node-redis 6.3 wrote it before a Redis 7.0 that was broken so.
    #[test]
    fn what_nodes_clients_write_is_known() {
        use Failure as F;
        let told = [
            ("Error: connect ECONNREFUSED 127.0.0.1:32659", F::Refused),
            (
                "MaxRetriesPerRequestError: Reached the max retries per request limit (which is 1). Refer to \"maxRetriesPerRequest\" option for details.",
                F::NotConnected,
            ),
            (
                "Error: getaddrinfo ENOTFOUND no-such-host.invalid",
                F::NameUnknown,
            ),
            (
                "ReplyError: NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option",
                F::Auth,
            ),
            ("Error: write ECONNRESET", F::Reset),
            ("Error: write EPIPE", F::WriteFailed),
            ("Error: ERR max number of clients reached", F::MaxClients),
            ("Error: Socket closed unexpectedly", F::Closed),
            ("Error: Connection is closed.", F::NotConnected),
            ("Error: Command timed out", F::ReadTimeout),
            (
                "Error: Socket timeout. Expecting data, but didn't receive any in 200ms.",
                F::ReadTimeout,
            ),
            (
                "Error: Socket timeout timeout. Expecting data, but didn't receive any in 200ms.",
                F::ReadTimeout,
            ),
            (
                "ReplyError: NOPERM this user has no permissions to access one of the keys used as arguments",
                F::Denied,
            ),
            (
                "redis.exceptions.NoPermissionError: this user has no permissions to run the 'set' command",
                F::Denied,
            ),
            (
                "redis.exceptions.MasterDownError: Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
                F::NotConnected,
            ),
            (
                "redis.exceptions.ClusterDownError: Hash slot not served",
                F::Cluster,
            ),
            (
                "Error: Stream isn't writeable and enableOfflineQueue options is false",
                F::NotConnected,
            ),
            ("Error: The client is closed", F::NotConnected),
            ("Error: connect ETIMEDOUT", F::ConnectTimeout),
            ("Error: Connection timeout", F::ConnectTimeout),
            ("Error: Unknown RESP type 72 \"H\"", F::Protocol),
            ("ReplyError: CLUSTERDOWN Hash slot not served", F::Cluster),
            (
                "ClusterAllFailedError: Failed to refresh slots cache.",
                F::NotConnected,
            ),
            (
                "Error: All sentinels are unreachable and retry is disabled. Last error: Connection is closed.",
                F::NotConnected,
            ),
        ];
        for (text, failure) in told {
            let known = meaning(text).map(|(_, known)| known.failure);
            assert_eq!(known, Some(failure), "{text}");
        }
    }
}
