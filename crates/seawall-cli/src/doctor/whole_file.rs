use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::process;

/// Writes a file that is there whole, or not at all: into another one beside it, which then takes its name.
pub(super) fn write(path: &Path, text: &str) -> io::Result<()> {
    // Something else than a file (`/dev/stdout`) would be replaced by one.
    match fs::metadata(path) {
        Ok(there) if !there.is_file() => return Err(io::Error::other("that is no file")),
        _ => {}
    }
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::other("that names no file"))?;
    let mut beside = OsString::from(".");
    beside.push(name);
    beside.push(format!(".{}.tmp", process::id()));
    let beside = path.with_file_name(beside);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&beside)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // It may be gone already.
        let _ = fs::remove_file(&beside);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_nothing_stays_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("page.html");
        write(&path, "one").expect("it is written");
        write(&path, "two").expect("it is written again");
        assert_eq!(fs::read_to_string(&path).expect("it is there"), "two");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }

    #[test]
    fn what_is_no_file_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = write(folder.path(), "page").expect_err("a folder is none");
        assert_eq!(error.to_string(), "that is no file");
        write(Path::new("/dev/null"), "page").expect_err("a device is none");
        write(&folder.path().join("not-there/page.html"), "page").expect_err("no such folder");
    }
}
