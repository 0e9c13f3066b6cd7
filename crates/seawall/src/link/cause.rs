//! What an error means: from the server's words and from the kernel's numbers to a [`Cause`].

use std::io;

use rustix::io::Errno;
use seawall_model::Cause;
use seawall_wire::error::{ErrorKind, ServerError};

use crate::command::Nature;

/// The cause that a server's error names.
pub(crate) fn of_server(kind: &ErrorKind) -> Cause {
    match kind {
        ErrorKind::Loading => Cause::Loading,
        ErrorKind::MasterDown => Cause::MasterDown,
        ErrorKind::ClusterDown => Cause::ClusterDown,
        ErrorKind::Busy => Cause::Busy,
        ErrorKind::MaxClients => Cause::MaxClients,
        ErrorKind::ReadOnly => Cause::ReadOnly,
        ErrorKind::Misconf => Cause::SaveFailed,
        ErrorKind::Oom => Cause::OutOfMemory,
        ErrorKind::NoReplicas => Cause::NoReplicas,
        ErrorKind::WrongPass => Cause::AuthFailed,
        ErrorKind::NoAuth => Cause::AuthRequired,
        ErrorKind::NoPerm => Cause::PermissionDenied,
        ErrorKind::Denied => Cause::ProtectedMode,
        ErrorKind::Moved { .. } | ErrorKind::Ask { .. } => Cause::Redirected,
        _ => Cause::CommandError,
    }
}

/// Whether a command that is answered so certainly did not run.
pub(crate) fn surely_did_not_run(kind: &ErrorKind, nature: Nature) -> bool {
    kind.surely_did_not_run() && !nature.script
}

/// The cause behind a failed attempt to connect.
pub(crate) fn of_connect(error: &io::Error) -> Cause {
    let Some(errno) = error.raw_os_error().map(Errno::from_raw_os_error) else {
        return match error.kind() {
            io::ErrorKind::TimedOut => Cause::ConnectTimeout,
            _ => Cause::Unreachable,
        };
    };
    match errno {
        // ENOENT: a Unix socket that nobody made.
        Errno::CONNREFUSED | Errno::NOENT => Cause::ConnectionRefused,
        Errno::TIMEDOUT => Cause::ConnectTimeout,
        Errno::MFILE
        | Errno::NFILE
        | Errno::NOBUFS
        | Errno::NOMEM
        | Errno::ADDRNOTAVAIL
        | Errno::ADDRINUSE => Cause::LocalLimit,
        Errno::ACCESS | Errno::PERM => Cause::ConnectForbidden,
        // A Unix socket whose backlog is full: its process accepts nobody.
        Errno::AGAIN => Cause::ServerUnresponsive,
        Errno::CONNRESET | Errno::PIPE => Cause::ConnectionReset,
        _ => Cause::Unreachable,
    }
}

/// The cause behind a failed name lookup: the resolver tells only by its text whether the name is unknown, or whether
/// nobody answered.
pub(crate) fn of_lookup(error: &io::Error) -> Cause {
    if error.raw_os_error().is_some() {
        return match of_connect(error) {
            Cause::LocalLimit => Cause::LocalLimit,
            _ => Cause::NameService,
        };
    }
    let text = error.to_string();
    let silent = [
        "Temporary failure",
        "Try again",
        "timed out",
        "Non-recoverable failure",
        "too many name lookups",
    ];
    if silent.iter().any(|words| text.contains(words)) {
        Cause::NameService
    } else {
        Cause::NameUnknown
    }
}

/// Of a command that it does not know a server quotes the arguments: keys, values, and in the greeting the password.
/// Errors and events end up in logs, so they go no further.
pub(crate) fn without_arguments(mut error: ServerError) -> ServerError {
    if error.is_unknown_command()
        && let Some(end) = error.message.find(", with args beginning with")
    {
        error.message = error.message[..end].into();
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_told_from_a_silent_name_service() {
        let said = |words: &str| {
            io::Error::other(format!("failed to lookup address information: {words}"))
        };
        for (error, cause) in [
            (said("Name or service not known"), Cause::NameUnknown),
            (
                said("No address associated with hostname"),
                Cause::NameUnknown,
            ),
            (said("Name does not resolve"), Cause::NameUnknown),
            (
                said("Temporary failure in name resolution"),
                Cause::NameService,
            ),
            (
                said("Non-recoverable failure in name resolution"),
                Cause::NameService,
            ),
            (
                io::Error::from_raw_os_error(Errno::MFILE.raw_os_error()),
                Cause::LocalLimit,
            ),
            (
                io::Error::from_raw_os_error(Errno::IO.raw_os_error()),
                Cause::NameService,
            ),
        ] {
            assert_eq!(of_lookup(&error), cause, "{error}");
        }
    }

    #[test]
    fn what_forbids_to_connect_is_told_from_what_is_used_up() {
        for (errno, cause) in [
            (Errno::ACCESS, Cause::ConnectForbidden),
            (Errno::PERM, Cause::ConnectForbidden),
            (Errno::MFILE, Cause::LocalLimit),
            (Errno::NOENT, Cause::ConnectionRefused),
            (Errno::AGAIN, Cause::ServerUnresponsive),
            (Errno::NETUNREACH, Cause::Unreachable),
        ] {
            let error = io::Error::from_raw_os_error(errno.raw_os_error());
            assert_eq!(of_connect(&error), cause, "{error}");
        }
    }

    #[test]
    fn the_arguments_that_a_server_quotes_go_no_further() {
        let said = "ERR unknown command 'AUTH', with args beginning with: 'secret' ";
        let kept = without_arguments(ServerError::parse(said.as_bytes()));
        assert_eq!(&*kept.message, "ERR unknown command 'AUTH'");
        let other = ServerError::parse(b"ERR no such key");
        assert_eq!(without_arguments(other.clone()), other);
    }
}
