use super::lookup::lookup;
use super::options::Arguments;

/// Where a command's keys stand among its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// It names no key, or none that its arguments show (KEYS, FLUSHALL, PUBLISH).
    None,
    /// Where the server's own key specifications say, at most [`Keys::SPECS_MAX`] of them.
    Specs(&'static [KeySpec]),
    /// SORT: the first argument, and what stands after the last STORE. Keys that BY and GET make up are not seen.
    Sort,
    /// MIGRATE: one key, or, where that is empty, all that follow KEYS.
    Migrate,
}

impl Keys {
    /// The most specifications that a command has; the generator refuses more.
    pub const SPECS_MAX: usize = 3;
}

/// One run of keys among a command's arguments. Arguments are counted from the command's name, which is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySpec {
    /// Where to begin.
    pub begin: Begin,
    /// Which arguments from there are keys.
    pub find: Find,
    /// What happens to them.
    pub role: KeyRole,
}

/// Where a run of keys begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// At this argument.
    Index {
        /// Counted from the command's name.
        at: u8,
    },
    /// After a word.
    Keyword {
        /// In upper case.
        word: &'static str,
        /// The first argument that can be the word.
        from: u8,
    },
}

/// Which arguments are keys, seen from where the run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Find {
    /// From the beginning to `last`.
    Range {
        /// Counted from the beginning; if negative from the end, where -1 is the last argument.
        last: i8,
        /// One key in so many arguments (MSET: 2).
        step: u8,
        /// Only the first of so many equal parts of what follows; 0 and 1: all of it (XREAD: 2, for ids follow).
        parts: u8,
    },
    /// As many as an argument says.
    Counted {
        /// The argument that says how many, counted from the beginning.
        count: u8,
        /// The first key, counted from the beginning.
        first: u8,
        /// One key in so many arguments.
        step: u8,
    },
}

/// What a command does to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyRole {
    /// Reads it.
    Read,
    /// Changes it, or may, seen from what it was.
    Update,
    /// Replaces it whatever it was.
    Overwrite,
    /// Deletes it whatever it was.
    Remove,
    /// It is no key, only sent to the same slot: a shard channel, a cluster-wide cursor.
    Channel,
}

impl KeyRole {
    /// Whether the key may be another one afterwards.
    pub const fn writes(self) -> bool {
        matches!(self, Self::Update | Self::Overwrite | Self::Remove)
    }
}

/// A key among the arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocatedKey<'a> {
    /// The key.
    pub key: &'a [u8],
    /// Which argument it is, counted from the command's name.
    pub at: usize,
    /// What the command does to it.
    pub role: KeyRole,
}

/// The keys that these arguments name, in their order by specification; none for an unknown command, and none of a
/// run that the server would refuse.
pub fn keys<A: AsRef<[u8]>>(args: &[A]) -> impl Iterator<Item = &[u8]> {
    located_keys(args)
        .filter(|located| located.role != KeyRole::Channel)
        .map(|located| located.key)
}

/// The keys that these arguments name, with their places and roles, and what is no key but goes to its slot.
pub fn located_keys<A: AsRef<[u8]>>(args: &[A]) -> impl Iterator<Item = LocatedKey<'_>> {
    lookup(args)
        .map_or(Keys::None, |facts| facts.keys)
        .locate(args)
}

impl Keys {
    /// The keys that these arguments name.
    pub fn locate<A: AsRef<[u8]>>(self, args: &[A]) -> impl Iterator<Item = LocatedKey<'_>> {
        self.runs(&Arguments(args))
            .into_iter()
            .flatten()
            .flat_map(move |run| {
                (run.first..run.end)
                    .step_by(run.step)
                    .map(move |at| LocatedKey {
                        key: args[at].as_ref(),
                        at,
                        role: run.role,
                    })
            })
    }

    fn runs<A: AsRef<[u8]>>(self, args: &Arguments<'_, A>) -> [Option<Run>; Self::SPECS_MAX] {
        let mut runs = [None; Self::SPECS_MAX];
        match self {
            Self::None => {}
            Self::Specs(specs) => {
                for (run, spec) in runs.iter_mut().zip(specs) {
                    *run = spec.run(args);
                }
            }
            Self::Sort => {
                runs[0] = Run::single(1, KeyRole::Read, args.len());
                runs[1] = sort_destination(args)
                    .and_then(|at| Run::single(at, KeyRole::Overwrite, args.len()));
            }
            Self::Migrate => runs[0] = migrate_run(args),
        }
        runs
    }
}

/// Arguments that are keys: `first`, and every `step`th below `end`. Never past the arguments, and `step` is not 0.
#[derive(Clone, Copy)]
struct Run {
    first: usize,
    end: usize,
    step: usize,
    role: KeyRole,
}

impl Run {
    fn new(first: usize, end: usize, step: u8, role: KeyRole, count: usize) -> Option<Self> {
        (first < end && end <= count).then_some(Self {
            first,
            end,
            step: usize::from(step.max(1)),
            role,
        })
    }

    fn single(at: usize, role: KeyRole, count: usize) -> Option<Self> {
        Self::new(at, at + 1, 1, role, count)
    }
}

