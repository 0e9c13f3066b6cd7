use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;

use seawall_doctor::Facts;
use seawall_doctor::sources::{Told, Trouble};

use crate::output;

/// What the files told, for who looks at them again and again: one that has not changed is not read once more.
#[derive(Default)]
pub(super) struct Kept(HashMap<String, One>);

struct One {
    mark: Option<Mark>,
    facts: Facts,
    troubles: Vec<Trouble>,
}

/// By what it is seen that a file was written to.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Mark {
    file: (u64, u64),
    bytes: u64,
    changed: (i64, i64),
}

impl Mark {
    /// `None` for what is no file, or not there.
    fn of(path: &str) -> Option<Self> {
        let about = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        Some(Self {
            file: (about.dev(), about.ino()),
            bytes: about.len(),
            changed: (about.mtime(), about.mtime_nsec()),
        })
    }
}

impl Kept {
    /// What a file tells, read by `read` if that is not known already. What it told stays if it goes away.
    pub(super) fn of(&mut self, path: &str, read: impl FnOnce() -> Told) -> Told {
        // Before it is read: what is written meanwhile is read the next time.
        let mark = Mark::of(path);
        // A folder's files come and go without a mark of its own.
        let folder = fs::metadata(path).is_ok_and(|about| about.is_dir());
        if let Some(one) = self.0.get_mut(path).filter(|_| !folder) {
            if one.mark == mark {
                return one.told();
            }
            match (one.mark, mark) {
                (Some(_), None) if !one.facts.had.is_empty() => {
                    output::note(format_args!("{path} is gone: what it told is kept"));
                    one.mark = None;
                    return one.told();
                }
                (Some(then), Some(now)) if now.file != then.file || now.bytes < then.bytes => {
                    output::note(format_args!(
                        "{path} begins anew: what it told before is not looked at any more"
                    ));
                }
                _ => {}
            }
        }
        let Told { facts, troubles } = read();
        let one = One {
            mark,
            facts,
            troubles,
        };
        let told = one.told();
        self.0.insert(path.to_owned(), one);
        told
    }
}

impl One {
    fn told(&self) -> Told {
        Told {
            facts: self.facts.clone(),
            troubles: self.troubles.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use seawall_doctor::Need;

    use super::*;

    #[test]
    fn a_file_is_read_again_only_if_it_changed_and_what_it_told_outlives_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("app.log");
        let path = path.to_str().expect("plain letters");
        let reads = Cell::new(0);
        let mut kept = Kept::default();
        let mut look = || {
            let told = kept.of(path, || {
                reads.set(reads.get() + 1);
                let mut told = Told::default();
                if let Ok(about) = fs::metadata(path) {
                    told.facts.had.insert(Need::ClientLog);
                    told.facts.failures = about.len();
                }
                told
            });
            told.facts.failures
        };
        assert_eq!((look(), look(), reads.get()), (0, 0, 1), "it is not there");
        fs::write(path, "one").expect("it is written");
        assert_eq!((look(), look(), reads.get()), (3, 3, 2));
        fs::write(path, "one two").expect("it grows");
        assert_eq!((look(), reads.get()), (7, 3));
        fs::remove_file(path).expect("it goes");
        assert_eq!((look(), look(), reads.get()), (7, 7, 3));
        fs::write(path, "1").expect("it comes");
        assert_eq!((look(), reads.get()), (1, 4));
    }
}
