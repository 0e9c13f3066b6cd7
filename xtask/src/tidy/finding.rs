use std::fmt;

/// Something that breaks a rule: where, what, and what to do instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The file, relative to the workspace's root.
    path: String,
    /// The line, counted from 1; `None` if it concerns the whole file.
    line: Option<usize>,
    /// What was found.
    what: String,
    /// What to do instead.
    instead: String,
}

impl Finding {
    /// A finding in one line of a file.
    pub(crate) fn at(
        path: &str,
        line: usize,
        what: impl Into<String>,
        instead: impl Into<String>,
    ) -> Self {
        Self {
            path: path.to_owned(),
            line: Some(line),
            what: what.into(),
            instead: instead.into(),
        }
    }

    /// A finding about a whole file.
    pub(crate) fn whole(path: &str, what: impl Into<String>, instead: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line: None,
            what: what.into(),
            instead: instead.into(),
        }
    }
}

/// `file:line: what; instead`, as editors and CI logs make it a link.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}: {}; {}",
            self.path,
            self.line.unwrap_or(1),
            self.what,
            self.instead
        )
    }
}
