use super::command::CommandFacts;
use super::table::ALL;

/// Slots of the index: a power of two, four times the rows and more, so that a search seldom looks at a second row.
const SLOTS: usize = 2048;
/// Set in an index entry whose command is a container: its second word chooses the subcommand.
const CONTAINER: u16 = 1 << 15;
/// Longer words are no command's name; they are not even looked for.
const WORD_MAX: usize = 32;

/// Row number plus 1, and [`CONTAINER`]; 0: no row.
static INDEX: [u16; SLOTS] = index();

/// The facts of the command that these arguments call, without regard to case; of a container (CONFIG, XGROUP) those
/// of the subcommand. `None`: no pinned server knows it.
///
/// A container alone gives its own row: servers refuse it, or, as COMMAND, answer it.
pub fn lookup<A: AsRef<[u8]>>(args: &[A]) -> Option<&'static CommandFacts> {
    let word = args.first()?.as_ref();
    let entry = find(word, None)?;
    if entry & CONTAINER == 0 {
        return Some(row(entry));
    }
    match args.get(1) {
        None => Some(row(entry)),
        Some(second) => find(word, Some(second.as_ref())).map(row),
    }
}

fn row(entry: u16) -> &'static CommandFacts {
    &ALL[usize::from(entry & !CONTAINER) - 1]
}

fn find(first: &[u8], second: Option<&[u8]>) -> Option<u16> {
    if first.len() > WORD_MAX || second.is_some_and(|second| second.len() > WORD_MAX) {
        return None;
    }
    let mut slot = slot(first, second.unwrap_or_default());
    loop {
        let entry = INDEX[slot];
        if entry == 0 {
            return None;
        }
        if is_named(row(entry).name.as_bytes(), first, second) {
            return Some(entry);
        }
        slot = (slot + 1) % SLOTS;
    }
}

fn is_named(name: &[u8], first: &[u8], second: Option<&[u8]>) -> bool {
    match second {
        // A subcommand's name has a space, and is two words or nothing.
        None => name.eq_ignore_ascii_case(first) && !first.contains(&b' '),
        Some(second) => name
            .split_at_checked(first.len())
            .is_some_and(|(start, rest)| {
                start.eq_ignore_ascii_case(first)
                    && rest.split_first().is_some_and(|(&gap, rest)| {
                        gap == b' ' && rest.eq_ignore_ascii_case(second)
                    })
            }),
    }
}

/// The slot where the search for a name begins.
///
/// Length and five letters, without regard to case, tell all names apart but one pair: looking at more of them costs
/// more than the comparison that it would save.
const fn slot(first: &[u8], second: &[u8]) -> usize {
    /// The golden ratio's fraction, odd: its multiples spread over the upper bits.
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mixed = sketch(first).wrapping_mul(SPREAD).rotate_left(32) ^ sketch(second);
    (mixed.wrapping_mul(SPREAD) >> (u64::BITS - SLOTS.ilog2())) as usize
}

const fn sketch(word: &[u8]) -> u64 {
    let len = word.len();
    if len == 0 {
        return 0;
    }
    let letters = [
        word[0],
        word[len / 4],
        word[len / 2],
        word[len * 3 / 4],
        word[len - 1],
        0,
        0,
        0,
    ];
    // The bit that tells lower from upper case is set in all.
    ((u64::from_le_bytes(letters) | 0x20_2020_2020) << 6) ^ len as u64
}

const fn index() -> [u16; SLOTS] {
    assert!(
        ALL.len() * 4 <= SLOTS,
        "the index is too small for the table"
    );
    let mut index = [0; SLOTS];
    let mut at = 0;
    while at < ALL.len() {
        let name = ALL[at].name.as_bytes();
        let (first, second) = words(name);
        let mut slot = slot(first, second);
        while index[slot] != 0 {
            slot = (slot + 1) % SLOTS;
        }
        index[slot] = at as u16 + 1;
        // The table is sorted, and a space sorts before all letters: a container's first subcommand is the next row.
        if at + 1 < ALL.len() && is_subcommand(ALL[at + 1].name.as_bytes(), name) {
            index[slot] |= CONTAINER;
        }
        at += 1;
    }
    index
}

/// A name's words; the second is empty if it has one.
const fn words(name: &[u8]) -> (&[u8], &[u8]) {
    let mut at = 0;
    while at < name.len() {
        if name[at] == b' ' {
            return (name.split_at(at).0, name.split_at(at + 1).1);
        }
        at += 1;
    }
    (name, &[])
}

const fn is_subcommand(name: &[u8], container: &[u8]) -> bool {
    if name.len() <= container.len() || name[container.len()] != b' ' {
        return false;
    }
    let mut at = 0;
    while at < container.len() {
        if name[at] != container[at] {
            return false;
        }
        at += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_by_its_words_in_any_case() {
        for facts in ALL {
            for name in [facts.name.to_owned(), facts.name.to_ascii_uppercase()] {
                let words: Vec<&str> = name.split(' ').collect();
                assert_eq!(lookup(&words), Some(facts), "{name}");
            }
        }
    }

    #[test]
    fn a_subcommand_is_told_from_its_container() {
        let name = |args: &[&str]| lookup(args).map(|facts| facts.name);
        assert_eq!(name(&["Config", "gEt", "*"]), Some("config get"));
        assert_eq!(name(&["CONFIG"]), Some("config"));
        assert_eq!(name(&["CONFIG", "GETT"]), None);
        assert_eq!(name(&["CONFIG GET"]), None);
        assert_eq!(name(&["GET", "GET"]), Some("get"));
    }

    #[test]
    fn what_is_no_command_is_not_found() {
        let long = "G".repeat(1 << 20);
        for word in ["", "GETT", "GE", "\u{e9}", " ", long.as_str()] {
            assert_eq!(lookup(&[word]), None);
        }
        assert_eq!(lookup::<&str>(&[]), None);
    }

    #[test]
    fn no_probe_is_long() {
        let mut longest = 0;
        let mut run = 0;
        for entry in INDEX.iter().chain(&INDEX) {
            run = if *entry == 0 { 0 } else { run + 1 };
            longest = longest.max(run);
        }
        assert!(longest <= 12, "a run of {longest} taken slots");
    }
}
