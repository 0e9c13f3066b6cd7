//! Opens what a path names: a file, a device, or a pipe whose other end may never come.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// So long nothing may come through a pipe that has a name. Who starts the other end does so in the same breath.
const SILENT_MAX: Duration = Duration::from_secs(10);

/// What a path names.
pub(super) enum Opened {
    /// A file that has a length.
    File(File, u64),
    /// What comes as it comes.
    Stream(Box<dyn Read>),
}

/// Opens it, and waits for nobody.
pub(super) fn open(path: &Path) -> io::Result<Opened> {
    let about = fs::metadata(path)?;
    let kind = about.file_type();
    if kind.is_dir() {
        let words = "it is a folder";
        return Err(io::Error::new(io::ErrorKind::IsADirectory, words));
    }
    if kind.is_socket() {
        let words = "it is a socket; seawall doctor unix://PATH asks the server behind it";
        return Err(io::Error::new(io::ErrorKind::Unsupported, words));
    }
    if kind.is_fifo() && !is_ours(path) {
        return Ok(Opened::Stream(Box::new(Pipe::open(path, SILENT_MAX)?)));
    }
    let input = File::open(path)?;
    if io::IsTerminal::is_terminal(&input) {
        let words = "it is a terminal";
        return Err(io::Error::new(io::ErrorKind::Unsupported, words));
    }
    // Pipes and devices have no length; nor have the files of /proc.
    Ok(match input.metadata()? {
        about if about.is_file() && about.len() > 0 => Opened::File(input, about.len()),
        _ => Opened::Stream(Box::new(input)),
    })
}

/// A pipe that was opened for this process, by `|` or `<(..)`: its other end is there, and takes its time.
fn is_ours(path: &Path) -> bool {
    ["/dev/stdin", "/dev/fd", "/proc"]
        .iter()
        .any(|front| path.starts_with(front))
}

/// A pipe that has a name: it ends with an error where nothing comes through it.
struct Pipe {
    file: File,
    silent_max: Duration,
}

impl Pipe {
    fn open(path: &Path, silent_max: Duration) -> io::Result<Self> {
        // Without it, opening waits for somebody who writes.
        let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(flags)
            .open(path)?;
        Ok(Self { file, silent_max })
    }
}

impl Read for Pipe {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let span = Timespec::try_from(self.silent_max).map_err(io::Error::other)?;
            let ready = poll(&mut [PollFd::new(&self.file, PollFlags::IN)], Some(&span));
            match ready {
                Ok(0) => {
                    let seconds = self.silent_max.as_secs_f32();
                    let words = format!("it is a pipe, and nobody wrote to it for {seconds} s");
                    return Err(io::Error::new(io::ErrorKind::TimedOut, words));
                }
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            match self.file.read(into) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;
    use std::process::Command;
    use std::thread;

    use super::*;

    fn pipe(folder: &Path) -> PathBuf {
        let path = folder.join("pipe");
        let made = Command::new("mkfifo").arg(&path).status();
        assert!(made.is_ok_and(|status| status.success()));
        path
    }

    #[test]
    fn a_pipe_that_nobody_writes_to_is_left_and_one_that_is_written_to_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = pipe(folder.path());
        let short = Duration::from_millis(100);
        let mut silent = Pipe::open(&path, short).expect("it opens");
        let error = silent.read(&mut [0; 8]).expect_err("nothing comes");
        assert!(error.to_string().contains("nobody wrote"), "{error}");
        let mut written = Pipe::open(&path, Duration::from_secs(60)).expect("it opens");
        let writer = thread::spawn(move || {
            let mut end = OpenOptions::new().write(true).open(&path)?;
            end.write_all(b"one ")?;
            thread::sleep(short);
            end.write_all(b"two")
        });
        let mut text = String::new();
        written.read_to_string(&mut text).expect("it is written");
        assert_eq!(text, "one two");
        assert!(writer.join().expect("it ends").is_ok());
    }

    #[test]
    fn what_is_no_file_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("redis.sock");
        let _listener = UnixListener::bind(&path).expect("it listens");
        for (path, words) in [(&*path, "unix://"), (folder.path(), "it is a folder")] {
            let error = open(path).err().expect("it is none");
            assert!(error.to_string().contains(words), "{error}");
        }
        assert!(matches!(
            open(Path::new("/dev/null")),
            Ok(Opened::Stream(_))
        ));
    }
}
