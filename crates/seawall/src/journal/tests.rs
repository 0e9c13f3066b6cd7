//! Rings that are brought to a real disk, and the troubles that a disk makes.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use seawall_model::journal::{AREA_BYTES_MIN, Event, HEADER_BYTES, RingHeader};
use seawall_model::{Endpoint, Moment};
use tempfile::TempDir;

use super::allowance::Weight;
use super::disk::Place;
use super::memory::Memory;
use super::{JournalReadError, RingError, read};

const HEADER: RingHeader = RingHeader {
    area_bytes: AREA_BYTES_MIN,
    boot_id: [7; 16],
    process: 4711,
    started_unix_ms: 1_700_000_000_000,
};

fn memory(dir: &Path) -> Memory {
    let endpoint = Endpoint::tcp("cache.internal", 6379).expect("it is one");
    Memory::new(&HEADER, Some(Place::new(dir, "shop", &endpoint, &HEADER)))
}

/// Keeps a record that is told from others by its number.
fn keep(memory: &Memory, number: u64) {
    let event = Event::Lost { records: number };
    let at = Moment::from_nanos(number);
    memory.keep(at, number, Weight::Kept, [Some(event), None]);
}

fn numbers(dir: &Path) -> Vec<u64> {
    let contents = read(dir).expect("there is a journal");
    assert!(contents.files.iter().all(super::JournalFile::is_whole));
    let number = |entry: &super::Entry| entry.record.at.as_nanos();
    contents.entries.iter().map(number).collect()
}

fn temp() -> (TempDir, PathBuf) {
    let temp = TempDir::new().expect("a directory");
    let dir = temp.path().join("state/of/shop");
    (temp, dir)
}

#[test]
fn what_is_kept_is_read_back_from_a_file_and_a_directory_that_are_ours_alone() {
    let (_temp, dir) = temp();
    let memory = memory(&dir);
    assert!(!dir.exists(), "nothing has happened yet");
    for number in 1..=3 {
        keep(&memory, number);
        memory.bring_to_disk();
    }
    let file = memory.file().expect("it was made");
    assert_eq!(numbers(&dir), [1, 2, 3]);
    assert_eq!(numbers(file), [1, 2, 3]);
    let mode = |path: &Path| fs::metadata(path).expect("it is there").mode() & 0o777;
    assert_eq!((mode(&dir), mode(file)), (0o700, 0o600));
}

#[test]
fn the_file_never_changes_its_size_and_goes_round_like_the_ring() {
    let (_temp, dir) = temp();
    let memory = memory(&dir);
    for number in 1..=2_000 {
        keep(&memory, number);
        if number % 7 == 0 || number == 2_000 {
            memory.bring_to_disk();
            let size = fs::metadata(memory.file().expect("it was made")).expect("it is there");
            assert_eq!(size.len(), HEADER_BYTES as u64 + AREA_BYTES_MIN);
        }
    }
    let on_disk = numbers(&dir);
    let in_memory: Vec<_> = memory
        .records()
        .iter()
        .map(|record| record.at.as_nanos())
        .collect();
    assert_eq!(on_disk, in_memory);
    assert_eq!(on_disk.last(), Some(&2_000));
    assert_eq!(memory.bytes(), AREA_BYTES_MIN);
}

#[test]
fn two_clients_of_one_process_that_begin_together_have_two_files() {
    let (_temp, dir) = temp();
    let (one, other) = (memory(&dir), memory(&dir));
    keep(&one, 1);
    keep(&other, 2);
    one.bring_to_disk();
    other.bring_to_disk();
    assert_ne!(one.file(), other.file());
    assert_eq!(numbers(&dir), [1, 2]);
}

#[test]
fn where_the_directory_cannot_be_trusted_memory_serves_alone() {
    let (_temp, dir) = temp();
    fs::create_dir_all(dir.join("real")).expect("it is ours");
    symlink(dir.join("real"), dir.join("link")).expect("it is ours");
    fs::write(dir.join("file"), "").expect("it is ours");
    fs::create_dir(dir.join("shared")).expect("it is ours");
    fs::set_permissions(dir.join("shared"), Permissions::from_mode(0o777)).expect("it is ours");
    for name in ["link", "file", "shared", "file/below"] {
        let memory = memory(&dir.join(name));
        keep(&memory, 1);
        assert!(memory.is_news());
        memory.bring_to_disk();
        keep(&memory, 2);
        assert!(!memory.is_news(), "{name}: nothing is written any more");
        memory.bring_to_disk();
        assert_eq!((memory.records().len(), memory.file()), (2, None), "{name}");
    }
    assert_eq!(
        fs::read_dir(dir.join("real")).expect("it is there").count(),
        0
    );
    assert_eq!(
        fs::read_dir(dir.join("shared"))
            .expect("it is there")
            .count(),
        0
    );
}

