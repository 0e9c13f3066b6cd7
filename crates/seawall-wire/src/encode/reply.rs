use super::Protocol;
use crate::number;
use std::io::Write;

/// Longer errors are sent as strings where the protocol has them: readers limit their lines, most to 64 KiB.
const ERROR_LINE_BYTES_MAX: usize = 4096;

/// Appends `+text`, such as `+OK`. Line ends inside become spaces.
pub fn simple(out: &mut Vec<u8>, text: impl AsRef<[u8]>) {
    line(out, b'+', text.as_ref());
}

/// Appends an error: its whole text, which begins with the word for its kind, such as `ERR`.
///
/// As `-text`; in RESP3 as `!` if it has several lines, or more than 4 KiB. In RESP2 line ends become spaces.
pub fn error(out: &mut Vec<u8>, text: impl AsRef<[u8]>, protocol: Protocol) {
    let text = text.as_ref();
    let fits_line =
        text.len() <= ERROR_LINE_BYTES_MAX && memchr::memchr2(b'\r', b'\n', text).is_none();
    if fits_line || protocol == Protocol::Resp2 {
        line(out, b'-', text);
    } else {
        blob(out, b'!', text);
    }
}

/// Appends a string: any bytes.
pub fn bulk(out: &mut Vec<u8>, content: impl AsRef<[u8]>) {
    blob(out, b'$', content.as_ref());
}

/// Appends a whole number.
pub fn int(out: &mut Vec<u8>, value: i64) {
    line(out, b':', itoa::Buffer::new().format(value).as_bytes());
}

/// Appends nothing's sign: `_`, in RESP2 `$-1`.
pub fn null(out: &mut Vec<u8>, protocol: Protocol) {
    out.extend_from_slice(match protocol {
        Protocol::Resp2 => b"$-1\r\n",
        Protocol::Resp3 => b"_\r\n",
    });
}

/// Appends true or false; in RESP2 1 or 0.
pub fn boolean(out: &mut Vec<u8>, value: bool, protocol: Protocol) {
    out.extend_from_slice(match (protocol, value) {
        (Protocol::Resp2, false) => b":0\r\n",
        (Protocol::Resp2, true) => b":1\r\n",
        (Protocol::Resp3, false) => b"#f\r\n",
        (Protocol::Resp3, true) => b"#t\r\n",
    });
}

/// Appends a floating-point number in the fewest digits that read back the same; in RESP2 as a bulk string.
pub fn double(out: &mut Vec<u8>, value: f64, protocol: Protocol) {
    let mut text = DoubleText::default();
    text.format(value);
    match protocol {
        Protocol::Resp2 => blob(out, b'$', text.as_bytes()),
        Protocol::Resp3 => line(out, b',', text.as_bytes()),
    }
}

/// Appends a whole number of any size; in RESP2, and if these are no digits, as a bulk string.
pub fn big_number(out: &mut Vec<u8>, digits: &str, protocol: Protocol) {
    if protocol == Protocol::Resp3 && number::is_big_number(digits.as_bytes()) {
        line(out, b'(', digits.as_bytes());
    } else {
        blob(out, b'$', digits.as_bytes());
    }
}

