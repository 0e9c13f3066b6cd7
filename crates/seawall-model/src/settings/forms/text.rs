use std::path::Path;
use std::sync::Arc;

use super::{Form, Reading, Unfit};
use crate::secret::Secret;

/// One of a few words. `also` holds what other clients write for them.
pub(in crate::settings) struct Choice<T: 'static> {
    pub(in crate::settings) all: &'static [T],
    pub(in crate::settings) name: fn(T) -> &'static str,
    pub(in crate::settings) also: &'static [(&'static str, T)],
}

impl<T: Copy + PartialEq> Form for Choice<T> {
    type Value = T;

    fn read(&self, text: &str, _: Reading) -> Result<T, Unfit> {
        // In a query string, a plus sign stands for a space.
        let text = text.replace(' ', "+");
        let named = self
            .all
            .iter()
            .copied()
            .find(|&word| (self.name)(word) == text);
        let also = || {
            self.also
                .iter()
                .find(|(word, _)| text.eq_ignore_ascii_case(word))
        };
        named
            .or_else(|| also().map(|(_, value)| *value))
            .ok_or(Unfit)
    }

    fn fits(&self, _: &T) -> bool {
        true
    }

    fn show(&self, value: &T) -> Option<String> {
        Some((self.name)(*value).to_owned())
    }

    fn describe(&self, _: Reading) -> String {
        let words: Vec<_> = self
            .all
            .iter()
            .map(|&word| format!("`{}`", (self.name)(word)))
            .collect();
        words
            .join(", ")
            .replacen("`, `", "` or `", usize::from(words.len() == 2))
    }
}

/// A text, or nothing.
pub(in crate::settings) struct Text {
    pub(in crate::settings) bytes_max: usize,
    pub(in crate::settings) allows: Allows,
}

/// Which characters a [`Text`] may have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::settings) enum Allows {
    /// All but control characters.
    Printable,
    /// What CLIENT SETNAME takes: `!` to `~`.
    Graphic,
    /// What a host name has.
    Host,
}

impl Form for Text {
    type Value = Option<Arc<str>>;

    fn read(&self, text: &str, _: Reading) -> Result<Self::Value, Unfit> {
        Ok(Some(text.into()))
    }

    fn fits(&self, value: &Self::Value) -> bool {
        let allowed = |c: char| match self.allows {
            Allows::Printable => !c.is_control(),
            Allows::Graphic => c.is_ascii_graphic(),
            Allows::Host => c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':'),
        };
        value.as_ref().is_none_or(|text| {
            (1..=self.bytes_max).contains(&text.len()) && text.chars().all(allowed)
        })
    }

    fn show(&self, value: &Self::Value) -> Option<String> {
        value.as_ref().map(ToString::to_string)
    }

    fn describe(&self, _: Reading) -> String {
        let of = match self.allows {
            Allows::Printable => "a text",
            Allows::Graphic => "a text of visible ASCII characters",
            Allows::Host => "a host name or address",
        };
        format!("{of}, at most {} bytes", self.bytes_max)
    }
}

/// A password, or nothing.
pub(in crate::settings) struct Hidden;

impl Form for Hidden {
    type Value = Option<Secret>;

    fn read(&self, text: &str, _: Reading) -> Result<Self::Value, Unfit> {
        Ok(Some(Secret::from(text)))
    }

    fn fits(&self, _: &Self::Value) -> bool {
        true
    }

    fn show(&self, value: &Self::Value) -> Option<String> {
        value.as_ref().map(ToString::to_string)
    }

    fn describe(&self, _: Reading) -> String {
        "a text".to_owned()
    }
}

/// A file or folder, or nothing.
pub(in crate::settings) struct FilePath;

impl Form for FilePath {
    type Value = Option<Arc<Path>>;

    fn read(&self, text: &str, _: Reading) -> Result<Self::Value, Unfit> {
        Ok(Some(Path::new(text).into()))
    }

    fn fits(&self, value: &Self::Value) -> bool {
        let fit = |path: &Arc<Path>| {
            let bytes = path.as_os_str().as_encoded_bytes();
            !bytes.is_empty() && !bytes.contains(&0)
        };
        value.as_ref().is_none_or(fit)
    }

    fn show(&self, value: &Self::Value) -> Option<String> {
        value.as_ref().map(|path| path.display().to_string())
    }

    fn describe(&self, _: Reading) -> String {
        "a path".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::ReplayLimit;

    #[test]
    fn a_word_is_found_with_its_plus_sign_or_the_space_that_a_query_makes_of_it() {
        let also = &[("all", ReplayLimit::SameState)];
        let form = Choice {
            all: ReplayLimit::ALL,
            name: ReplayLimit::name,
            also,
        };
        for text in ["reads+overwrites", "reads overwrites"] {
            assert_eq!(
                form.read(text, Reading::Own),
                Ok(ReplayLimit::ReadsAndOverwrites)
            );
        }
        assert_eq!(form.read("ALL", Reading::Own), Ok(ReplayLimit::SameState));
        assert_eq!(form.read("Reads", Reading::Own), Err(Unfit));
    }

    #[test]
    fn a_text_keeps_to_its_characters_and_its_length() {
        let form = Text {
            bytes_max: 4,
            allows: Allows::Graphic,
        };
        let fits = |text: &str| form.fits(&Some(text.into()));
        assert!(fits("a:b!"));
        assert!(!fits("") && !fits("abcde") && !fits("a b") && !fits("ü"));
    }
}
