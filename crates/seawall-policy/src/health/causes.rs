use seawall_model::{Cause, Fault};

/// What the application or this client did to itself says nothing about the endpoint.
pub(super) fn concerns_endpoint(cause: Cause) -> bool {
    cause.fault() != Fault::Application
        && !matches!(
            cause,
            Cause::OutputLimit
                | Cause::ProtocolError
                | Cause::PoolExhausted
                | Cause::TooManyWaiting
                | Cause::DeadlineExceeded
                | Cause::PermissionDenied
                | Cause::Redirected
        )
}

/// The same for a dial and its handshake, in which every other failure is one of reaching the endpoint.
pub(super) fn concerns_dialling(cause: Cause) -> bool {
    !matches!(
        cause,
        Cause::Cancelled
            | Cause::ClientClosed
            | Cause::DeadlineExceeded
            | Cause::PoolExhausted
            | Cause::TooManyWaiting
            | Cause::SubscriberSlow
    )
}

/// The server's own word that it cannot serve.
pub(super) fn is_word(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::Loading | Cause::MasterDown | Cause::ClusterDown | Cause::Busy | Cause::MaxClients
    )
}

/// The same, said to old connections as well: maxclients turns away new ones alone.
pub(super) fn cannot_serve(cause: Cause) -> bool {
    is_word(cause) && cause != Cause::MaxClients
}

/// A server that is there, or this host, lets no new connection through: those that stand hear nothing of it.
pub(super) fn shuts_the_door(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::MaxClients
            | Cause::AuthFailed
            | Cause::AuthRequired
            | Cause::PermissionDenied
            | Cause::ProtectedMode
            | Cause::CommandError
            | Cause::TlsCertificate
            | Cause::LocalLimit
    )
}

/// One connection's end that tells nothing of its neighbours, which are looked at before they are used.
pub(super) fn leaves_others_alone(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::IdleClosed | Cause::IdleReset | Cause::ClosedByServer
    )
}

/// What, at the first contact, only a change of settings cures.
pub(super) fn is_rejection(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::AuthFailed
            | Cause::AuthRequired
            | Cause::ProtectedMode
            | Cause::NotRedis
            | Cause::TlsHandshake
            | Cause::TlsCertificate
            | Cause::NameUnknown
            | Cause::BadSettings
            // A step of the handshake is refused: SELECT of a database that is not there, a command denied by ACL.
            | Cause::CommandError
            | Cause::PermissionDenied
            | Cause::Redirected
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_said_of_the_endpoint_is_taken_for_the_applications_own_doing() {
        for &cause in Cause::ALL {
            if is_word(cause) {
                assert!(concerns_endpoint(cause), "{cause}");
            }
            if is_word(cause) || is_rejection(cause) {
                assert!(concerns_dialling(cause), "{cause}");
            }
            if cause.fault() == Fault::Application {
                assert!(!concerns_endpoint(cause), "{cause}");
            }
        }
    }
}
