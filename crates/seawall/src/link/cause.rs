//! What an error means: from the server's words and from the kernel's numbers to a [`Cause`].

use std::io;

use rustix::io::Errno;
use seawall_model::Cause;
use seawall_wire::error::ErrorKind;

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
        | Errno::ADDRINUSE
        | Errno::ACCESS
        | Errno::PERM => Cause::LocalLimit,
        Errno::CONNRESET | Errno::PIPE => Cause::ConnectionReset,
        _ => Cause::Unreachable,
    }
}

/// The cause behind a failed name lookup: the resolver tells only by its text whether the name is unknown, or whether
/// nobody answered.
pub(crate) fn of_lookup(error: &io::Error) -> Cause {
    let text = error.to_string();
    let silent = [
        "Temporary failure",
        "Try again",
        "timed out",
        "too many name lookups",
    ];
    if silent.iter().any(|words| text.contains(words)) {
        Cause::NameService
    } else {
        Cause::NameUnknown
    }
}
