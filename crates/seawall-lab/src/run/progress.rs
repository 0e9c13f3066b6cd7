use crate::report::Verdict;
use crate::world::ServerBinary;
use std::fmt;

/// What goes on during a run; its text is one line for a terminal.
#[derive(Debug)]
pub enum Progress<'a> {
    /// The server was found.
    Begins {
        /// Which.
        server: &'a ServerBinary,
        /// How many runs there will be.
        runs: usize,
    },
    /// A scenario is left out.
    LeavesOut {
        /// Which.
        scenario: &'a str,
        /// Why.
        why: &'a str,
    },
    /// A run starts.
    Starts {
        /// Of this scenario.
        scenario: &'a str,
        /// Against this contender.
        contender: &'a str,
    },
    /// A run has ended.
    Ends {
        /// Of this scenario.
        scenario: &'a str,
        /// Against this contender.
        contender: &'a str,
        /// How it ended.
        verdict: Verdict,
        /// How many have ended, this one included.
        ended: usize,
        /// How many there are.
        runs: usize,
    },
}

impl fmt::Display for Progress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begins { server, runs } => write!(f, "{runs} runs against {server}"),
            Self::LeavesOut { scenario, why } => write!(f, "  --    {scenario}: {why}"),
            Self::Starts {
                scenario,
                contender,
            } => write!(f, "  ..    {scenario} / {contender}"),
            Self::Ends {
                scenario,
                contender,
                verdict,
                ended,
                runs,
            } => {
                write!(
                    f,
                    "  {:<5} {scenario} / {contender} ({ended} of {runs})",
                    verdict.name()
                )
            }
        }
    }
}
