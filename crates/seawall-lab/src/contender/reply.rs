use super::percent::{decode, encode_into};
use super::{Malformed, split_once};

/// What a call returned, as a contender tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `nil`: a null of either protocol version.
    Nil,
    /// `int:5`. Booleans are 0 and 1.
    Int(i64),
    /// `str:<bytes>`: a bulk string of at most [`Reply::TEXT_BYTES_MAX`] bytes. Doubles are told as text.
    Text(Vec<u8>),
    /// `blob:<length>:<fnv64>`: a longer bulk string, told by its length and its FNV-1a hash of 64 bits (16 hex
    /// digits), so that five megabytes do not cross a pipe only to be compared.
    Blob {
        /// Its length in bytes.
        bytes: u64,
        /// Its FNV-1a hash.
        fnv: u64,
    },
    /// `simple:<bytes>`: a simple string, such as `OK`.
    Simple(Vec<u8>),
    /// `err:<bytes>`: an error that the server gave for one command inside a transaction or pipeline.
    Error(Vec<u8>),
    /// `arr:<n>:[r,r,..]`: an array; a map is told as an array of keys and values in turn.
    Array(Vec<Reply>),
}

/// How deep arrays may be nested in one reply. Redis commands of the lab's workloads need 2.
const DEPTH_MAX: u32 = 16;

impl Reply {
    /// Bulk strings up to this length are told byte for byte; longer ones as [`Reply::Blob`].
    pub const TEXT_BYTES_MAX: usize = 256;

    /// A bulk string as it is told: itself, or its length and hash.
    pub fn bulk(bytes: &[u8]) -> Self {
        if bytes.len() <= Self::TEXT_BYTES_MAX {
            Self::Text(bytes.to_vec())
        } else {
            Self::Blob {
                bytes: bytes.len() as u64,
                fnv: fnv64(bytes),
            }
        }
    }

    /// Appends the reply's written form to `line`.
    pub fn format_into(&self, line: &mut Vec<u8>) {
        match self {
            Self::Nil => line.extend(b"nil"),
            Self::Int(value) => line.extend(format!("int:{value}").bytes()),
            Self::Blob { bytes, fnv } => line.extend(format!("blob:{bytes}:{fnv:016x}").bytes()),
            Self::Text(bytes) => named(line, b"str:", bytes),
            Self::Simple(bytes) => named(line, b"simple:", bytes),
            Self::Error(bytes) => named(line, b"err:", bytes),
            Self::Array(items) => {
                line.extend(format!("arr:{}:[", items.len()).bytes());
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        line.push(b',');
                    }
                    item.format_into(line);
                }
                line.push(b']');
            }
        }
    }

    /// Reads one reply from its written form.
    ///
    /// # Errors
    /// Anything that [`format_into`](Self::format_into) would not write.
    pub fn parse(text: &[u8]) -> Result<Self, Malformed> {
        let (reply, rest) = parse_prefix(text, 0)?;
        if rest.is_empty() {
            Ok(reply)
        } else {
            Err(Malformed::Reply {
                at: text.len() - rest.len(),
            })
        }
    }
}

/// The FNV-1a hash of 64 bits: the simplest hash that every language can compute in five lines.
pub fn fnv64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn named(line: &mut Vec<u8>, name: &[u8], bytes: &[u8]) {
    line.extend(name);
    encode_into(line, bytes);
}

/// Reads one reply and returns what follows it: the end, `,` or `]`.
fn parse_prefix(text: &[u8], depth: u32) -> Result<(Reply, &[u8]), Malformed> {
    let refuse = || Malformed::Reply { at: 0 };
    let end = text
        .iter()
        .position(|b| matches!(b, b',' | b'[' | b']'))
        .unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let (name, value) = split_once(word, b':').unwrap_or((word, b""));
    let reply = match name {
        b"nil" if word == b"nil" => Reply::Nil,
        b"int" => Reply::Int(number(value)?),
        b"str" => Reply::Text(decode(value)?),
        b"simple" => Reply::Simple(decode(value)?),
        b"err" => Reply::Error(decode(value)?),
        b"blob" => {
            let (bytes, fnv) = split_once(value, b':').ok_or_else(refuse)?;
            let fnv = std::str::from_utf8(fnv)
                .ok()
                .and_then(|hex| u64::from_str_radix(hex, 16).ok());
            Reply::Blob {
                bytes: number(bytes)?,
                fnv: fnv.ok_or_else(refuse)?,
            }
        }
        b"arr" => return parse_array(value, rest, depth),
        _ => return Err(refuse()),
    };
    Ok((reply, rest))
}