#[test]
fn a_directory_that_is_removed_under_a_journal_leaves_it_in_memory() {
    let (_temp, dir) = temp();
    let memory = memory(&dir);
    keep(&memory, 1);
    memory.bring_to_disk();
    assert!(memory.file().is_some());
    fs::remove_dir_all(&dir).expect("it is ours");
    keep(&memory, 2);
    memory.bring_to_disk();
    assert_eq!((memory.file(), memory.records().len()), (None, 2));
    keep(&memory, 3);
    memory.bring_to_disk();
    assert!(!dir.exists(), "it is not made again");
}

#[test]
fn of_the_dead_the_newest_sixteen_stay_and_the_living_are_left_alone() {
    let (_temp, dir) = temp();
    let first = memory(&dir);
    keep(&first, 1);
    first.bring_to_disk();
    let alive = first.file().expect("it was made").to_owned();
    let day = std::time::Duration::from_secs(86_400);
    let set_age = |path: &Path, days: u32| {
        let file = File::options().write(true).open(path).expect("it is there");
        file.set_modified(std::time::SystemTime::now() - day * days)
            .expect("it is ours");
    };
    set_age(&alive, 1_000);
    for days in 1..=20 {
        let path = dir.join(format!("dead-{days}.journal"));
        fs::write(&path, "").expect("it is ours");
        set_age(&path, days);
    }
    fs::write(dir.join("notes.txt"), "of somebody").expect("it is ours");
    let second = memory(&dir);
    keep(&second, 2);
    second.bring_to_disk();
    let is_there = |days: u32| dir.join(format!("dead-{days}.journal")).exists();
    let left: Vec<u32> = (1..=20).filter(|&days| is_there(days)).collect();
    // The one that was made now will be the sixteenth when it is dead.
    assert_eq!(left, (1..=15).collect::<Vec<_>>());
    assert!(alive.exists() && dir.join("notes.txt").exists());
}

#[test]
fn a_live_file_is_locked_and_a_dead_one_is_not() {
    let (_temp, dir) = temp();
    let memory = memory(&dir);
    keep(&memory, 1);
    memory.bring_to_disk();
    let file = File::open(memory.file().expect("it was made")).expect("it is there");
    let lock = || flock(&file, FlockOperation::NonBlockingLockShared).is_ok();
    assert!(!lock());
    drop(memory);
    assert!(lock());
}

#[test]
fn a_file_cut_at_any_byte_is_read_as_far_as_it_goes() {
    let (_temp, dir) = temp();
    let memory = memory(&dir);
    (1..=100).for_each(|number| keep(&memory, number));
    memory.bring_to_disk();
    let whole = fs::read(memory.file().expect("it was made")).expect("it is there");
    let cut = dir.join("cut");
    for len in (0..HEADER_BYTES + 2_000).step_by(97) {
        fs::write(&cut, &whole[..len]).expect("it is ours");
        match read(&cut) {
            Ok(contents) => {
                assert!(len >= HEADER_BYTES);
                let records = contents.files[0].records;
                let bytes = (len - HEADER_BYTES) as u64;
                assert!(
                    records <= bytes / 10 && records * 20 + 40 >= bytes.min(1_500),
                    "{records} in {bytes} bytes"
                );
            }
            Err(JournalReadError::Ring { error, .. }) => {
                assert!(len < HEADER_BYTES, "{len}: {error}");
            }
            Err(error) => panic!("{len}: {error}"),
        }
    }
}

#[test]
fn what_is_no_journal_is_told_with_what_to_do() {
    let (temp, dir) = temp();
    let error = |path: &Path| read(path).expect_err("there is nothing to read");
    assert!(matches!(error(&dir), JournalReadError::Missing { .. }));
    fs::create_dir_all(&dir).expect("it is ours");
    assert!(matches!(error(&dir), JournalReadError::Empty { .. }));
    assert!(matches!(
        error(Path::new("/dev/null")),
        JournalReadError::NoFile { .. }
    ));
    let text = temp.path().join("redis.log");
    fs::write(&text, "x".repeat(10_000)).expect("it is ours");
    let not = error(&text);
    assert!(matches!(
        not,
        JournalReadError::Ring {
            error: RingError::NotAJournal,
            ..
        }
    ));
    assert!(not.hint().contains("*.journal"), "{}", not.hint());
}

#[test]
fn in_a_directory_one_bad_file_does_not_hide_the_others() {
    let (_temp, dir) = temp();
    let memory = memory(&dir);
    keep(&memory, 1);
    memory.bring_to_disk();
    let mut damaged = fs::read(memory.file().expect("it was made")).expect("it is there");
    // Both copies of the identity, behind their magic.
    damaged[20] ^= 1;
    damaged[1536 + 20] ^= 1;
    fs::write(dir.join("damaged.journal"), &damaged).expect("it is ours");
    fs::write(dir.join("foreign.journal"), "not one").expect("it is ours");
    let contents = read(&dir).expect("one of them is well");
    let told: Vec<_> = contents
        .files
        .iter()
        .map(|file| (file.records, file.process, file.trouble.is_some()))
        .collect();
    assert_eq!(
        told,
        [(1, None, true), (0, None, true), (1, Some(4711), false)]
    );
    assert_eq!(
        contents.entries.len(),
        2,
        "the damaged one's record is found all the same"
    );
}
