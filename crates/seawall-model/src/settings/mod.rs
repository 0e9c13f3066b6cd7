//! The settings: one [table](TABLE) from which parsing, defaults, accessors and the reference page come.
//!
//! A value comes from the first of these that has it: a call in the program, an option of the URL, the environment
//! variable, the default.

mod choices;
mod error;
pub(crate) mod foreign;
mod forms;
mod reference;
mod table;

use std::fmt;

pub use choices::{NameCheck, ProtocolChoice, ReplayLimit, ServerHints, TlsVerify};
pub use error::{SettingError, Typed};
pub use forms::{Percent, Reading};
pub use reference::reference_markdown;
pub use table::{Setting, Settings, TABLE};

use crate::secret::Secret;
use crate::span::parse_span;
use crate::suggest::nearest;
use crate::target::Target;

/// The row of the setting that is called `name`, by its own name or another client's.
pub fn find(name: &str) -> Option<&'static Setting> {
    named(name).map(|(setting, _, _)| setting)
}

/// The row, the name as the table spells it, and how values under this name are read.
pub(crate) fn named(name: &str) -> Option<(&'static Setting, &'static str, Reading)> {
    TABLE.iter().find_map(|setting| {
        if setting.name == name {
            return Some((setting, setting.name, Reading::Own));
        }
        let alias = setting.aliases.iter().find(|(alias, _)| *alias == name)?;
        Some((setting, alias.0, alias.1))
    })
}

/// Says why `name` is no setting: another client's that cannot be honoured, or unknown with the nearest known name.
pub(crate) fn unknown(name: &str) -> SettingError {
    if let Some((name, instead)) = foreign::REFUSED.iter().find(|(known, _)| *known == name) {
        return SettingError::Unsupported { name, instead };
    }
    let own = TABLE.iter().map(|setting| setting.name);
    let aliases = TABLE
        .iter()
        .flat_map(|setting| setting.aliases.iter().map(|(alias, _)| *alias));
    let passed_over = foreign::PASSED_OVER.iter().map(|(known, _)| *known);
    let suggestion = nearest(name, own.chain(aliases).chain(passed_over));
    SettingError::Unknown {
        name: Typed::new(name),
        suggestion,
    }
}

impl Settings {
    /// The defaults, with what the URL says on top.
    pub fn from_target(target: &Target) -> Result<Self, SettingError> {
        let mut settings = Self::default();
        settings.apply_target(target)?;
        Ok(settings)
    }

    /// Puts what the URL says over what is set: database, user, password and options.
    pub fn apply_target(&mut self, target: &Target) -> Result<(), SettingError> {
        for (name, value) in target.options() {
            self.apply(name, value)?;
        }
        if let Some(user) = target.user() {
            self.set_user(Some(user.into()))?;
        }
        if let Some(password) = target.password() {
            self.set_password(Some(password.clone()))?;
        }
        if let Some(db) = target.db() {
            self.set_db(db)?;
        }
        self.check_together()
    }

    /// Puts the environment over what is set. `lookup` gives the value of a variable; one that is set to nothing
    /// counts as not set, since that is how a container's template leaves it.
    pub fn apply_environment(
        &mut self,
        lookup: impl Fn(&'static str) -> Option<String>,
    ) -> Result<(), SettingError> {
        for setting in TABLE {
            match lookup(setting.env) {
                Some(text) if !text.is_empty() => {
                    self.read(setting.name, &text, Reading::Own)
                        .map_err(|_| wrong(setting, setting.env, Reading::Own, &text))?;
                }
                _ => {}
            }
        }
        self.check_together()
    }

    /// Sets `name` (its own, or another client's) from a text. A failure changes nothing.
    pub fn apply(&mut self, name: &str, value: &str) -> Result<(), SettingError> {
        let Some((setting, name, reading)) = named(name) else {
            return Err(unknown(name));
        };
        if value.is_empty() {
            return Err(SettingError::Empty { name });
        }
        self.read(setting.name, value, reading)
            .map_err(|_| wrong(setting, name, reading, value))
    }

    /// What no single setter can see: settings that need each other. [`from_target`](Self::from_target) has checked
    /// it; a builder checks it when it is done.
    pub fn check_together(&self) -> Result<(), SettingError> {
        match (
            self.tls_cert_file().is_some(),
            self.tls_key_file().is_some(),
        ) {
            (true, false) => Err(SettingError::Needs {
                name: "tls_cert_file",
                needs: "tls_key_file",
            }),
            (false, true) => Err(SettingError::Needs {
                name: "tls_key_file",
                needs: "tls_cert_file",
            }),
            _ => Ok(()),
        }
    }
}

/// A value as errors repeat it. A wrong user may be a password that was put in the wrong place.
fn typed(setting: &str, value: &str) -> Typed {
    if matches!(setting, "password" | "user") {
        Typed::hidden()
    } else {
        Typed::new(value)
    }
}

fn wrong(setting: &Setting, name: &'static str, reading: Reading, value: &str) -> SettingError {
    let example = match (reading, parse_span(setting.example)) {
        (Reading::Seconds, Some(span)) => span.as_secs_f64().to_string(),
        (Reading::Switch, _) => "true".to_owned(),
        _ => setting.example.to_owned(),
    };
    let value = typed(setting.name, value);
    SettingError::Wrong {
        name,
        value,
        expected: setting.expected(reading),
        example,
    }
}

/// Shows every setting, and no secret: a user without a password may be a password that was put in the wrong place.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Settings");
        for (name, value) in self.shown() {
            match value {
                Some(_) if name == "user" && self.password().is_none() => {
                    shown.field(name, &Secret::MASK)
                }
                Some(value) => shown.field(name, &format_args!("{value}")),
                None => shown.field(name, &format_args!("-")),
            };
        }
        shown.finish()
    }
}
