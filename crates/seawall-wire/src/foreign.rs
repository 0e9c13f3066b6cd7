use std::fmt;

/// A protocol other than Redis', recognised by the first bytes that a peer sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Foreign {
    /// HTTP/1 or HTTP/2, or a bare page.
    Http,
    /// TLS: an alert or a handshake record. The usual case is a `redis://` URL on a port that wants `rediss://`.
    Tls,
    /// SSH.
    Ssh,
    /// A mail server: SMTP, IMAP or POP3.
    Mail,
    /// FTP.
    Ftp,
    /// Memcached's text protocol.
    Memcached,
    /// `MySQL` or `MariaDB`.
    MySql,
    /// PostgreSQL.
    PostgreSql,
    /// AMQP, as `RabbitMQ` speaks it.
    Amqp,
    /// NATS.
    Nats,
    /// Telnet option negotiation.
    Telnet,
}

impl Foreign {
    /// What answers there, to be put into a sentence: `an HTTP server answers there`.
    pub const fn says(self) -> &'static str {
        match self {
            Self::Http => "an HTTP server",
            Self::Tls => "a TLS server",
            Self::Ssh => "an SSH server",
            Self::Mail => "a mail server",
            Self::Ftp => "an FTP server",
            Self::Memcached => "a memcached server",
            Self::MySql => "a MySQL server",
            Self::PostgreSql => "a PostgreSQL server",
            Self::Amqp => "an AMQP server",
            Self::Nats => "a NATS server",
            Self::Telnet => "a telnet server",
        }
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.says())
    }
}

/// What a peer opens with, compared from its first byte, letters in any case.
const OPENINGS: &[(&[u8], Foreign)] = &[
    (b"HTTP/", Foreign::Http),
    (b"<!DOCTYPE", Foreign::Http),
    (b"<html", Foreign::Http),
    (b"SSH-", Foreign::Ssh),
    (b"* OK", Foreign::Mail),
    (b"+OK POP3", Foreign::Mail),
    (b"AMQP", Foreign::Amqp),
    (b"INFO {", Foreign::Nats),
    (b"ERROR\r\n", Foreign::Memcached),
    (b"CLIENT_ERROR", Foreign::Memcached),
];

/// Which protocol a peer speaks that does not speak Redis', judged by the first bytes it sent.
///
/// To be asked when those bytes were no RESP, or when something came that nobody asked for. `None`: not recognised,
/// which includes too few bytes and everything that can be RESP.
///
/// ```
/// use seawall_wire::{Foreign, sniff_foreign};
/// let answer = sniff_foreign(b"HTTP/1.1 400 Bad Request\r\n");
/// assert_eq!(answer.map(Foreign::says), Some("an HTTP server"));
/// assert_eq!(sniff_foreign(b"+OK\r\n"), None);
/// ```
pub fn sniff_foreign(first_bytes: &[u8]) -> Option<Foreign> {
    let opens = |with: &[u8]| {
        first_bytes
            .get(..with.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(with))
    };
    if let Some(&(_, foreign)) = OPENINGS.iter().find(|(opening, _)| opens(opening)) {
        return Some(foreign);
    }
    match *first_bytes {
        // A record of type alert or handshake, version 3.x.
        [0x15 | 0x16, 0x03, 0x00..=0x04, ..] => Some(Foreign::Tls),
        // An HTTP/2 SETTINGS frame on stream 0, which a server sends first.
        [0, 0, _, 4, 0, 0, 0, 0, 0, ..] => Some(Foreign::Http),
        // Packet 0 with protocol version 10, or with an error: the greeting of MySQL.
        [_, _, 0, 0, 0x0A | 0xFF, ..] => Some(Foreign::MySql),
        // An error response whose first field is its severity.
        [b'E', 0, _, _, _, b'S' | b'F', ..] => Some(Foreign::PostgreSql),
        // IAC with WILL, WONT, DO or DONT.
        [0xFF, 0xFB..=0xFE, ..] => Some(Foreign::Telnet),
        [b'2', b'2', b'0', b' ' | b'-', ref banner @ ..] => Some(greeting(banner)),
        _ => None,
    }
}

/// Mail and file servers both greet with 220; the banner nearly always says which it is.
fn greeting(banner: &[u8]) -> Foreign {
    if banner
        .windows(3)
        .any(|word| word.eq_ignore_ascii_case(b"FTP"))
    {
        Foreign::Ftp
    } else {
        Foreign::Mail
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_are_not_redis_are_recognised_by_how_they_open() {
        let cases: &[(&[u8], Foreign)] = &[
            (
                b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n",
                Foreign::Http,
            ),
            (b"<!doctype html>", Foreign::Http),
            (
                b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03",
                Foreign::Http,
            ),
            (b"\x15\x03\x01\x00\x02\x02\x46", Foreign::Tls),
            (b"\x16\x03\x03\x00\x7a\x02", Foreign::Tls),
            (b"SSH-2.0-OpenSSH_9.2p1\r\n", Foreign::Ssh),
            (b"220 mx.example.org ESMTP Postfix\r\n", Foreign::Mail),
            (b"220 (vsFTPd 3.0.5)\r\n", Foreign::Ftp),
            (
                b"* OK [CAPABILITY IMAP4rev1] Dovecot ready.\r\n",
                Foreign::Mail,
            ),
            (b"+OK POP3 ready\r\n", Foreign::Mail),
            (b"ERROR\r\n", Foreign::Memcached),
            (b"\x5b\x00\x00\x00\x0a8.0.36\x00", Foreign::MySql),
            (b"E\x00\x00\x00\x8dSFATAL\x00", Foreign::PostgreSql),
            (b"AMQP\x00\x00\x09\x01", Foreign::Amqp),
            (b"INFO {\"server_id\":\"N\"}\r\n", Foreign::Nats),
            (b"\xff\xfd\x18\xff\xfd\x20", Foreign::Telnet),
        ];
        for (bytes, foreign) in cases {
            assert_eq!(
                sniff_foreign(bytes),
                Some(*foreign),
                "{}",
                bytes.escape_ascii()
            );
        }
    }

    #[test]
    fn what_redis_says_is_not_foreign() {
        for bytes in [
            &b"+OK\r\n"[..],
            b"-ERR no\r\n",
            b"*2\r\n",
            b"%7\r\n",
            b"$-1\r\n",
            b":220\r\n",
            b">3\r\n",
            b"",
        ] {
            assert_eq!(sniff_foreign(bytes), None, "{}", bytes.escape_ascii());
        }
    }
}
