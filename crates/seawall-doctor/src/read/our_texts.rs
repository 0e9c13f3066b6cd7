//! What Seawall's own clients write when a call fails: made of the table of causes, so that none is missing.

use seawall_model::Cause;

use super::client_texts::{Known, own};
use crate::facts::Failure;

/// In an error's text, before what happened; it stands in tracebacks, in `request.unavailable` and wherever an error is logged.
pub(super) const FATES: &[&str] = &[
    "did not run: ",
    "may have run: ",
    "could not be had: ",
    "subscription was lost: ",
];

/// Every text that names a cause, and the line that an outage begins with.
pub(super) fn texts() -> impl Iterator<Item = Known> {
    let causes = Cause::ALL.iter();
    let failures = causes.filter_map(|&cause| Some((cause, failure(cause)?)));
    failures.flat_map(|(cause, failure)| {
        let texts = FATES
            .iter()
            .map(move |fate| format!("{fate}{}", cause.says()));
        let begins = format!("cause={} fails=", cause.name());
        let all = texts.chain([begins]);
        // Made once, for a table that stays.
        all.map(move |text| own(text.leak(), failure))
    })
}

/// As what the same is told by other clients; `None` where there is no such thing.
fn failure(cause: Cause) -> Option<Failure> {
    Some(match cause {
        Cause::ConnectionRefused => Failure::Refused,
        Cause::ConnectTimeout => Failure::ConnectTimeout,
        Cause::Unreachable => Failure::Unreachable,
        Cause::NameUnknown | Cause::NameService => Failure::NameUnknown,
        Cause::LocalLimit => Failure::NoLocalPort,
        Cause::ServerUnresponsive
        | Cause::ReplyTimeout
        | Cause::IdleSwallowed
        | Cause::PeerVanished => Failure::ReadTimeout,
        Cause::NotRedis | Cause::ProtocolError => Failure::Protocol,
        Cause::TlsHandshake | Cause::TlsCertificate => Failure::Tls,
        Cause::AuthFailed | Cause::AuthRequired => Failure::Auth,
        Cause::PermissionDenied | Cause::ConnectForbidden | Cause::ProtectedMode => Failure::Denied,
        Cause::MaxClients => Failure::MaxClients,
        Cause::Loading => Failure::Loading,
        Cause::MasterDown => Failure::NotConnected,
        Cause::ClusterDown | Cause::Redirected => Failure::Cluster,
        Cause::Busy => Failure::Busy,
        Cause::ReadOnly => Failure::ReadOnly,
        Cause::SaveFailed => Failure::SaveFailed,
        Cause::OutOfMemory => Failure::OutOfMemory,
        Cause::ClosedByServer
        | Cause::OutputLimit
        | Cause::IdleClosed
        | Cause::ClosedMidReply
        | Cause::ServerRestarted => Failure::Closed,
        Cause::ConnectionReset | Cause::IdleReset => Failure::Reset,
        Cause::PoolExhausted | Cause::TooManyWaiting => Failure::PoolExhausted,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::client_texts::meaning;

    /// The application's own affair, or what no other client tells.
    const NO_FAILURE: &[Cause] = &[
        Cause::Cancelled,
        Cause::ClientClosed,
        Cause::BadSettings,
        Cause::SubscriberSlow,
        Cause::CommandError,
        Cause::NoReplicas,
        Cause::ReplyTooLarge,
        Cause::DeadlineExceeded,
    ];

    #[test]
    fn every_cause_is_known_as_an_error_tells_it() {
        for &cause in Cause::ALL {
            let says = cause.says();
            for text in [
                format!("GET did not run: {says} (127.0.0.1:6379)"),
                format!(
                    "seawall.errors.TimeoutError: INCRBY may have run: {says} (127.0.0.1:6379)"
                ),
                format!("a connection could not be had: {says} (db:6379)"),
                format!(
                    "seawall.errors.ConnectionError: the subscription was lost: {says} (db:6379)"
                ),
            ] {
                let known = meaning(&text).map(|(_, known)| known.failure);
                assert_eq!(known, failure(cause), "{text}");
            }
            assert_eq!(
                failure(cause).is_none(),
                NO_FAILURE.contains(&cause),
                "{cause:?}"
            );
        }
    }
}
