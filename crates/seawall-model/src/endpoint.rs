use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

/// The port of a target that names none.
pub const DEFAULT_PORT: u16 = 6379;
/// The longest host name that name services carry, in bytes.
pub const HOST_BYTES_MAX: usize = 253;
/// The longest Unix socket path that the kernel takes (`sun_path` less its closing zero), in bytes.
pub const UNIX_PATH_BYTES_MAX: usize = 107;

/// Where one server listens. Health, pools and journals are kept per endpoint.
///
/// Cheap to clone. Its text is `host:port`, `[v6]:port` or `unix:/path`, and [`FromStr`] reads that back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// A host and a port.
    Tcp {
        /// A name in lower case, or an IP address in its shortest form and without brackets.
        host: Arc<str>,
        /// 1 to 65535.
        port: u16,
    },
    /// A Unix socket.
    Unix {
        /// Its absolute path.
        path: Arc<Path>,
    },
}

/// Why a text names no [`Endpoint`]. The text is not repeated: half of a mistyped URL may be a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Nothing stands where the host should be.
    #[error("no host is given")]
    NoHost,
    /// A character that no host name has.
    #[error("a host name cannot contain {found:?}")]
    BadHostCharacter {
        /// The first of them.
        found: char,
    },
    /// More than [`HOST_BYTES_MAX`].
    #[error("the host name has {bytes} bytes, the longest possible has {HOST_BYTES_MAX}")]
    HostTooLong {
        /// Its length.
        bytes: usize,
    },
    /// What stands in brackets is no IPv6 address.
    #[error("what stands in brackets is not an IPv6 address")]
    BadIpv6,
    /// An IPv6 address without brackets, or several ports.
    #[error("the host contains colons but no brackets")]
    BareColons,
    /// The port is no number.
    #[error("the port is not a number")]
    PortNotANumber,
    /// The port is 0 or above 65535.
    #[error("port {port} is outside 1 to 65535")]
    PortOutOfRange {
        /// The number that was given.
        port: u32,
    },
    /// The port has more digits than any port.
    #[error("the port has {digits} digits, the highest is 65535")]
    PortTooLong {
        /// How many.
        digits: usize,
    },
    /// A Unix socket path that does not begin with `/`.
    #[error("the socket path is not absolute")]
    PathNotAbsolute,
    /// More than [`UNIX_PATH_BYTES_MAX`].
    #[error("the socket path has {bytes} bytes, the kernel takes {UNIX_PATH_BYTES_MAX}")]
    PathTooLong {
        /// Its length.
        bytes: usize,
    },
    /// A zero byte ends a path for the kernel.
    #[error("the socket path contains a zero byte")]
    PathHasZero,
}

impl EndpointError {
    /// What to do, in one line.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::NoHost => "name the host: redis://localhost:6379/0",
            Self::BadHostCharacter { .. } => {
                "a host is a name, an IPv4 address or an IPv6 address in brackets; percent-encode special characters of user and password (/ is %2F, @ is %40)"
            }
            Self::HostTooLong { .. } => "check the host; did a password slip into it?",
            Self::BadIpv6 => "write it like redis://[2001:db8::7]:6379/0, without a zone (%eth0)",
            Self::BareColons => "put an IPv6 address into brackets: redis://[::1]:6379/0",
            Self::PortNotANumber => {
                "write host:port, like localhost:6379; a password comes before an @: redis://:password@host:6379"
            }
            Self::PortOutOfRange { .. } | Self::PortTooLong { .. } => {
                "Redis listens on 6379 unless told otherwise"
            }
            Self::PathNotAbsolute => {
                "write the whole path, with three slashes: unix:///run/redis/redis.sock"
            }
            Self::PathTooLong { .. } => {
                "choose a shorter path in `unixsocket` of redis.conf, or a short link to it"
            }
            Self::PathHasZero => "remove %00 from the path",
        }
    }
}

impl Endpoint {
    /// The endpoint of `host` (a name, IPv4, or IPv6 with or without brackets) and `port`.
    pub fn tcp(host: &str, port: u16) -> Result<Self, EndpointError> {
        if port == 0 {
            return Err(EndpointError::PortOutOfRange { port: 0 });
        }
        Ok(Self::Tcp {
            host: canonical_host(host)?,
            port,
        })
    }

    /// The endpoint of the Unix socket at `path`.
    pub fn unix(path: &str) -> Result<Self, EndpointError> {
        let bytes = path.len();
        if !path.starts_with('/') {
            return Err(EndpointError::PathNotAbsolute);
        }
        if path.contains('\0') {
            return Err(EndpointError::PathHasZero);
        }
        if bytes > UNIX_PATH_BYTES_MAX {
            return Err(EndpointError::PathTooLong { bytes });
        }
        Ok(Self::Unix {
            path: Path::new(path).into(),
        })
    }

    /// The host, to be resolved or put into SNI; `None` for a Unix socket.
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::Tcp { host, .. } => Some(host),
            Self::Unix { .. } => None,
        }
    }

    /// The IP address, if the host is one and no name service needs asking.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host()?.parse().ok()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix { path } => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Reads `host`, `host:port`, `[v6]:port`, `unix:/path` or `/path`.
impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Self::unix(path);
        }
        if text.starts_with('/') {
            return Self::unix(text);
        }
        let (host, port) = split_port(text)?;
        Self::tcp(host, port.unwrap_or(DEFAULT_PORT))
    }
}

/// Splits `host:port` or `[v6]:port`; a colon with nothing behind it is no port, as in every URL.
pub(crate) fn split_port(text: &str) -> Result<(&str, Option<u16>), EndpointError> {
    let (host, port) = if let Some(inside) = text.strip_prefix('[') {
        let (_, after) = inside.split_once(']').ok_or(EndpointError::BadIpv6)?;
        let host = &text[..text.len() - after.len()];
        match after.strip_prefix(':') {
            Some(port) => (host, port),
            None if after.is_empty() => (host, ""),
            None => return Err(EndpointError::BadIpv6),
        }
    } else {
        text.rsplit_once(':').unwrap_or((text, ""))
    };
    if host.contains(':') && !host.starts_with('[') {
        return Err(EndpointError::BareColons);
    }
    if port.is_empty() {
        return Ok((host, None));
    }
    if !port.bytes().all(|b| b.is_ascii_digit()) {
        return Err(EndpointError::PortNotANumber);
    }
    // More digits than any port has: perhaps a password of digits, which is not repeated.
    let digits = port.len();
    let number: u32 = match port.parse() {
        Ok(number) if digits <= 5 => number,
        _ => return Err(EndpointError::PortTooLong { digits }),
    };
    match u16::try_from(number) {
        Ok(0) | Err(_) => Err(EndpointError::PortOutOfRange { port: number }),
        Ok(number) => Ok((host, Some(number))),
    }
}

fn canonical_host(host: &str) -> Result<Arc<str>, EndpointError> {
    if host.is_empty() {
        return Err(EndpointError::NoHost);
    }
    if let Some(inside) = host.strip_prefix('[') {
        let address = inside.strip_suffix(']').ok_or(EndpointError::BadIpv6)?;
        let address: Ipv6Addr = address.parse().map_err(|_| EndpointError::BadIpv6)?;
        return Ok(address.to_string().into());
    }
    if let Ok(address) = host.parse::<Ipv6Addr>() {
        return Ok(address.to_string().into());
    }
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Ok(address.to_string().into());
    }
    // Underscores are no part of DNS host names, but Docker's service names have them.
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if let Some(found) = host.chars().find(|&c| !known(c)) {
        return Err(if found == ':' {
            EndpointError::BareColons
        } else {
            EndpointError::BadHostCharacter { found }
        });
    }
    if host.len() > HOST_BYTES_MAX {
        return Err(EndpointError::HostTooLong { bytes: host.len() });
    }
    Ok(host.to_ascii_lowercase().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_reads_its_own_text_back() {
        for (text, shown) in [
            ("localhost", "localhost:6379"),
            ("Cache_1.Internal:6380", "cache_1.internal:6380"),
            ("10.0.0.7:1", "10.0.0.7:1"),
            ("[::1]", "[::1]:6379"),
            ("[2001:DB8:0:0::7]:65535", "[2001:db8::7]:65535"),
            ("/run/redis.sock", "unix:/run/redis.sock"),
            ("unix:/tmp/odd name?#@.sock", "unix:/tmp/odd name?#@.sock"),
        ] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!(endpoint.to_string(), shown);
            assert_eq!(shown.parse::<Endpoint>(), Ok(endpoint));
        }
    }

    #[test]
    fn what_cannot_be_dialled_is_refused_by_name() {
        for (text, error) in [
            ("", EndpointError::NoHost),
            (":6379", EndpointError::NoHost),
            ("a:0", EndpointError::PortOutOfRange { port: 0 }),
            ("a:99999", EndpointError::PortOutOfRange { port: 99_999 }),
            ("a:0123456", EndpointError::PortTooLong { digits: 7 }),
            ("a:http", EndpointError::PortNotANumber),
            ("::1", EndpointError::BareColons),
            ("[::1", EndpointError::BadIpv6),
            ("[::1]x", EndpointError::BadIpv6),
            ("[fe80::1%eth0]:6379", EndpointError::BadIpv6),
            ("a b", EndpointError::BadHostCharacter { found: ' ' }),
            (
                "redis.exämple",
                EndpointError::BadHostCharacter { found: 'ä' },
            ),
            ("unix:tmp/x", EndpointError::PathNotAbsolute),
            ("/a\0b", EndpointError::PathHasZero),
        ] {
            assert_eq!(text.parse::<Endpoint>(), Err(error), "{text}");
            assert!(!error.hint().is_empty());
        }
        let long = format!("/{}", "x".repeat(UNIX_PATH_BYTES_MAX));
        assert_eq!(
            Endpoint::unix(&long),
            Err(EndpointError::PathTooLong { bytes: 108 })
        );
    }

    #[test]
    fn an_address_needs_no_name_service() {
        assert!(Endpoint::tcp("::1", 1).unwrap().ip().is_some());
        assert!(Endpoint::tcp("127.0.0.1", 1).unwrap().ip().is_some());
        assert!(Endpoint::tcp("localhost", 1).unwrap().ip().is_none());
        assert!(Endpoint::unix("/x").unwrap().ip().is_none());
    }
}
