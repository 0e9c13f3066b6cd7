//! What clients' messages mean, whatever their words: one entry for each way in which a call fails.

use seawall_model::Cause;

use crate::facts::Failure;
use crate::rule::Code;

/// A way in which a call fails.
pub(super) struct Class {
    pub(super) failure: Failure,
    /// What was seen, and what that proves.
    pub(super) means: &'static str,
    /// The causes that are behind it most often; after them come the other rules that name such a message.
    pub(super) first: &'static [Code],
}

pub(super) fn of(failure: Failure) -> Option<&'static Class> {
    ALL.iter().find(|class| class.failure == failure)
}

const fn class(failure: Failure, means: &'static str, first: &'static [Code]) -> Class {
    Class {
        failure,
        means,
        first,
    }
}

pub(super) const ALL: &[Class] = &[
    class(
        Failure::Refused,
        "The host answered that no process listens on that port. Nothing was sent, nothing ran.",
        &[Code(401), Code(408), Code(402), Code(101), Code(103)],
    ),
    class(
        Failure::ConnectTimeout,
        "No connection came about in time: the host did not answer, or its queue of new connections was full. Nothing ran.",
        &[Code(102), Code(107), Code(115)],
    ),
    class(
        Failure::Reset,
        "The other end, or something between, answered that it knows no such connection (RST). Bytes that were under way are \
lost: what was asked may have run.",
        &[Code(203), Code(408), Code(402), Code(105)],
    ),
    class(
        Failure::Closed,
        "The other end closed the connection in order (FIN) before the reply came. What was asked may have run.",
        &[Code(401), Code(204), Code(201), Code(301), Code(302)],
    ),
    class(
        Failure::ReadTimeout,
        "The connection stands, and no reply came in time: the server was busy or stopped, the command slow, or the network \
silent. What was asked may have run, or may still run.",
        &[Code(601), Code(202), Code(206), Code(208), Code(102)],
    ),
    class(
        Failure::WriteFailed,
        "The connection had ended before the request was written, and the client had not noticed. Mostly it ended while idle. \
A command that was not wholly written did not run; of a pipeline the first ones may have.",
        &[Code(201), Code(204), Code(203), Code(401)],
    ),
    class(
        Failure::PoolExhausted,
        "Every connection of the client's own pool was in use. The server was not asked at all.",
        &[Code(1), Code(601)],
    ),
    class(
        Failure::NameUnknown,
        "The host's name has no address, or the name service did not answer. Nothing was sent.",
        &[Code(114)],
    ),
    class(
        Failure::MaxClients,
        "The server has as many connections as it may, and closed this one. Nothing ran.",
        &[Code(105)],
    ),
    class(
        Failure::Loading,
        "The server has just started and reads its data from disk; until then it refuses commands. Nothing ran.",
        &[Code(406), Code(402), Code(408), Code(401)],
    ),
    class(
        Failure::ReadOnly,
        "The server is a replica now and refuses writes: there was a failover, and the client still talks to the old address. \
The write did not run.",
        &[Code(801), Code(821)],
    ),
    class(
        Failure::OutOfMemory,
        "maxmemory is reached and nothing may be evicted: the server refuses writes. The write did not run.",
        &[Code(501)],
    ),
    class(
        Failure::SaveFailed,
        "The server's last save failed, and it refuses writes until one succeeds. The write did not run.",
        &[Code(701)],
    ),
    class(
        Failure::Auth,
        "The server wants a login, or did not accept this one. Nothing ran.",
        &[Code(901)],
    ),
    class(
        Failure::Denied,
        "The user is not permitted the command, the key or the channel; of a Unix socket: the file's rights. Nothing ran.",
        &[],
    ),
    class(
        Failure::Cluster,
        "The cluster has no node that serves the key's slot. Nothing ran.",
        &[Code(831), Code(837)],
    ),
    class(
        Failure::Busy,
        "A script or a function runs longer than busy-reply-threshold, and everybody else is refused. Nothing ran.",
        &[Code(601)],
    ),
    class(
        Failure::NoLocalPort,
        "This host has no free port left towards that server: connections are opened and closed too fast. Nothing was sent.",
        &[Code(112), Code(9)],
    ),
    class(
        Failure::Unreachable,
        "There is no way to that host from here: a route, a firewall, or the host itself. Nothing was sent.",
        &[Code(115), Code(206)],
    ),
    class(
        Failure::Tls,
        "Client and server did not agree on TLS: one of them does not speak it, or a certificate was not accepted. Nothing ran.",
        &[Code(109), Code(108)],
    ),
    class(
        Failure::Protocol,
        "What came is no reply of Redis's: two threads or processes share a connection, a reply was left unread, or something \
else listens on that port.",
        &[Code(3), Code(108)],
    ),
    class(
        Failure::NotConnected,
        "The client had no connection and gave up: its last error before this one says why.",
        &[Code(101), Code(102), Code(401), Code(827)],
    ),
];

/// The failure that a client of another kind would tell of.
pub(super) fn of_cause(cause: Cause) -> Option<Failure> {
    Some(match cause {
        Cause::ConnectionRefused => Failure::Refused,
        Cause::ConnectTimeout => Failure::ConnectTimeout,
        Cause::ConnectionReset | Cause::IdleReset => Failure::Reset,
        Cause::ClosedByServer
        | Cause::IdleClosed
        | Cause::OutputLimit
        | Cause::ClosedMidReply
        | Cause::ServerRestarted => Failure::Closed,
        Cause::ReplyTimeout
        | Cause::ServerUnresponsive
        | Cause::IdleSwallowed
        | Cause::PeerVanished => Failure::ReadTimeout,
        Cause::PoolExhausted | Cause::TooManyWaiting => Failure::PoolExhausted,
        Cause::NameUnknown | Cause::NameService => Failure::NameUnknown,
        Cause::Unreachable => Failure::Unreachable,
        Cause::LocalLimit => Failure::NoLocalPort,
        Cause::MaxClients => Failure::MaxClients,
        Cause::Loading => Failure::Loading,
        Cause::ReadOnly => Failure::ReadOnly,
        Cause::OutOfMemory => Failure::OutOfMemory,
        Cause::SaveFailed => Failure::SaveFailed,
        Cause::AuthFailed | Cause::AuthRequired => Failure::Auth,
        Cause::PermissionDenied => Failure::Denied,
        Cause::ClusterDown => Failure::Cluster,
        Cause::Busy => Failure::Busy,
        Cause::TlsHandshake | Cause::TlsCertificate => Failure::Tls,
        Cause::ProtocolError | Cause::NotRedis => Failure::Protocol,
        _ => return None,
    })
}
