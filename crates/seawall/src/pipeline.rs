//! Several commands at once.

use std::borrow::Cow;

use seawall_model::{Cause, Provenance, Sent};
use seawall_wire::error::ErrorKind;
use seawall_wire::{Value, encode};

use crate::batch::TOGETHER;
use crate::command::{Cmd, Nature};
use crate::error::{Error, Kind};
use crate::link::call::Call;

/// Commands that are sent in one write.
///
/// ```
/// use seawall::{Cmd, Pipeline};
/// let pipeline = Pipeline::new().with(Cmd::new("INCR").arg("visits")).with(Cmd::new("EXPIRE").arg("visits").arg(60));
/// assert_eq!(pipeline.len(), 2);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Pipeline {
    commands: Vec<Cmd>,
}

impl Pipeline {
    /// An empty pipeline.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a command.
    #[must_use]
    pub fn with(mut self, cmd: Cmd) -> Self {
        self.commands.push(cmd);
        self
    }

    /// Appends a command in place.
    pub fn push(&mut self, cmd: Cmd) {
        self.commands.push(cmd);
    }

    /// How many commands it has.
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    pub(crate) fn commands(&self) -> &[Cmd] {
        &self.commands
    }

    /// What errors and logs call it: a command that is alone by its own name.
    pub(crate) fn name(&self) -> Cow<'_, str> {
        match &*self.commands {
            [alone] => alone.name(),
            _ => TOGETHER.into(),
        }
    }

    /// The most careful of what its commands are.
    pub(crate) fn nature(&self) -> Nature {
        self.commands
            .iter()
            .map(Cmd::nature)
            .reduce(Nature::join)
            .unwrap_or_else(|| Nature::of(&[]))
    }

    /// What EXEC is: it runs everything or nothing, and never twice.
    pub(crate) fn transaction_nature(&self) -> Nature {
        self.nature().in_transaction()
    }

    pub(crate) fn pack_transaction(&self, out: &mut Vec<u8>) {
        encode::command(out, [b"MULTI"]);
        for cmd in &self.commands {
            cmd.pack(out);
        }
        encode::command(out, [b"EXEC"]);
    }

    /// Each command's own result: what was answered, then what was not.
    pub(crate) fn results(
        &self,
        replies: Vec<Value>,
        error: Option<Error>,
        call: &Call<'_>,
    ) -> Vec<Result<Value, Error>> {
        let answered = replies.len();
        let mut results: Vec<Result<Value, Error>> = replies
            .into_iter()
            .zip(&self.commands)
            .map(|(value, cmd)| one(value, cmd, call))
            .collect();
        if let Some(mut error) = error {
            let mut trail = error.take_trail().into_iter();
            for cmd in self.commands.iter().skip(answered) {
                results.push(Err(error.for_command(&cmd.name(), trail.next())));
            }
        }
        results
    }

    /// The results out of EXEC's reply.
    pub(crate) fn transaction_results(
        &self,
        mut replies: Vec<Value>,
        call: &Call<'_>,
    ) -> Result<Vec<Result<Value, Error>>, Error> {
        let endpoint = &call.link.name;
        match replies.pop() {
            Some(Value::Array(values)) if values.len() == self.commands.len() => Ok(values
                .into_iter()
                .zip(&self.commands)
                .map(|(value, cmd)| one(value, cmd, call))
                .collect()),
            Some(Value::Error(error)) => {
                // MULTI itself is answered first; without it each command stood for itself.
                let alone = matches!(replies.first(), Some(Value::Error(_)));
                let sent = if alone && replies.iter().any(|reply| !surely_did_not_run(reply)) {
                    Sent::Perhaps
                } else {
                    Sent::No
                };
                // EXECABORT only says that a command was refused while it was queued; that refusal says why.
                let first = replies.into_iter().find_map(|reply| match reply {
                    Value::Error(error) => Some(error),
                    _ => None,
                });
                let why = match first {
                    Some(first) if alone || error.kind == ErrorKind::ExecAbort => first,
                    _ => error,
                };
                Err(call.answered(why).with(|report| report.sent = sent))
            }
            _ => Err(
                Error::new(Kind::Reply, Cause::ProtocolError, "EXEC", endpoint).with(|report| {
                    report.sent = Sent::Perhaps;
                    report.provenance = Provenance::Replying;
                    report.detail =
                        "the reply to EXEC is not a list of as many replies as commands".into();
                }),
            ),
        }
    }
}

fn surely_did_not_run(reply: &Value) -> bool {
    matches!(reply, Value::Error(error) if error.kind.surely_did_not_run())
}

fn one(value: Value, cmd: &Cmd, call: &Call<'_>) -> Result<Value, Error> {
    match value {
        Value::Error(error) => {
            let script = cmd.nature().script;
            let error = Error::server(error, &cmd.name(), &call.link.name, script);
            Err(call.note(error))
        }
        value => Ok(value),
    }
}

impl Extend<Cmd> for Pipeline {
    fn extend<T: IntoIterator<Item = Cmd>>(&mut self, commands: T) {
        self.commands.extend(commands);
    }
}
