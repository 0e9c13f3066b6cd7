use std::process::ExitCode;

/// How a command ended; the same of every command, and a number for the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All is well: 0.
    Well,
    /// It ran, and something fell short: 1.
    Short,
    /// It could not run: 2.
    Unable,
    /// The doctor found risks, and nothing that broke: 3.
    Risk,
}

impl Exit {
    /// What a process that ended so returns.
    pub fn code(self) -> u8 {
        match self {
            Self::Well => 0,
            Self::Short => 1,
            Self::Unable => 2,
            Self::Risk => 3,
        }
    }

    pub(crate) fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Well,
            1 => Self::Short,
            _ => Self::Unable,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
