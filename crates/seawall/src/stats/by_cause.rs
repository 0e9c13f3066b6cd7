use std::fmt;

use seawall_model::Cause;

/// How often something happened, by its cause. Causes that did not occur are not in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByCause(Vec<(Cause, u64)>);

impl ByCause {
    pub(crate) fn count(&mut self, cause: Cause) {
        // There are some forty causes, of which a process meets a few.
        match self.0.binary_search_by_key(&cause, |&(known, _)| known) {
            Ok(at) => self.0[at].1 += 1,
            Err(at) => self.0.insert(at, (cause, 1)),
        }
    }

    /// How often, of this cause.
    pub fn of(&self, cause: Cause) -> u64 {
        self.iter()
            .find_map(|(known, count)| (known == cause).then_some(count))
            .unwrap_or(0)
    }

    /// How often, of any cause.
    pub fn total(&self) -> u64 {
        self.iter().map(|(_, count)| count).sum()
    }

    /// Each cause that occurred, in the order of [`Cause`], and how often.
    pub fn iter(&self) -> impl Iterator<Item = (Cause, u64)> + '_ {
        self.0.iter().copied()
    }
}

/// `5 (connection-refused 3, reply-timeout 2)`: the total, and the most frequent causes first.
impl fmt::Display for ByCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.total())?;
        let mut most_first: Vec<_> = self.iter().collect();
        most_first.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        for (place, (cause, count)) in most_first.iter().enumerate() {
            let before = if place == 0 { " (" } else { ", " };
            write!(f, "{before}{cause} {count}")?;
        }
        if most_first.is_empty() {
            Ok(())
        } else {
            f.write_str(")")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_cause_is_told_first() {
        let mut counts = ByCause::default();
        assert_eq!(counts.to_string(), "0");
        for cause in [
            Cause::ConnectionRefused,
            Cause::ReplyTimeout,
            Cause::ReplyTimeout,
        ] {
            counts.count(cause);
        }
        assert_eq!(
            counts.to_string(),
            "3 (reply-timeout 2, connection-refused 1)"
        );
        assert_eq!((counts.of(Cause::ReplyTimeout), counts.total()), (2, 3));
        assert_eq!(counts.of(Cause::Loading), 0);
    }
}
