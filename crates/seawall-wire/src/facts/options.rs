//! Reading arguments as the server would: words without regard to case, whole numbers, positions that may not exist.

/// A command's arguments, its name the first of them.
pub(super) struct Arguments<'a, A>(pub(super) &'a [A]);

impl<'a, A: AsRef<[u8]>> Arguments<'a, A> {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, at: usize) -> Option<&'a [u8]> {
        self.0.get(at).map(AsRef::as_ref)
    }

    /// Whether this word (given in upper case) stands there.
    pub(super) fn is(&self, at: usize, word: &str) -> bool {
        self.get(at)
            .is_some_and(|argument| argument.eq_ignore_ascii_case(word.as_bytes()))
    }

    /// Whether one of these words stands there.
    pub(super) fn is_any(&self, at: usize, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(at, word))
    }

    /// The whole number that stands there.
    pub(super) fn number(&self, at: usize) -> Option<i64> {
        std::str::from_utf8(self.get(at)?).ok()?.parse().ok()
    }

    /// The count that stands there: a whole number from 1.
    pub(super) fn count(&self, at: usize) -> Option<usize> {
        let number = usize::try_from(self.number(at)?).ok()?;
        (number > 0).then_some(number)
    }
}
