use super::blocking::Blocking;
use super::command::{Access, CommandFacts};
use super::lookup::lookup;
use super::options::Arguments;
use super::replay::Replay;

/// What a command does with the arguments it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Classified {
    /// What is known of the command; `None`: no pinned server knows it.
    pub facts: Option<&'static CommandFacts>,
    /// Whether it can be sent again after it may have run. The connection's state may lower it further.
    pub replay: Replay,
    /// What it does to the data. A read by its arguments (SORT without STORE) is refused all the same by a server that
    /// refuses writes: that goes by [`CommandFacts::access`].
    pub access: Access,
    /// How long it may wait inside the server; `None`: it answers at once.
    pub blocking: Option<Blocking>,
}

impl Classified {
    /// A command that no pinned server knows: a write that is never sent twice.
    pub const UNKNOWN: Self = Self {
        facts: None,
        replay: Replay::Never,
        access: Access::Write,
        blocking: None,
    };
}

/// Classifies a command by its name and its arguments, without allocating.
///
/// Arguments that the server would refuse get the class of the command's worst arguments.
pub fn classify<A: AsRef<[u8]>>(args: &[A]) -> Classified {
    lookup(args).map_or(Classified::UNKNOWN, |facts| facts.classify(args))
}

impl CommandFacts {
    /// Classifies a call of this command; the arguments begin with its name.
    pub fn classify<A: AsRef<[u8]>>(&'static self, args: &[A]) -> Classified {
        let (replay, access) = self
            .rule
            .and_then(|rule| rule.apply(self, &Arguments(args)))
            .unwrap_or((self.replay, self.access));
        Classified {
            facts: Some(self),
            replay,
            access,
            blocking: self.blocking.and_then(|at| at.read(args)),
        }
    }
}
