use std::fmt;

/// Why a setting was not taken. Messages never repeat a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// No setting has this name.
    #[error("there is no setting named {name}{}", did_you_mean(*.suggestion))]
    Unknown {
        /// What was typed.
        name: Typed,
        /// The known name nearest to it.
        suggestion: Option<&'static str>,
    },
    /// Another client has this option, and Seawall cannot honour it.
    #[error("the option `{name}` is not supported")]
    Unsupported {
        /// Its name.
        name: &'static str,
        /// What to do instead.
        instead: &'static str,
    },
    /// The value is not of the setting's form, or is out of its range.
    #[error("`{name}` cannot be {value}: expected {expected}, such as `{example}`")]
    Wrong {
        /// The name under which it was given.
        name: &'static str,
        /// The value, cut short; `***` for a secret.
        value: Typed,
        /// The form and the range.
        expected: String,
        /// A value that would be taken.
        example: String,
    },
    /// The name stands there without a value.
    #[error("`{name}` has no value")]
    Empty {
        /// The name under which it was given.
        name: &'static str,
    },
    /// One setting needs another.
    #[error("`{name}` is set without `{needs}`")]
    Needs {
        /// The one that is set.
        name: &'static str,
        /// The one that is missing.
        needs: &'static str,
    },
}

impl SettingError {
    /// What to do, in one line.
    pub fn hint(&self) -> String {
        match self {
            Self::Unknown {
                suggestion: Some(name),
                ..
            } => format!("write `{name}`"),
            Self::Unknown {
                suggestion: None, ..
            } => "every setting stands in docs/settings.md".to_owned(),
            Self::Unsupported { instead, .. } => (*instead).to_owned(),
            Self::Wrong { name, example, .. } => format!("write {name}={example}"),
            Self::Empty { name } => format!("give `{name}` a value, or leave it out"),
            Self::Needs { needs, .. } => format!("set `{needs}` too"),
        }
    }
}

fn did_you_mean(suggestion: Option<&'static str>) -> String {
    suggestion
        .map(|name| format!(", did you mean `{name}`?"))
        .unwrap_or_default()
}

/// Something that a user typed, as errors repeat it: cut short, quoted, control characters escaped.
#[derive(Clone, PartialEq, Eq)]
pub struct Typed(String);

impl Typed {
    /// Longer texts are cut: an error is a line, and a key file pasted into a URL shall not fill a log.
    const CHARS_MAX: usize = 48;

    pub(crate) fn new(text: &str) -> Self {
        let cut: String = text.chars().take(Self::CHARS_MAX).collect();
        let more = if cut.len() < text.len() { ".." } else { "" };
        Self(format!("{cut:?}{more}"))
    }

    pub(crate) fn hidden() -> Self {
        Self(crate::Secret::MASK.to_owned())
    }
}

impl fmt::Display for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_repeated_quoted_and_short() {
        assert_eq!(Typed::new("a\nb").to_string(), r#""a\nb""#);
        assert_eq!(Typed::new(&"x".repeat(100)).to_string().len(), 48 + 4);
    }
}
