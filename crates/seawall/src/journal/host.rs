//! What the host says of itself: its wall clock, and which boot this is.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970 by the wall clock: it may jump, and joins with logs.
pub(super) fn unix_ms() -> u64 {
    // A clock before 1970 is one that was not set: such records are joined by the boot clock alone.
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The kernel's id of this boot; zeros where it does not tell. Read anew for each journal: a value that is made once is
/// waited for without end in a child that was forked while another thread was making it.
pub(super) fn boot_id() -> [u8; 16] {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    parse(&text).unwrap_or_default()
}

/// `8d3f...-...`: 32 hexadecimal digits, and dashes between them.
fn parse(text: &str) -> Option<[u8; 16]> {
    let digits: Vec<u8> = text
        .trim()
        .bytes()
        .filter(|&byte| byte != b'-')
        .map(|byte| char::from(byte).to_digit(16).map(|digit| digit as u8))
        .collect::<Option<_>>()?;
    let mut id = [0; 16];
    let (pairs, []) = digits.as_chunks::<2>() else {
        return None;
    };
    if pairs.len() != id.len() {
        return None;
    }
    for (byte, [high, low]) in id.iter_mut().zip(pairs) {
        *byte = high << 4 | low;
    }
    Some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_boot_id_is_read_as_sixteen_bytes() {
        let id = parse("00112233-4455-6677-8899-aabbccddeeff\n").expect("it is one");
        assert_eq!((id[0], id[1], id[15]), (0x00, 0x11, 0xff));
        for wrong in ["", "00112233", "0011223g-4455-6677-8899-aabbccddeeff"] {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }
}
