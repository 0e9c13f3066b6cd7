//! What is written reads back as what it was.

use crate::generate::value;
use proptest::prelude::*;
use seawall_wire::encode::{self, Protocol};
use seawall_wire::scan::{RequestForm, RequestScan, RequestScanner, Scan, Scanner};
use seawall_wire::{Limits, Value, request};

fn written(value: &Value, protocol: Protocol) -> Vec<u8> {
    let mut out = Vec::new();
    encode::value(&mut out, value, protocol);
    out
}

/// What of a value reaches a client that speaks RESP2.
fn downgraded(value: &Value) -> Value {
    let all = |values: &[Value]| Value::Array(values.iter().map(downgraded).collect());
    match value {
        Value::Null | Value::Int(_) | Value::Simple(_) | Value::Bulk(_) => value.clone(),
        Value::Bool(value) => Value::Int(i64::from(*value)),
        Value::Double(number) => {
            let three = written(&Value::Double(*number), Protocol::Resp3);
            Value::Bulk(three[1..three.len() - 2].to_vec())
        }
        Value::BigNumber(digits) => Value::Bulk(digits.as_bytes().to_vec()),
        Value::Verbatim { text, .. } => Value::Bulk(text.clone()),
        Value::Error(error) => {
            let one_line = error.message.replace(['\r', '\n'], " ");
            Value::Error(seawall_wire::error::ServerError::parse(one_line.as_bytes()))
        }
        Value::Array(values) | Value::Set(values) | Value::Push(values) => all(values),
        Value::Map(pairs) => Value::Array(
            pairs
                .iter()
                .flat_map(|(key, value)| [downgraded(key), downgraded(value)])
                .collect(),
        ),
        Value::Attributed { value, .. } => downgraded(value),
    }
}

proptest! {
    #[test]
    fn resp3_gives_back_every_value(value in value()) {
        let frame = written(&value, Protocol::Resp3);
        prop_assert_eq!(Value::decode(&frame, &Limits::default()), Ok((value, frame.len())));
    }

    #[test]
    fn resp2_gives_back_what_it_can_carry(value in value()) {
        let frame = written(&value, Protocol::Resp2);
        prop_assert_eq!(Value::decode(&frame, &Limits::default()), Ok((downgraded(&value), frame.len())));
    }

    #[test]
    fn frames_stand_alone_whatever_follows_them(value in value(), rest in prop::collection::vec(any::<u8>(), 0..20)) {
        let mut bytes = written(&value, Protocol::Resp3);
        let whole = bytes.len();
        bytes.extend_from_slice(&rest);
        let found = Scanner::new(Limits::default()).scan(&bytes);
        let is_whole = matches!(found, Ok(Scan::Complete { len, .. }) if len == whole);
        prop_assert!(is_whole, "{:?}", found);
        prop_assert_eq!(Value::decode(&bytes, &Limits::default()), Ok((value, whole)));
    }

    #[test]
    fn commands_give_back_their_arguments(args in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 1..8)) {
        let mut frame = Vec::new();
        encode::command(&mut frame, &args);
        let form = RequestForm::Array { args: args.len() as u64 };
        let found = RequestScanner::new(Limits::default()).scan(&frame);
        prop_assert_eq!(found, Ok(RequestScan::Complete { len: frame.len(), form }));
        let read = request::args(&frame).expect("well-formed");
        prop_assert_eq!(read.iter().collect::<Vec<_>>(), args.iter().collect::<Vec<_>>());
        prop_assert_eq!(read.len(), args.len());
    }

    #[test]
    fn doubles_read_back_bit_for_bit(bits in any::<u64>()) {
        let number = f64::from_bits(bits);
        let frame = written(&Value::Double(number), Protocol::Resp3);
        let Ok((Value::Double(read), _)) = Value::decode(&frame, &Limits::default()) else {
            return Err(TestCaseError::fail("no double"));
        };
        prop_assert!(read.to_bits() == bits || (read.is_nan() && number.is_nan()), "{number:e} became {read:e}");
    }
}

#[test]
#[should_panic(expected = "announced 3 arguments and gave 2")]
fn a_command_with_a_wrong_head_is_never_written_in_silence() {
    struct Liar(std::array::IntoIter<&'static str, 2>);
    impl Iterator for Liar {
        type Item = &'static str;
        fn next(&mut self) -> Option<&'static str> {
            self.0.next()
        }
        fn size_hint(&self) -> (usize, Option<usize>) {
            (3, Some(3))
        }
    }
    impl ExactSizeIterator for Liar {}
    encode::command(&mut Vec::new(), Liar(["GET", "key"].into_iter()));
}