/// Appends a text for people with its format; in RESP2 the text alone, as a bulk string.
pub fn verbatim(out: &mut Vec<u8>, format: [u8; 3], text: &[u8], protocol: Protocol) {
    match protocol {
        Protocol::Resp2 => blob(out, b'$', text),
        Protocol::Resp3 => {
            header(out, b'=', text.len() + format.len() + 1);
            out.extend_from_slice(&format);
            out.push(b':');
            out.extend_from_slice(text);
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Appends the head of an array: `elements` values have to follow.
pub fn array_header(out: &mut Vec<u8>, elements: usize) {
    header(out, b'*', elements);
}

/// Appends the head of a set: `elements` values have to follow. In RESP2 an array.
pub fn set_header(out: &mut Vec<u8>, elements: usize, protocol: Protocol) {
    header(
        out,
        if protocol == Protocol::Resp3 {
            b'~'
        } else {
            b'*'
        },
        elements,
    );
}

/// Appends the head of a push: `elements` values have to follow. In RESP2 an array.
pub fn push_header(out: &mut Vec<u8>, elements: usize, protocol: Protocol) {
    header(
        out,
        if protocol == Protocol::Resp3 {
            b'>'
        } else {
            b'*'
        },
        elements,
    );
}

/// Appends the head of a map: `pairs` keys, each with its value, have to follow. In RESP2 an array of twice as many.
pub fn map_header(out: &mut Vec<u8>, pairs: usize, protocol: Protocol) {
    match protocol {
        Protocol::Resp2 => header(out, b'*', pairs * 2),
        Protocol::Resp3 => header(out, b'%', pairs),
    }
}

/// Appends the head of attributes: `pairs` keys, each with its value, have to follow, then what they describe. RESP3
/// alone has these.
pub fn attribute_header(out: &mut Vec<u8>, pairs: usize) {
    header(out, b'|', pairs);
}

#[inline]
fn header(out: &mut Vec<u8>, marker: u8, count: usize) {
    // Most words are short, and most commands have few.
    match u8::try_from(count) {
        Ok(digit @ 0..10) => out.extend_from_slice(&[marker, b'0' + digit, b'\r', b'\n']),
        Ok(two @ 10..100) => {
            out.extend_from_slice(&[marker, b'0' + two / 10, b'0' + two % 10, b'\r', b'\n']);
        }
        _ => {
            out.push(marker);
            out.extend_from_slice(itoa::Buffer::new().format(count).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }
}

#[inline]
fn blob(out: &mut Vec<u8>, marker: u8, content: &[u8]) {
    // A marker, at most 20 digits and two line ends; one growth at most.
    out.reserve(content.len() + 25);
    header(out, marker, content.len());
    out.extend_from_slice(content);
    out.extend_from_slice(b"\r\n");
}

fn line(out: &mut Vec<u8>, marker: u8, text: &[u8]) {
    out.reserve(text.len() + 3);
    out.push(marker);
    let start = out.len();
    out.extend_from_slice(text);
    for byte in &mut out[start..] {
        if matches!(byte, b'\r' | b'\n') {
            *byte = b' ';
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// The text of a double, built without allocation.
#[derive(Default)]
struct DoubleText {
    bytes: [u8; 32],
    len: usize,
}

impl DoubleText {
    fn format(&mut self, value: f64) {
        let size = value.abs();
        let mut free = &mut self.bytes[..];
        let whole = free.len();
        let done = if value.is_nan() {
            free.write_all(b"nan")
        } else if size == 0.0 || (1e-5..1e17).contains(&size) || value.is_infinite() {
            write!(free, "{value}")
        } else {
            write!(free, "{value:e}")
        };
        debug_assert!(
            done.is_ok(),
            "seventeen digits, sign, point and exponent fit"
        );
        self.len = whole - free.len();
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("these are ASCII")
    }

    #[test]
    fn doubles_are_short_and_read_back_the_same() {
        for (value, text) in [
            (0.0, ",0\r\n"),
            (-0.0, ",-0\r\n"),
            (3.5, ",3.5\r\n"),
            (10.0, ",10\r\n"),
            (1e300, ",1e300\r\n"),
            (-1.5e-9, ",-1.5e-9\r\n"),
            (f64::INFINITY, ",inf\r\n"),
            (f64::NEG_INFINITY, ",-inf\r\n"),
            (f64::NAN, ",nan\r\n"),
            (f64::MAX, ",1.7976931348623157e308\r\n"),
            (f64::MIN_POSITIVE, ",2.2250738585072014e-308\r\n"),
            (
                -0.000_012_345_678_901_234_568,
                ",-0.000012345678901234568\r\n",
            ),
        ] {
            assert_eq!(written(|out| double(out, value, Protocol::Resp3)), text);
        }
        assert_eq!(
            written(|out| double(out, 3.5, Protocol::Resp2)),
            "$3\r\n3.5\r\n"
        );
    }

    #[test]
    fn line_ends_never_break_a_line() {
        assert_eq!(written(|out| simple(out, "a\r\nb")), "+a  b\r\n");
        assert_eq!(
            written(|out| error(out, "ERR a\nb", Protocol::Resp2)),
            "-ERR a b\r\n"
        );
        assert_eq!(
            written(|out| error(out, "ERR a\nb", Protocol::Resp3)),
            "!7\r\nERR a\nb\r\n"
        );
        assert_eq!(
            written(|out| big_number(out, "1\r\n:2", Protocol::Resp3)),
            "$5\r\n1\r\n:2\r\n"
        );
    }
}
