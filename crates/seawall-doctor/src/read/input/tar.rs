//! A tar archive, file by file, as GNU's, BSD's and POSIX's tar write it.

use std::io::{self, Read};

use super::archive::Walked;

const BLOCK: usize = 512;

/// Where a head says what it is, and what it says, with either sort of end.
const MARK_AT: usize = 257;
const MARK: &[u8] = b"ustar";

/// So long a name may be that does not fit a head.
const NAME_BYTES_MAX: u64 = 16 * 1024;

/// Whether a file begins as an archive does.
pub(in crate::read) fn begins(front: &[u8]) -> bool {
    front
        .get(MARK_AT..)
        .is_some_and(|rest| rest.starts_with(MARK))
}

/// Shows each file of an archive, `files_max` of them at most. Folders, links and devices are passed over.
pub(in crate::read) fn walk(
    mut input: impl Read,
    files_max: usize,
    mut each: impl FnMut(&str, &mut dyn Read),
) -> Walked {
    Walked::of(|walked| steps(&mut input, files_max, walked, &mut each))
}

fn steps(
    input: &mut impl Read,
    files_max: usize,
    walked: &mut Walked,
    each: &mut impl FnMut(&str, &mut dyn Read),
) -> io::Result<()> {
    let mut long_name = None;
    let mut long_length = None;
    let mut block = [0; BLOCK];
    loop {
        input.read_exact(&mut block)?;
        // Blocks of nothing end it.
        if block.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        if !begins(&block) {
            return Err(io::Error::other("something else stands between its files"));
        }
        let beyond = match block[156] {
            b'L' | b'x' | b'g' | b'K' => None,
            _ => long_length.take(),
        };
        let length = match block[156] {
            // Links, devices and folders hold nothing, whatever length some tars give them.
            b'1'..=b'6' => 0,
            _ => beyond
                .or_else(|| number(&block[124..136]))
                .ok_or_else(|| io::Error::other("a file in it does not tell how long it is"))?,
        };
        let mut file = input.by_ref().take(length);
        match block[156] {
            // GNU's, and POSIX's as `NN path=NAME`; `size` of what is beyond 8 GiB.
            sort @ (b'L' | b'x') if length <= NAME_BYTES_MAX => {
                let mut text = Vec::new();
                file.read_to_end(&mut text)?;
                if sort == b'L' {
                    let told = String::from_utf8_lossy(&text);
                    long_name = Some(told.trim_end_matches('\0').to_owned());
                } else {
                    long_name = record(&text, b"path=").or(long_name);
                    long_length = record(&text, b"size=").and_then(|size| size.parse().ok());
                }
            }
            b'0' | b'7' | 0 => {
                walked.room(files_max)?;
                walked.files += 1;
                let name = long_name.take().unwrap_or_else(|| short_name(&block));
                each(name.trim_start_matches("./"), &mut file);
            }
            b'S' => {
                walked.closed += 1;
                walked.why = "they have holes";
                long_name = None;
            }
            b'L' | b'x' | b'g' | b'K' => {}
            _ => long_name = None,
        }
        io::copy(&mut file, &mut io::sink())?;
        if file.limit() > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let over = length % BLOCK as u64;
        if over > 0 {
            input.read_exact(&mut block[..BLOCK - over as usize])?;
        }
    }
}

/// Octal digits, or GNU's binary for what is beyond 8 GiB.
fn number(field: &[u8]) -> Option<u64> {
    if let [0x80, rest @ ..] = field {
        let (high, low) = rest.split_at_checked(rest.len().checked_sub(8)?)?;
        let low = u64::from_be_bytes(low.try_into().ok()?);
        return high.iter().all(|byte| *byte == 0).then_some(low);
    }
    let text = std::str::from_utf8(field).ok()?;
    u64::from_str_radix(text.trim_matches(|c| c == ' ' || c == '\0'), 8).ok()
}

fn short_name(block: &[u8]) -> String {
    let text = |field: &[u8]| {
        let end = field.iter().position(|byte| *byte == 0);
        String::from_utf8_lossy(&field[..end.unwrap_or(field.len())]).into_owned()
    };
    let name = text(&block[..100]);
    // GNU's older form has something else there.
    let front = if block[263..265] == *b"00" {
        text(&block[345..500])
    } else {
        String::new()
    };
    if front.is_empty() {
        name
    } else {
        format!("{front}/{name}")
    }
}

/// What the last of records `LENGTH NAME=VALUE` says of this. A value may be of several lines.
fn record(mut records: &[u8], name: &[u8]) -> Option<String> {
    let mut found = None;
    while let Some((one, behind)) = first_record(records) {
        found = one.strip_prefix(name).or(found);
        records = behind;
    }
    Some(String::from_utf8_lossy(found?).into_owned())
}

