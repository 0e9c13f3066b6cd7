//! One change of one setting, out of the command that a rule advises.

use super::known::{Known, known};

/// A change of a live server's setting: `CONFIG SET setting to`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// The setting, one of those that the doctor may change.
    pub setting: &'static str,
    /// The class of clients, where the setting has a value for each: `client-output-buffer-limit`.
    pub class: Option<String>,
    /// The value; of a class without its name.
    pub to: String,
}

/// What may stand before the command: it makes no condition of it.
const PREFIXES: &[&str] = &["stop-gap: ", "since 7.0: "];

impl Change {
    /// The change that an advice of a rule's is: `redis-cli CONFIG SET timeout 0, with ..`. `None` where it begins with
    /// anything else, leaves the value open (`<more>`), or names a setting that the doctor does not change.
    pub fn of(action: &str) -> Option<Self> {
        let action = PREFIXES
            .iter()
            .find_map(|prefix| action.strip_prefix(prefix))
            .unwrap_or(action);
        let rest = action.strip_prefix("redis-cli CONFIG SET ")?;
        let (name, rest) = rest.split_once(' ')?;
        let value = match rest.strip_prefix('\'') {
            Some(quoted) => quoted.split_once('\'')?.0,
            None => rest
                .split(|c: char| c.is_whitespace() || c == ',' || c == ';')
                .next()?,
        };
        Self::new(name, value)
    }

    /// A change of that setting to that value, if the doctor may change it.
    pub fn new(name: &str, value: &str) -> Option<Self> {
        let setting = known(name)?;
        let open = value.is_empty() || value.contains(['<', '>', '\n', '\r', '\'']);
        if open {
            return None;
        }
        let (class, to) = if setting.by_class {
            let (class, to) = value.split_once(' ')?;
            (Some(class.to_owned()), to.trim().to_owned())
        } else {
            (None, value.to_owned())
        };
        Some(Self {
            setting: setting.name,
            class,
            to,
        })
    }

    /// What is known of its setting.
    pub fn known(&self) -> &'static Known {
        known(self.setting).expect("a change is made of a known setting")
    }

    /// `client-output-buffer-limit pubsub`
    pub fn label(&self) -> String {
        match &self.class {
            Some(class) => format!("{} {class}", self.setting),
            None => self.setting.to_owned(),
        }
    }

    /// The value as CONFIG SET takes it.
    pub fn value(&self) -> String {
        match &self.class {
            Some(class) => format!("{class} {}", self.to),
            None => self.to.clone(),
        }
    }

    /// The command, for a person.
    pub fn command(&self) -> String {
        format!("CONFIG SET {} {}", self.setting, quoted(&self.value()))
    }

    /// Of what CONFIG GET answered, what this change is about.
    pub(super) fn part<'a>(&self, answered: &'a str) -> Option<std::borrow::Cow<'a, str>> {
        let Some(class) = &self.class else {
            return Some(answered.into());
        };
        let words: Vec<_> = answered.split_whitespace().collect();
        let four = words
            .chunks(4)
            .find(|four| four.len() == 4 && same_class(four[0], class))?;
        Some(four[1..].join(" ").into())
    }

    /// Whether the setting has this value already, whatever it is written like: `64mb` is `67108864`.
    pub fn is_so(&self, told: &str) -> bool {
        let plain = |value: &str| -> Vec<String> {
            value
                .split_whitespace()
                .map(|word| amount(word).map_or_else(|| word.to_lowercase(), |n| n.to_string()))
                .collect()
        };
        plain(&self.to) == plain(told)
    }
}

/// `redis-cli` wants words with blanks in quotes.
fn quoted(value: &str) -> String {
    if value.contains(' ') {
        format!("'{value}'")
    } else {
        value.to_owned()
    }
}

fn same_class(one: &str, other: &str) -> bool {
    let plain = |class: &str| {
        if class == "replica" {
            "slave".to_owned()
        } else {
            class.to_owned()
        }
    };
    plain(one) == plain(other)
}

/// A number with the units of redis.conf: `64mb` is 64 MiB, `64m` 64 million.
pub(super) fn amount(word: &str) -> Option<u64> {
    let lower = word.to_lowercase();
    let end = lower
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(lower.len());
    let number: u64 = lower[..end].parse().ok()?;
    let unit = match &lower[end..] {
        "" | "b" => 1,
        "k" => 1_000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_command_of_an_advice_is_the_change() {
        let change = Change::of("redis-cli CONFIG SET timeout 0, with tcp-keepalive 300");
        assert_eq!(change.expect("it is one").command(), "CONFIG SET timeout 0");
        let advice =
            "stop-gap: redis-cli CONFIG SET client-output-buffer-limit 'pubsub 64mb 16mb 120'";
        let change = Change::of(advice).expect("it is one");
        assert_eq!(change.label(), "client-output-buffer-limit pubsub");
        assert_eq!(
            change.command(),
            "CONFIG SET client-output-buffer-limit 'pubsub 64mb 16mb 120'"
        );
    }

    #[test]
    fn what_leaves_something_open_or_has_a_condition_is_for_a_person() {
        for advice in [
            "stop-gap: redis-cli CONFIG SET maxclients <more>",
            "a cache only: redis-cli CONFIG SET maxmemory-policy allkeys-lru",
            "redis-cli CONFIG SET dir /tmp",
            "redis-cli CONFIG SET requirepass secret",
            "redis-cli FLUSHALL",
            "sysctl -w vm.overcommit_memory=1",
            "redis-cli CONFIG SET timeout",
            "redis-cli CONFIG SET client-output-buffer-limit 'pubsub'",
        ] {
            assert_eq!(Change::of(advice), None, "{advice}");
        }
    }

    #[test]
    fn a_value_is_the_same_in_other_units_and_of_its_class_alone() {
        let change = Change::new("client-output-buffer-limit", "replica 256mb 64mb 60");
        let change = change.expect("it is one");
        let told = "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60";
        let part = change.part(told).expect("it is there");
        assert!(change.is_so(&part), "{part}");
        assert!(!change.is_so("268435456 67108864 61"));
        assert_eq!(change.part("normal 0 0"), None);
        assert_eq!(amount("99999999999999999999gb"), None);
    }

    proptest! {
        #[test]
        fn no_words_make_it_panic(words in "(stop-gap: )?(redis-cli CONFIG SET )?(timeout|maxmemory|client-output-buffer-limit|dir)?[ '<a-z0-9é,;]{0,20}") {
            if let Some(change) = Change::of(&words) {
                let _ = change.is_so(&words);
                let _ = change.part(&words);
                prop_assert!(!change.command().contains('\n'));
            }
        }
    }
}