fn parse_array<'a>(
    count: &[u8],
    rest: &'a [u8],
    depth: u32,
) -> Result<(Reply, &'a [u8]), Malformed> {
    let refuse = Malformed::Reply { at: 0 };
    if depth >= DEPTH_MAX {
        return Err(refuse);
    }
    let count: usize = number(count.strip_suffix(b":").ok_or(refuse.clone())?)?;
    let mut rest = rest.strip_prefix(b"[").ok_or(refuse.clone())?;
    let mut items = Vec::new();
    while items.len() < count {
        if !items.is_empty() {
            rest = rest.strip_prefix(b",").ok_or(refuse.clone())?;
        }
        let (item, after) = parse_prefix(rest, depth + 1)?;
        items.push(item);
        rest = after;
    }
    let rest = rest.strip_prefix(b"]").ok_or(refuse)?;
    Ok((Reply::Array(items), rest))
}

fn number<N: std::str::FromStr>(digits: &[u8]) -> Result<N, Malformed> {
    std::str::from_utf8(digits)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(Malformed::Reply { at: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(reply: &Reply) -> String {
        let mut line = Vec::new();
        reply.format_into(&mut line);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn a_transaction_reads_as_the_documentation_shows_it() {
        let reply = Reply::Array(vec![
            Reply::Int(5),
            Reply::Text(b"a,b".to_vec()),
            Reply::Nil,
            Reply::Array(vec![]),
        ]);
        assert_eq!(written(&reply), "arr:4:[int:5,str:a%2Cb,nil,arr:0:[]]");
        assert_eq!(
            Reply::parse(b"arr:4:[int:5,str:a%2Cb,nil,arr:0:[]]"),
            Ok(reply)
        );
    }

    #[test]
    fn a_long_value_is_told_by_length_and_hash() {
        assert_eq!(
            written(&Reply::bulk(&[b'x'; 257])),
            format!("blob:257:{:016x}", fnv64(&[b'x'; 257]))
        );
        assert_eq!(fnv64(b"a"), 0xaf63_dc4c_8601_ec8c);
    }

    #[test]
    fn counts_that_lie_and_endless_nesting_are_refused() {
        for text in [
            "arr:2:[int:1]",
            "arr:1:[int:1,int:2]",
            "arr:1:[int:1]x",
            "int:1x",
            "nil:",
            "arr:1:",
            "what:1",
            "",
        ] {
            assert!(Reply::parse(text.as_bytes()).is_err(), "{text}");
        }
        let deep = format!("{}nil{}", "arr:1:[".repeat(17), "]".repeat(17));
        assert!(Reply::parse(deep.as_bytes()).is_err());
    }

    fn any_reply() -> impl Strategy<Value = Reply> {
        let bytes = || proptest::collection::vec(any::<u8>(), 0..16);
        let leaf = prop_oneof![
            Just(Reply::Nil),
            any::<i64>().prop_map(Reply::Int),
            bytes().prop_map(Reply::Text),
            bytes().prop_map(Reply::Simple),
            bytes().prop_map(Reply::Error),
            (any::<u64>(), any::<u64>()).prop_map(|(bytes, fnv)| Reply::Blob { bytes, fnv }),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            proptest::collection::vec(inner, 0..4).prop_map(Reply::Array)
        })
    }

    proptest! {
        #[test]
        fn every_reply_comes_back(reply in any_reply()) {
            prop_assert_eq!(Reply::parse(written(&reply).as_bytes()), Ok(reply));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "[a-z0-9:,%\\[\\]]{0,40}") {
            let _ = Reply::parse(text.as_bytes());
        }
    }
}