/// The first of them without its length, and those behind it.
fn first_record(records: &[u8]) -> Option<(&[u8], &[u8])> {
    let blank = records.iter().position(|byte| *byte == b' ')?;
    let length = std::str::from_utf8(&records[..blank]).ok()?.parse().ok()?;
    let (one, behind) = records.split_at_checked(length)?;
    Some((one.get(blank + 1..)?.strip_suffix(b"\n")?, behind))
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;

    fn walked(bytes: &[u8]) -> (Vec<(String, String)>, Walked) {
        let mut files = Vec::new();
        let walked = walk(bytes, 10, |name, file| {
            let mut text = Vec::new();
            let _ = file.read_to_end(&mut text);
            files.push((name.to_owned(), String::from_utf8_lossy(&text).into_owned()));
        });
        (files, walked)
    }

    fn long_name() -> String {
        format!("{}/{}", "b".repeat(80), "b".repeat(60))
    }

    /// Of a folder with a file of a short name, one of a long one, and an empty one, by the tar of this host.
    fn packed(form: &str) -> Vec<u8> {
        let dir = tempfile::tempdir().expect("a folder");
        let logs = dir.path().join("logs");
        std::fs::create_dir(&logs).expect("a folder");
        for (name, text) in [
            ("a.log".to_owned(), "one\n".repeat(200)),
            (long_name(), "two\n".to_owned()),
            ("c.log".to_owned(), String::new()),
        ] {
            let path = logs.join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("it is made");
            std::fs::write(path, text).expect("it is written");
        }
        let mut tar = Command::new("tar");
        tar.args([
            &format!("--format={form}"),
            "--sort=name",
            "-cf",
            "-",
            "./logs",
        ]);
        let output = tar
            .current_dir(dir.path())
            .output()
            .expect("there is a tar");
        assert!(output.status.success());
        output.stdout
    }

    #[test]
    fn the_files_of_every_form_are_read_each_by_itself() {
        for form in ["gnu", "pax", "ustar"] {
            let bytes = packed(form);
            assert!(begins(&bytes), "{form}");
            let (files, ended) = walked(&bytes);
            assert_eq!((ended.files, &ended.broken), (3, &None), "{form}");
            assert_eq!(
                files[0],
                ("logs/a.log".into(), "one\n".repeat(200)),
                "{form}"
            );
            let long = format!("logs/{}", long_name());
            assert_eq!(files[1], (long, "two\n".into()), "{form}");
            assert_eq!(files[2], ("logs/c.log".into(), String::new()), "{form}");
        }
    }

    fn head(sort: u8, name: &str, length: usize) -> Vec<u8> {
        let mut block = vec![0; BLOCK];
        block[..name.len()].copy_from_slice(name.as_bytes());
        block[124..135].copy_from_slice(format!("{length:011o}").as_bytes());
        block[156] = sort;
        block[MARK_AT..MARK_AT + 8].copy_from_slice(b"ustar\x0000");
        block
    }

    fn padded(text: &str) -> Vec<u8> {
        let mut block = text.as_bytes().to_vec();
        block.resize(BLOCK, 0);
        block
    }

    /// The files of an archive of these parts, none of which breaks it.
    fn files_of(parts: &[Vec<u8>]) -> Vec<(String, String)> {
        let (files, ended) = walked(&[parts.concat(), vec![0; 2 * BLOCK]].concat());
        assert_eq!(ended.broken, None);
        files
    }

    fn told(name: &str, text: &str) -> (String, String) {
        (name.to_owned(), text.to_owned())
    }

    #[test]
    fn a_file_of_more_than_a_head_can_tell_has_its_length_in_a_record() {
        let files = files_of(&[
            head(b'x', "PaxHeaders/big.log", 9),
            padded("9 size=5\n"),
            head(b'0', "big.log", 0),
            padded("word\n"),
            head(b'0', "next.log", 4),
            padded("one\n"),
        ]);
        assert_eq!(
            files,
            [told("big.log", "word\n"), told("next.log", "one\n")]
        );
    }

    #[test]
    fn a_line_of_another_records_value_is_no_record() {
        let files = files_of(&[
            head(b'x', "PaxHeaders/a.log", 26),
            padded("26 comment=one\n11 size=99\n"),
            head(b'0', "a.log", 4),
            padded("one\n"),
        ]);
        assert_eq!(files, [told("a.log", "one\n")]);
    }

    #[test]
    fn links_and_folders_hold_nothing_whatever_length_they_have() {
        let files = files_of(&[
            head(b'5', "logs", 4_096),
            head(b'0', "logs/a.log", 4),
            padded("one\n"),
            head(b'1', "logs/b.log", 4),
            head(b'0', "logs/c.log", 4),
            padded("two\n"),
        ]);
        assert_eq!(
            files,
            [told("logs/a.log", "one\n"), told("logs/c.log", "two\n")]
        );
    }

    #[test]
    fn an_archive_that_breaks_off_tells_what_it_has_and_that_it_does() {
        let (files, ended) = walked(&packed("gnu")[..1_400]);
        assert!(files[0].1.starts_with("one\n"));
        assert_eq!(ended.broken.as_deref(), Some("it breaks off"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(at in 0usize..4_000, with in proptest::collection::vec(any::<u8>(), 0..64)) {
            static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(|| packed("gnu"));
            let mut bytes = WHOLE.clone();
            for (place, byte) in with.into_iter().enumerate() {
                if let Some(old) = bytes.get_mut(at + place) {
                    *old = byte;
                }
            }
            let _ = walked(&bytes);
        }
    }
}
