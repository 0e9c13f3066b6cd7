//! Files, for who looks at them once, or again and again: then one that has not changed is not read once more, and a log goes
//! on where it was read up to.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::facts::Facts;
use crate::read::{self, Asked, Ended, Given, Growing, Kind};

/// Reads files.
#[derive(Debug, Default)]
pub struct Files {
    /// What they told, if there is more than one look.
    kept: Option<HashMap<PathBuf, One>>,
    /// What was read in this look, whatever it was called.
    seen: HashMap<(u64, u64), Kind>,
    news: Vec<String>,
}

/// What a file told.
#[derive(Debug)]
enum One {
    /// A log that is written to.
    Log(Box<Growing>),
    /// What is read as a whole, and anew if it changed.
    Whole {
        mark: Option<Mark>,
        kind: Kind,
        facts: Box<Facts>,
    },
}

/// By what it is seen that a file was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    file: (u64, u64),
    bytes: u64,
    changed: (i64, i64),
}

impl Mark {
    /// `None` for what is no file, or not there.
    fn of(path: &Path) -> Option<Self> {
        let about = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        Some(Self {
            file: (about.dev(), about.ino()),
            bytes: about.len(),
            changed: (about.mtime(), about.mtime_nsec()),
        })
    }
}

impl Files {
    /// For one look.
    pub fn once() -> Self {
        Self::default()
    }

    /// For one look after the other: what a file told stays when it is rotated, cut or gone.
    pub fn again() -> Self {
        Self {
            kept: Some(HashMap::new()),
            ..Self::default()
        }
    }

    /// What became of files since this was last asked, for people.
    pub fn news(&mut self) -> Vec<String> {
        std::mem::take(&mut self.news)
    }

    /// Another look begins.
    pub(crate) fn begin(&mut self) {
        self.seen.clear();
    }

    /// What a file tells, or standard input if it is `-`; and nothing more where it was read in this look already, by this
    /// name or another one.
    pub(crate) fn read(
        &mut self,
        path: &Path,
        name: &str,
        given: Given,
    ) -> io::Result<(Kind, Facts)> {
        let file = Mark::of(path).map(|mark| mark.file);
        if let Some(kind) = file.and_then(|file| self.seen.get(&file)) {
            let mut facts = Facts::default();
            let words = format!("{name}: it is given more than once, and counts once");
            facts.assumed.insert(words);
            return Ok((*kind, facts));
        }
        let (kind, facts) = self.read_first(path, name, given)?;
        self.seen.extend(file.map(|file| (file, kind)));
        Ok((kind, facts))
    }

    fn read_first(&mut self, path: &Path, name: &str, given: Given) -> io::Result<(Kind, Facts)> {
        let Some(kept) = &mut self.kept else {
            return whole(path, name, given);
        };
        // Before it is read: what is written meanwhile is read the next time.
        let mark = Mark::of(path);
        let news = &mut self.news;
        let mut say = |words: &str| news.push(format!("{} {words}", path.display()));
        match kept.get_mut(path) {
            Some(One::Log(log)) => {
                for end in log.look(given)?.ends {
                    say(words(end));
                }
                return Ok((log.kind(), log.told()));
            }
            Some(One::Whole {
                mark: then,
                kind,
                facts,
            }) => {
                if *then == mark {
                    return Ok((*kind, Facts::clone(facts)));
                }
                match (*then, mark) {
                    (Some(_), None) if !facts.had.is_empty() => {
                        say(words(Ended::Gone));
                        *then = None;
                        return Ok((*kind, Facts::clone(facts)));
                    }
                    (Some(then), Some(now)) if now.file != then.file || now.bytes < then.bytes => {
                        say("begins anew: what it told before is not looked at any more");
                    }
                    _ => {}
                }
            }
            None => {}
        }
        if mark.is_some()
            && let Some(mut log) = Growing::open(path, name, given, Asked::All)?
        {
            log.look(given)?;
            let told = (log.kind(), log.told());
            kept.insert(path.to_owned(), One::Log(Box::new(log)));
            return Ok(told);
        }
        let (kind, facts) = whole(path, name, given)?;
        let one = One::Whole {
            mark,
            kind,
            facts: Box::new(facts.clone()),
        };
        kept.insert(path.to_owned(), one);
        Ok((kind, facts))
    }
}

