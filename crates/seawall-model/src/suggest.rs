//! "Did you mean": the known name nearest to what was typed.

/// The candidate nearest to `typed`, if it is near enough that a slip of the fingers explains it: a third of its
/// letters, at most three.
pub(crate) fn nearest(
    typed: &str,
    candidates: impl IntoIterator<Item = &'static str>,
) -> Option<&'static str> {
    // Longer than any name: no slip, and the distance costs the product of both lengths.
    const TYPED_MAX: usize = 64;
    if typed.len() > TYPED_MAX {
        return None;
    }
    let typed = typed.to_ascii_lowercase().replace('-', "_");
    candidates
        .into_iter()
        .map(|candidate| (distance(typed.as_bytes(), candidate.as_bytes()), candidate))
        .filter(|(slips, candidate)| *slips <= (candidate.len() / 3).clamp(1, 3))
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate)
}

/// How many letters were inserted, left out, changed or swapped with their neighbour.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let changed = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (above[j] + 1)
                .min(row[j - 1] + 1)
                .min(above[j - 1] + changed);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 4] = ["deadline", "socket_timeout", "db", "pool_size"];

    #[test]
    fn slips_of_the_fingers_find_their_name() {
        for (typed, meant) in [
            ("deadlin", "deadline"),
            ("daedline", "deadline"),
            ("socket-timeout", "socket_timeout"),
            ("SOCKET_TIMEOUT", "socket_timeout"),
            ("dbb", "db"),
            ("poolsize", "pool_size"),
        ] {
            assert_eq!(nearest(typed, NAMES), Some(meant), "{typed}");
        }
    }

    #[test]
    fn another_word_suggests_nothing() {
        for typed in [
            "",
            "banana",
            "x",
            "timeout_of_something_else",
            &"d".repeat(500),
        ] {
            assert_eq!(nearest(typed, NAMES), None, "{typed}");
        }
    }

    #[test]
    fn a_swap_of_neighbours_is_one_slip() {
        assert_eq!(distance(b"abcd", b"abdc"), 1);
        assert_eq!(distance(b"abcd", b""), 4);
        assert_eq!(distance(b"", b""), 0);
    }
}