impl KeySpec {
    fn run<A: AsRef<[u8]>>(&self, args: &Arguments<'_, A>) -> Option<Run> {
        let begin = match self.begin {
            Begin::Index { at } => usize::from(at),
            Begin::Keyword { word, from } => {
                1 + (usize::from(from)..args.len()).find(|&at| args.is(at, word))?
            }
        };
        match self.find {
            Find::Range { last, step, parts } => {
                let part = args.len().checked_sub(begin)? / usize::from(parts.max(1));
                let back = usize::from(last.unsigned_abs());
                let end = if last < 0 {
                    (begin + part + 1).checked_sub(back)?
                } else {
                    begin + back + 1
                };
                Run::new(begin, end, step, self.role, args.len())
            }
            Find::Counted { count, first, step } => {
                let keys = args.count(begin + usize::from(count))?;
                let first = begin + usize::from(first);
                let beyond = (keys - 1).checked_mul(usize::from(step))?;
                let end = first.checked_add(beyond)?.checked_add(1)?;
                Run::new(first, end, step, self.role, args.len())
            }
        }
    }
}

/// Where SORT stores: after the last STORE that is no other option's value, as the server reads it.
pub(super) fn sort_destination<A: AsRef<[u8]>>(args: &Arguments<'_, A>) -> Option<usize> {
    let mut at = 2;
    let mut destination = None;
    while at < args.len() {
        if args.is(at, "LIMIT") {
            at += 2;
        } else if args.is_any(at, &["BY", "GET"]) {
            at += 1;
        } else if args.is(at, "STORE") && at + 1 < args.len() {
            destination = Some(at + 1);
            at += 1;
        }
        at += 1;
    }
    destination
}

/// The keys of `MIGRATE host port key|"" db timeout [options] [KEYS key ..]`.
fn migrate_run<A: AsRef<[u8]>>(args: &Arguments<'_, A>) -> Option<Run> {
    let role = KeyRole::Remove;
    if !args.get(3)?.is_empty() {
        return Run::single(3, role, args.len());
    }
    let mut at = 6;
    while at < args.len() {
        if args.is(at, "KEYS") {
            return Run::new(at + 1, args.len(), 1, role, args.len());
        }
        let values = if args.is(at, "AUTH") {
            1
        } else if args.is(at, "AUTH2") {
            2
        } else {
            0
        };
        at += 1 + values;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_wherever_they_stand() {
        let cases = [
            ("GET a", "a"),
            ("PING", ""),
            ("MGET a b c", "a b c"),
            ("MSET a 1 b 2", "a b"),
            ("MSETEX 2 a 1 b 2 EX 5", "a b"),
            ("DEL a b", "a b"),
            ("BLPOP a b 0", "a b"),
            ("BLMOVE a b LEFT RIGHT 0", "a b"),
            ("BLMPOP 0 2 a b LEFT COUNT 3", "a b"),
            ("EVAL script 2 a b arg arg", "a b"),
            ("EVAL script 0 arg", ""),
            ("EVAL script 9 a", ""),
            ("EVAL script -1 a", ""),
            ("FCALL f 1 a x", "a"),
            ("ZUNIONSTORE d 2 a b WEIGHTS 1 2", "d a b"),
            ("ZINTER 2 a b WITHSCORES", "a b"),
            ("SINTERCARD 2 a b LIMIT 1", "a b"),
            ("BITOP NOT d a", "d a"),
            ("XREAD COUNT 2 STREAMS a b 0 0", "a b"),
            ("xread block 5 streams a $", "a"),
            ("XREADGROUP GROUP STREAMS c STREAMS a >", "a"),
            ("SORT a BY w_* LIMIT 0 5 GET STORE STORE d", "a d"),
            ("SORT a STORE c STORE d", "a d"),
            ("SORT a STORE", "a"),
            ("SORT_RO a BY w_*", "a"),
            ("GEORADIUS a 0 0 1 m COUNT 1 STORE d", "a d"),
            ("GEORADIUSBYMEMBER a STORE 1 m STOREDIST d", "a d"),
            ("GEOSEARCHSTORE d a FROMMEMBER m BYRADIUS 1 m", "d a"),
            ("MIGRATE h 1 a 0 5", "a"),
            ("MIGRATE h 1 a 0 5 COPY KEYS b", "a"),
            ("OBJECT ENCODING a", "a"),
            ("XGROUP CREATE a g $", "a"),
            ("MEMORY USAGE a SAMPLES 5", "a"),
            ("PUBLISH channel m", ""),
            ("SSUBSCRIBE channel", ""),
            ("COPY a b DB 1", "a b"),
            ("LCS a b LEN", "a b"),
            ("PFMERGE d a b", "d a b"),
            ("WATCH a b", "a b"),
            ("NOSUCH a", ""),
        ];
        for (line, wanted) in cases {
            let args: Vec<&str> = line.split(' ').collect();
            let found: Vec<&str> = keys(&args)
                .map(|key| std::str::from_utf8(key).unwrap())
                .collect();
            assert_eq!(found.join(" "), wanted, "{line}");
        }
    }

    #[test]
    fn migrate_looks_for_keys_only_without_a_key_and_not_among_passwords() {
        let keys_of = |args: &[&str]| keys(args).map(<[u8]>::to_vec).collect::<Vec<_>>();
        let args = [
            "MIGRATE", "h", "1", "", "0", "5", "AUTH2", "KEYS", "KEYS", "KEYS", "a", "b",
        ];
        assert_eq!(keys_of(&args), [b"a", b"b"]);
        assert_eq!(keys_of(&args[..9]), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn a_key_comes_with_its_place_and_what_happens_to_it() {
        let roles = |line: &str| {
            let args: Vec<&str> = line.split(' ').collect();
            located_keys(&args)
                .map(|located| (located.at, located.role))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            roles("ZUNIONSTORE d 1 a"),
            [(1, KeyRole::Overwrite), (3, KeyRole::Read)]
        );
        assert_eq!(roles("SPUBLISH c m"), [(1, KeyRole::Channel)]);
        assert_eq!(roles("DEL a"), [(1, KeyRole::Remove)]);
        assert_eq!(roles("INCR a"), [(1, KeyRole::Update)]);
    }
}
