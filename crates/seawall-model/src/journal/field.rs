//! How single fields are written and read.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::command::CommandName;
use super::event::ConnectionId;
use super::words::{HealthState, OutagePolicy, Restarted, RetryRefusal, WriteGate};
use crate::cause::Cause;
use crate::endpoint::Endpoint;
use crate::moment::Moment;
use crate::provenance::Close;

/// Why a field could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// A word or form of a newer writer.
    Newer,
    /// Not what any writer writes.
    Malformed,
}

/// The payload that is left to read.
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    fn bytes(&mut self, count: usize) -> Result<&'a [u8], Unreadable> {
        let (taken, rest) = self
            .0
            .split_at_checked(count)
            .ok_or(Unreadable::Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        self.bytes(N)?.try_into().map_err(|_| Unreadable::Malformed)
    }
}

/// Something that stands in a record.
pub(super) trait Field: Sized {
    fn put(&self, out: &mut Vec<u8>);
    fn take(from: &mut Cursor<'_>) -> Result<Self, Unreadable>;
}

impl Field for u8 {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(*self);
    }

    fn take(from: &mut Cursor<'_>) -> Result<Self, Unreadable> {
        Ok(from.bytes(1)?[0])
    }
}

impl Field for u64 {
    fn put(&self, out: &mut Vec<u8>) {
        let mut left = *self;
        while left >= 0x80 {
            out.push(left as u8 | 0x80);
            left >>= 7;
        }
        out.push(left as u8);
    }

    fn take(from: &mut Cursor<'_>) -> Result<Self, Unreadable> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = u8::take(from)?;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit.
            if shift == 63 && bits > 1 {
                return Err(Unreadable::Malformed);
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Unreadable::Malformed)
    }
}

impl Field for u32 {
    fn put(&self, out: &mut Vec<u8>) {
        u64::from(*self).put(out);
    }

    fn take(from: &mut Cursor<'_>) -> Result<Self, Unreadable> {
        Self::try_from(u64::take(from)?).map_err(|_| Unreadable::Malformed)
    }
}

/// Nanoseconds; what lasts longer than 584 years is that long.
impl Field for Duration {
    fn put(&self, out: &mut Vec<u8>) {
        u64::try_from(self.as_nanos()).unwrap_or(u64::MAX).put(out);
    }

    fn take(from: &mut Cursor<'_>) -> Result<Self, Unreadable> {
        Ok(Self::from_nanos(u64::take(from)?))
    }
}

impl Field for Moment {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_nanos().put(out);
    }

    fn take(from: &mut Cursor<'_>) -> Result<Self, Unreadable> {
        Ok(Self::from_nanos(u64::take(from)?))
    }
}

impl Field for ConnectionId {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }

    fn take(from: &mut Cursor<'_>) -> Result<Self, Unreadable> {
        Ok(Self(u64::take(from)?))
    }
}

/// Missing altogether is `None` too: so it is in records that are older than the field.
impl<T: Field> Field for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            None => out.push(0),
            Some(value) => {
                out.push(1);
                value.put(out);
            }
        }
    }

    fn take(from: &mut Cursor<'_>) -> Result<Self, Unreadable> {
        if from.0.is_empty() {
            return Ok(None);
        }
        match u8::take(from)? {
            0 => Ok(None),
            1 => T::take(from).map(Some),
            _ => Err(Unreadable::Malformed),
        }
    }
}

/// Words are written as their numbers; one that is not on the list is a newer writer's.
macro_rules! numbered {
    ($($word:ty),+) => {
        $(impl Field for $word {
            fn put(&self, out: &mut Vec<u8>) {
                out.push(self.number());
            }

            fn take(from: &mut Cursor<'_>) -> Result<Self, Unreadable> {
                Self::from_number(u8::take(from)?).ok_or(Unreadable::Newer)
            }
        })+
    };
}

numbered!(
    Cause,
    HealthState,
    WriteGate,
    Restarted,
    OutagePolicy,
    RetryRefusal
);

impl Field for Close {
    fn put(&self, out: &mut Vec<u8>) {
        let number = match self {
            Self::Fin => 1,
            Self::Reset => 2,
            Self::KernelTimeout => 3,
            Self::Abandoned => 4,
            Self::Ours => 5,
            Self::NeverOpen => 6,
            Self::Other(errno) => {
                out.push(7);
                return errno.cast_unsigned().put(out);
            }
        };
        out.push(number);
    }

    fn take(from: &mut Cursor<'_>) -> Result<Self, Unreadable> {
        Ok(match u8::take(from)? {
            1 => Self::Fin,
            2 => Self::Reset,
            3 => Self::KernelTimeout,
            4 => Self::Abandoned,
            5 => Self::Ours,
            6 => Self::NeverOpen,
            7 => Self::Other(u32::take(from)?.cast_signed()),
            _ => return Err(Unreadable::Newer),
        })
    }
}

/// A length of one byte, then the text. Longer texts are cut: the limits of hosts and socket paths lie below.
fn put_text(text: &str, out: &mut Vec<u8>) {
    let mut end = text.len().min(usize::from(u8::MAX));
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = &text[..end];
    out.push(text.len() as u8);
    out.extend_from_slice(text.as_bytes());
}

