//! Arbitrary values, frames and requests.

use proptest::collection::vec;
use proptest::prelude::*;
use seawall_wire::encode::{self, Protocol};
use seawall_wire::error::ServerError;
use seawall_wire::{Limits, Value};

/// The usual limits, limits so tight that arbitrary frames meet them, and none.
pub(crate) const LIMITS: [Limits; 3] = [
    Limits {
        frame_bytes_max: 1 << 30,
        line_bytes_max: 64 << 10,
        depth_max: 32,
        elements_max: 64 << 20,
    },
    Limits {
        frame_bytes_max: 120,
        line_bytes_max: 20,
        depth_max: 3,
        elements_max: 12,
    },
    Limits {
        frame_bytes_max: u64::MAX,
        line_bytes_max: u32::MAX,
        depth_max: u8::MAX,
        elements_max: u64::MAX,
    },
];

/// Any value that RESP3 can carry back and forth unchanged.
pub(crate) fn value() -> impl Strategy<Value = Value> {
    plain().prop_recursive(4, 48, 6, |inner| {
        let pairs = vec((inner.clone(), inner.clone()), 0..4);
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::Array),
            vec(inner.clone(), 0..6).prop_map(Value::Set),
            vec(inner.clone(), 0..6).prop_map(Value::Push),
            pairs.clone().prop_map(Value::Map),
            (pairs, inner).prop_map(|(attributes, value)| described(attributes, value)),
        ]
    })
}

fn described(attributes: Vec<(Value, Value)>, value: Value) -> Value {
    // Attributes of an attributed value are joined when they are read, and none at all leave no trace.
    match value {
        value if attributes.is_empty() => value,
        Value::Attributed { value, .. } => Value::Attributed { attributes, value },
        value => Value::Attributed {
            attributes,
            value: Box::new(value),
        },
    }
}

fn plain() -> impl Strategy<Value = Value> {
    let number = any::<f64>().prop_filter("equal to itself", |number| !number.is_nan());
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        prop_oneof![number, Just(f64::INFINITY), Just(-0.0)].prop_map(Value::Double),
        "-?[0-9]{1,40}".prop_map(|digits| Value::BigNumber(digits.into())),
        vec(
            any::<u8>().prop_filter("no line end", |byte| !b"\r\n".contains(byte)),
            0..12
        )
        .prop_map(Value::Simple),
        vec(any::<u8>(), 0..40).prop_map(Value::Bulk),
        (any::<[u8; 3]>(), vec(any::<u8>(), 0..20))
            .prop_map(|(format, text)| Value::Verbatim { format, text }),
        "[A-Z]{2,9}( .{0,20})?".prop_map(|text| Value::Error(ServerError::parse(text.as_bytes()))),
        "(ERR|MOVED 7 h:1|BUSYGROUP)( \r?\nx)?"
            .prop_map(|text| Value::Error(ServerError::parse(text.as_bytes()))),
    ]
}

/// The bytes of one well-formed frame, streamed strings and aggregates among its parts.
pub(crate) fn frame() -> impl Strategy<Value = Vec<u8>> {
    let streamed_string = vec(vec(any::<u8>(), 1..9), 0..4).prop_map(|parts| {
        let mut out = b"$?\r\n".to_vec();
        for part in parts {
            out.extend_from_slice(format!(";{}\r\n", part.len()).as_bytes());
            out.extend_from_slice(&part);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b";0\r\n");
        out
    });
    let resp2_nulls = prop_oneof![Just(b"$-1\r\n".to_vec()), Just(b"*-1\r\n".to_vec())];
    let plain = plain().prop_map(|value| {
        let mut out = Vec::new();
        encode::value(&mut out, &value, Protocol::Resp3);
        out
    });
    prop_oneof![4 => plain, 1 => streamed_string, 1 => resp2_nulls].prop_recursive(
        4,
        40,
        5,
        |inner| {
            prop_oneof![
                ("[*~>]", vec(inner.clone(), 0..5)).prop_map(|(marker, elements)| {
                    [
                        format!("{marker}{}\r\n", elements.len()).into_bytes(),
                        elements.concat(),
                    ]
                    .concat()
                }),
                (
                    "[%|]",
                    vec((inner.clone(), inner.clone()), 0..4),
                    inner.clone()
                )
                    .prop_map(|(marker, pairs, last)| {
                        let head = format!("{marker}{}\r\n", pairs.len()).into_bytes();
                        let pairs = pairs
                            .into_iter()
                            .flat_map(|(key, value)| [key, value])
                            .collect::<Vec<_>>()
                            .concat();
                        [head, pairs, if marker == "|" { last } else { Vec::new() }].concat()
                    }),
                ("[*~]", vec(inner.clone(), 0..5)).prop_map(|(marker, elements)| {
                    [
                        format!("{marker}?\r\n").into_bytes(),
                        elements.concat(),
                        b".\r\n".to_vec(),
                    ]
                    .concat()
                }),
                vec((inner.clone(), inner.clone()), 0..4).prop_map(|pairs| {
                    let pairs = pairs
                        .into_iter()
                        .flat_map(|(key, value)| [key, value])
                        .collect::<Vec<_>>()
                        .concat();
                    [b"%?\r\n".to_vec(), pairs, b".\r\n".to_vec()].concat()
                }),
            ]
        },
    )
}

/// Several frames behind each other, with a few bytes changed, cut or put in: mostly malformed, often late.
pub(crate) fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        any::<u8>(),
        "[$*+:_#,(!=%~>|;.?0-9\r\n-]".prop_map(|text| text.as_bytes()[0])
    ];
    let damage = (any::<prop::sample::Index>(), 0..3_u8, byte);
    (vec(frame(), 1..4), vec(damage, 0..4)).prop_map(|(frames, damages)| {
        let mut bytes = frames.concat();
        for (place, how, byte) in damages {
            let place = place.index(bytes.len());
            match how {
                0 => bytes[place] = byte,
                1 => bytes.insert(place, byte),
                _ if bytes.len() > 1 => drop(bytes.remove(place)),
                _ => {}
            }
        }
        bytes
    })
}

/// Bytes from the alphabet of the protocol, which reach further into a parser than any bytes.
pub(crate) fn noise() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"\r\n".to_vec()),
        "[$*+:_#,(!=%~>|;.-]".prop_map(String::into_bytes),
        "-?[0-9]{1,3}".prop_map(String::into_bytes),
        "[$*%~|;>][0-4?]\r\n".prop_map(String::into_bytes),
        "[*%]([0-9]{7,20})\r\n".prop_map(String::into_bytes),
        "(_|#t|:1|,1e3|\\(9|\\+OK|\\.|;0)\r\n".prop_map(String::into_bytes),
        vec(any::<u8>(), 0..6),
    ];
    vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// Where to cut so many bytes into reads.
pub(crate) fn cuts() -> impl Strategy<Value = Vec<prop::sample::Index>> {
    vec(any::<prop::sample::Index>(), 0..8)
}