fn whole(path: &Path, name: &str, given: Given) -> io::Result<(Kind, Facts)> {
    if path == Path::new("-") {
        return read::file(name, io::stdin().lock(), given);
    }
    read::path(path, name, given)
}

/// What became of a log.
pub fn words(end: Ended) -> &'static str {
    match end {
        Ended::Rotated => "was rotated: what it told is kept, and the new one is read",
        Ended::Cut => "was cut: what it told is kept, and it is read from its beginning",
        Ended::Gone => "is gone: what it told is kept",
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{File, OpenOptions};
    use std::io::Write as _;

    use super::*;
    use crate::stamp::Stamp;

    const LOST: &str = "2026-11-23T02:58:11Z ERROR redis.exceptions.ConnectionError: Connection closed by server.\n";

    struct Bench {
        folder: tempfile::TempDir,
        files: Files,
    }

    impl Bench {
        fn new() -> Self {
            Self {
                folder: tempfile::tempdir().expect("a folder"),
                files: Files::again(),
            }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.path(name), text).expect("it is written");
        }

        fn append(&self, name: &str, text: &str) {
            let file = OpenOptions::new().append(true).open(self.path(name));
            let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
            written.expect("it is written");
        }

        /// How many failures are known now, and what became of the file.
        fn look(&mut self) -> (u64, Vec<String>) {
            let now = Stamp::of((2026, 11, 24), (0, 0, 0), 0).expect("a date");
            let path = self.path("app.log");
            self.files.begin();
            let (_, facts) = self
                .files
                .read(&path, "app.log", Given { now })
                .expect("it can be read");
            let counted: u64 = facts.tallies.values().map(|tally| tally.count).sum();
            assert_eq!(facts.failures, counted);
            assert_eq!(facts.client_log.len() as u64, counted);
            let news = self.files.news();
            let news = news.iter().filter_map(|words| words.split_once("app.log "));
            (counted, news.map(|(_, words)| words.to_owned()).collect())
        }
    }

    fn long() -> String {
        "2026-11-23T02:58:10Z INFO in order\n".repeat(500) + LOST
    }

    #[test]
    fn a_file_counts_once_in_a_look_whatever_it_is_called() {
        let bench = Bench::new();
        bench.write("app.log", LOST);
        std::os::unix::fs::symlink(bench.path("app.log"), bench.path("link")).expect("a link");
        let given = Given {
            now: Stamp::of((2026, 11, 24), (0, 0, 0), 0).expect("a date"),
        };
        for mut files in [Files::once(), Files::again()] {
            for _ in 0..2 {
                files.begin();
                let mut failures = Vec::new();
                for name in ["app.log", "app.log", "link"] {
                    let told = files.read(&bench.path(name), name, given);
                    failures.push(told.expect("it can be read").1.failures);
                }
                assert_eq!(failures, [1, 0, 0]);
            }
        }
    }

    #[test]
    fn a_log_goes_on_where_it_was_read_up_to() {
        for begin in [LOST.to_owned(), long()] {
            let mut bench = Bench::new();
            bench.write("app.log", &begin);
            assert_eq!(bench.look(), (1, vec![]));
            let (front, end) = LOST.split_at(60);
            bench.append("app.log", &format!("{LOST}{front}"));
            let (counted, _) = bench.look();
            assert!((2..=3).contains(&counted), "{counted}");
            bench.append("app.log", end);
            assert_eq!(bench.look(), (3, vec![]));
            assert_eq!(bench.look(), (3, vec![]));
        }
    }

    #[test]
    fn what_was_not_changed_before_it_grew_is_not_read_again() {
        let mut bench = Bench::new();
        bench.write("app.log", &long());
        assert_eq!(bench.look().0, 1);
        // Its beginning is another one now, of the same length: who reads it again finds nothing there.
        let file = OpenOptions::new().write(true).open(bench.path("app.log"));
        let blanked = file.and_then(|mut file| file.write_all(&[b'x'; 16_000]));
        blanked.expect("it is written");
        bench.append("app.log", LOST);
        assert_eq!(bench.look(), (2, vec![]));
    }

    #[test]
    fn nothing_is_lost_to_a_rotation() {
        let mut bench = Bench::new();
        bench.write("app.log", &long());
        assert_eq!(bench.look().0, 1);
        bench.append("app.log", LOST);
        fs::rename(bench.path("app.log"), bench.path("app.log.1")).expect("it is renamed");
        bench.append("app.log.1", LOST);
        let (counted, news) = bench.look();
        assert_eq!((counted, news.len()), (3, 1), "{news:?}");
        assert!(news[0].starts_with("is gone"), "{news:?}");
        // Whoever writes to it notices late, and the line has no end.
        bench.append("app.log.1", LOST.trim_end());
        bench.write("app.log", LOST);
        let (counted, news) = bench.look();
        assert_eq!(counted, 5);
        assert!(news[0].starts_with("was rotated"), "{news:?}");
        // Twice between two looks: the one in the middle was never open.
        fs::rename(bench.path("app.log.1"), bench.path("app.log.2")).expect("it is renamed");
        fs::rename(bench.path("app.log"), bench.path("app.log.1")).expect("it is renamed");
        bench.write("app.log", &LOST.repeat(2));
        fs::rename(bench.path("app.log.1"), bench.path("app.log.3")).expect("it is renamed");
        fs::rename(bench.path("app.log"), bench.path("app.log.1")).expect("it is renamed");
        bench.write("app.log", LOST);
        assert_eq!(bench.look().0, 8);
        assert_eq!(bench.look(), (8, vec![]));
    }

    #[test]
    fn nothing_is_lost_to_a_cut() {
        let mut bench = Bench::new();
        bench.write("app.log", &long());
        assert_eq!(bench.look().0, 1);
        let file = File::create(bench.path("app.log"));
        drop(file.expect("it is cut"));
        let (counted, news) = bench.look();
        assert_eq!(counted, 1);
        assert!(news[0].starts_with("was cut"), "{news:?}");
        bench.append("app.log", LOST);
        assert_eq!(bench.look().0, 2);
        // It was written to before it was copied and cut, and has grown beyond what it was since.
        bench.append("app.log", LOST);
        fs::copy(bench.path("app.log"), bench.path("app.log.1")).expect("it is copied");
        bench.write(
            "app.log",
            &("2026-11-23T03:00:00Z INFO x\n".repeat(20) + LOST),
        );
        let (counted, news) = bench.look();
        assert_eq!((counted, news.len()), (4, 1), "{news:?}");
    }

    #[test]
    fn what_a_log_told_is_kept_when_it_goes() {
        for begin in [LOST.to_owned(), long()] {
            let mut bench = Bench::new();
            bench.write("app.log", &begin);
            assert_eq!(bench.look().0, 1);
            fs::remove_file(bench.path("app.log")).expect("it goes");
            let (counted, news) = bench.look();
            assert_eq!((counted, news.len()), (1, 1));
            assert_eq!(bench.look(), (1, vec![]));
        }
    }

    #[test]
    fn what_is_read_as_a_whole_is_read_again_only_if_it_changed() {
        let mut bench = Bench::new();
        bench.write(
            "app.log",
            "# Server\r\nredis_version:7.0.15\r\nrun_id:aa\r\nuptime_in_seconds:9\r\n",
        );
        let given = Given {
            now: Stamp(1_795_402_691_000),
        };
        let path = bench.path("app.log");
        let mut runs = || {
            bench.files.begin();
            let (kind, facts) = bench
                .files
                .read(&path, "app.log", given)
                .expect("it is read");
            assert_eq!(kind, Kind::Pasted);
            facts.looks[0].word("run_id").map(str::to_owned)
        };
        assert_eq!((runs(), runs()), (Some("aa".into()), Some("aa".into())));
        fs::write(&path, "# Server\r\nredis_version:7.0.15\r\nrun_id:bbb\r\n")
            .expect("it is written");
        assert_eq!(runs(), Some("bbb".into()));
        fs::remove_file(&path).expect("it goes");
        assert_eq!(runs(), Some("bbb".into()));
    }
}
