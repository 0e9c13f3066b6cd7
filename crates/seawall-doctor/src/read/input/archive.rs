//! What archives of any form have in common.

use std::io;

/// What became of an archive.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::read) struct Walked {
    /// Files that were shown.
    pub(in crate::read) files: usize,
    /// Files that cannot be read here, and why the last of them cannot.
    pub(in crate::read) closed: usize,
    pub(in crate::read) why: &'static str,
    /// What ended it before its end.
    pub(in crate::read) broken: Option<String>,
}

impl Walked {
    /// What became of one that is walked so.
    pub(super) fn of(steps: impl FnOnce(&mut Self) -> io::Result<()>) -> Self {
        let mut walked = Self::default();
        if let Err(error) = steps(&mut walked) {
            walked.broken = Some(match error.kind() {
                io::ErrorKind::UnexpectedEof => "it breaks off".to_owned(),
                _ => error.to_string(),
            });
        }
        walked
    }

    /// Refuses one more where so many were shown.
    pub(super) fn room(&self, files_max: usize) -> io::Result<()> {
        if self.files < files_max {
            return Ok(());
        }
        let words = format!("it has more than {files_max} files");
        Err(io::Error::other(words))
    }
}
