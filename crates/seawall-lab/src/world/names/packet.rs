//! As much of DNS (RFC 1035) as an answer to "which addresses has this name?" takes.

use std::net::Ipv4Addr;

/// The fixed part of a packet.
const HEADER_BYTES: usize = 12;
/// An IPv4 address.
const TYPE_A: u16 = 1;
/// The internet.
const CLASS_IN: u16 = 1;
/// A name in an answer that stands at byte 12: the one that was asked for.
const NAME_AT_QUESTION: u16 = 0xc000 | HEADER_BYTES as u16;
/// How long an answer may be remembered: it may not.
const TTL_SECONDS: u32 = 0;

/// Flags of an answer: it is one, from who is in charge of the name, and asking further servers is at hand.
const ANSWER: u16 = 0x8000 | 0x0400 | 0x0080;
/// The flag by which a question asks that further servers be asked: it comes back in the answer.
const RECURSION_DESIRED: u16 = 0x0100;

/// What an answer says of how it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum Code {
    /// It went well, even if there is no address of the kind that was asked for.
    Fine = 0,
    /// The name server could not find out.
    ServerFailure = 2,
    /// There is no such name.
    NoSuchName = 3,
}

/// A question for one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    id: u16,
    recursion_desired: bool,
    /// The name in lower case, without its last dot.
    pub(super) name: String,
    kind: u16,
    /// The question as it stood in the packet, which is repeated in the answer.
    wire: Vec<u8>,
}

impl Question {
    /// Reads a packet; none if it is not one plain question.
    pub(super) fn parse(packet: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?]));
        let (flags, questions) = (word(2)?, word(4)?);
        // A question, of the usual kind (opcode 0).
        if flags & 0xf800 != 0 || questions != 1 {
            return None;
        }
        let mut labels = Vec::new();
        let mut at = HEADER_BYTES;
        loop {
            let length = usize::from(*packet.get(at)?);
            at += 1;
            if length == 0 {
                break;
            }
            // Longer ones are pointers, which no question needs.
            if length > 63 {
                return None;
            }
            let label = packet.get(at..at + length)?;
            labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
            at += length;
        }
        if word(at + 2)? != CLASS_IN {
            return None;
        }
        Some(Self {
            id: word(0)?,
            recursion_desired: flags & RECURSION_DESIRED != 0,
            name: labels.join("."),
            kind: word(at)?,
            wire: packet.get(HEADER_BYTES..at + 4)?.to_vec(),
        })
    }

    /// The answer. A question for another kind than IPv4 addresses gets an empty one.
    pub(super) fn answer(&self, code: Code, addresses: &[Ipv4Addr]) -> Vec<u8> {
        let addresses = if self.kind == TYPE_A { addresses } else { &[] };
        let desired = if self.recursion_desired {
            RECURSION_DESIRED
        } else {
            0
        };
        let count = u16::try_from(addresses.len()).unwrap_or(0);
        let mut packet = Vec::new();
        for word in [self.id, ANSWER | desired | code as u16, 1, count, 0, 0] {
            packet.extend(word.to_be_bytes());
        }
        packet.extend(&self.wire);
        for address in addresses {
            for word in [NAME_AT_QUESTION, TYPE_A, CLASS_IN] {
                packet.extend(word.to_be_bytes());
            }
            packet.extend(TTL_SECONDS.to_be_bytes());
            packet.extend(4_u16.to_be_bytes());
            packet.extend(address.octets());
        }
        packet
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn asked(name: &str, kind: u16) -> Vec<u8> {
        let mut packet = vec![0x12, 0x34, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            packet.push(u8::try_from(label.len()).unwrap());
            packet.extend(label.bytes());
        }
        packet.push(0);
        packet.extend(kind.to_be_bytes());
        packet.extend(CLASS_IN.to_be_bytes());
        packet
    }

    #[test]
    fn an_answer_repeats_the_question_and_gives_the_addresses() {
        let packet = asked("Redis.Seawall.test", TYPE_A);
        let question = Question::parse(&packet).unwrap();
        assert_eq!(question.name, "redis.seawall.test");
        let answer = question.answer(Code::Fine, &[Ipv4Addr::new(127, 0, 0, 2)]);
        assert_eq!(
            answer[..12],
            [0x12, 0x34, 0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]
        );
        assert_eq!(answer[12..packet.len()], packet[12..]);
        assert_eq!(
            answer[packet.len()..],
            [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 2]
        );
    }

    #[test]
    fn a_question_for_ipv6_is_answered_by_nothing_and_an_unknown_name_by_its_code() {
        let question = Question::parse(&asked("redis", 28)).unwrap();
        let answer = question.answer(Code::Fine, &[Ipv4Addr::LOCALHOST]);
        assert_eq!(answer[6..8], [0, 0]);
        let answer = question.answer(Code::NoSuchName, &[]);
        assert_eq!(answer[3] & 15, 3);
    }

    #[test]
    fn what_is_no_question_is_left_alone() {
        let mut answer = asked("redis", TYPE_A);
        answer[2] |= 0x80;
        assert_eq!(Question::parse(&answer), None);
        let whole = asked("redis", TYPE_A);
        for length in 0..whole.len() {
            assert_eq!(Question::parse(&whole[..length]), None, "{length}");
        }
    }

    proptest! {
        #[test]
        fn no_packet_makes_the_parser_panic(packet in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Question::parse(&packet);
        }
    }
}