fn take_text<'a>(from: &mut Cursor<'a>) -> Result<&'a str, Unreadable> {
    let len = u8::take(from)?;
    str::from_utf8(from.bytes(usize::from(len))?).map_err(|_| Unreadable::Malformed)
}

impl Field for Endpoint {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Tcp { host, port } => {
                out.push(1);
                put_text(host, out);
                out.extend_from_slice(&port.to_le_bytes());
            }
            Self::Unix { path } => {
                out.push(2);
                put_text(&path.to_string_lossy(), out);
            }
        }
    }

    fn take(from: &mut Cursor<'_>) -> Result<Self, Unreadable> {
        let endpoint = match u8::take(from)? {
            1 => {
                let host = take_text(from)?;
                Self::tcp(host, u16::from_le_bytes(from.array()?))
            }
            2 => Self::unix(take_text(from)?),
            _ => return Err(Unreadable::Newer),
        };
        endpoint.map_err(|_| Unreadable::Malformed)
    }
}

/// Address and port; the flow label and scope of IPv6 are not kept.
impl Field for SocketAddr {
    fn put(&self, out: &mut Vec<u8>) {
        match self.ip() {
            IpAddr::V4(ip) => {
                out.push(4);
                out.extend_from_slice(&ip.octets());
            }
            IpAddr::V6(ip) => {
                out.push(6);
                out.extend_from_slice(&ip.octets());
            }
        }
        out.extend_from_slice(&self.port().to_le_bytes());
    }

    fn take(from: &mut Cursor<'_>) -> Result<Self, Unreadable> {
        let ip = match u8::take(from)? {
            4 => IpAddr::V4(Ipv4Addr::from(from.array::<4>()?)),
            6 => IpAddr::V6(Ipv6Addr::from(from.array::<16>()?)),
            _ => return Err(Unreadable::Newer),
        };
        Ok(Self::new(ip, u16::from_le_bytes(from.array()?)))
    }
}

impl Field for CommandName {
    fn put(&self, out: &mut Vec<u8>) {
        put_text(self.as_str(), out);
    }

    fn take(from: &mut Cursor<'_>) -> Result<Self, Unreadable> {
        Ok(Self::from(take_text(from)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of<T: Field>(value: &T) -> Vec<u8> {
        let mut out = Vec::new();
        value.put(&mut out);
        out
    }

    #[test]
    fn numbers_take_seven_bits_a_byte() {
        for (value, len) in [
            (0, 1),
            (127, 1),
            (128, 2),
            (u64::from(u32::MAX), 5),
            (u64::MAX, 10),
        ] {
            let bytes = bytes_of(&value);
            assert_eq!(bytes.len(), len);
            assert_eq!(u64::take(&mut Cursor(&bytes)), Ok(value));
        }
        let too_long = [0xff; 11];
        assert_eq!(
            u64::take(&mut Cursor(&too_long)),
            Err(Unreadable::Malformed)
        );
        assert_eq!(
            u64::take(&mut Cursor(&[0xff; 9])),
            Err(Unreadable::Malformed)
        );
        let past_64_bits = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2];
        assert_eq!(
            u64::take(&mut Cursor(&past_64_bits)),
            Err(Unreadable::Malformed)
        );
    }

    #[test]
    fn every_cause_and_close_survives() {
        for cause in Cause::ALL {
            assert_eq!(Cause::take(&mut Cursor(&bytes_of(cause))), Ok(*cause));
        }
        for close in [
            Close::Fin,
            Close::NeverOpen,
            Close::Other(-7),
            Close::Other(i32::MAX),
        ] {
            assert_eq!(Close::take(&mut Cursor(&bytes_of(&close))), Ok(close));
        }
    }

    #[test]
    fn a_word_of_a_newer_writer_is_told_from_nonsense() {
        assert_eq!(Cause::take(&mut Cursor(&[255])), Err(Unreadable::Newer));
        assert_eq!(Close::take(&mut Cursor(&[200])), Err(Unreadable::Newer));
        assert_eq!(Endpoint::take(&mut Cursor(&[9])), Err(Unreadable::Newer));
        assert_eq!(
            Endpoint::take(&mut Cursor(&[1, 3, b'a'])),
            Err(Unreadable::Malformed)
        );
        assert_eq!(
            Endpoint::take(&mut Cursor(&[2, 1, b'a'])),
            Err(Unreadable::Malformed)
        );
    }

    #[test]
    fn an_overlong_host_is_cut_and_does_not_spoil_the_fields_behind_it() {
        let endpoint = Endpoint::Tcp {
            host: "ü".repeat(300).into(),
            port: 1,
        };
        let bytes = bytes_of(&endpoint);
        assert_eq!(bytes.len(), 1 + 1 + 254 + 2);
        assert_eq!(
            Endpoint::take(&mut Cursor(&bytes)),
            Err(Unreadable::Malformed)
        );
    }
}
