//! The pins and the overrides, joined to rows; and everything that does not fit, told at once.

use std::collections::{BTreeMap, BTreeSet};

use super::overrides::{Access, Class, Finder, MissGroup, Overrides};
use super::pin::{Begin, Command, Dump, Find, Spec};
use crate::task;

/// As many specifications as `Keys` in `seawall-wire` holds.
const SPECS_MAX: usize = 3;

/// One row of the table.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the server's own, and none excludes another"
)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) arity: i64,
    pub(crate) access: Access,
    pub(crate) grade: Grade,
    pub(crate) keys: RowKeys,
    pub(crate) blocking: Option<String>,
    pub(crate) session: Option<String>,
    pub(crate) pubsub: bool,
    pub(crate) script: bool,
    pub(crate) admin: bool,
    pub(crate) grows: bool,
    pub(crate) miss: Option<String>,
}

/// A replay class, and what arguments make of it.
#[derive(Clone, Debug)]
pub(crate) struct Grade {
    /// Under the worst arguments.
    pub(crate) class: Class,
    /// The class under the best arguments, and the variant of `Rule` that finds it.
    pub(crate) at_best: Option<(Class, String)>,
}

/// How a row finds its keys.
#[derive(Debug)]
pub(crate) enum RowKeys {
    Specs(Vec<Spec>),
    Sort,
    Migrate,
}

/// Joins dumps (the newest last) and overrides.
pub(crate) fn rows(dumps: &[Dump], overrides: &Overrides) -> task::Result<Vec<Row>> {
    let commands = union(dumps);
    let mut lists = Lists::gather(overrides, &commands);
    let rows = commands
        .values()
        .map(|command| lists.row(command))
        .collect();
    if lists.problems.is_empty() {
        Ok(rows)
    } else {
        Err(lists.problems.join("\n       ").into())
    }
}

/// Every command that any server knows: flags are joined, the looser arity and the newest specifications win.
fn union(dumps: &[Dump]) -> BTreeMap<String, Command> {
    let mut all: BTreeMap<String, Command> = BTreeMap::new();
    for command in dumps.iter().flat_map(|dump| dump.commands.values()) {
        let mut joined = command.clone();
        if let Some(older) = all.get(&command.name) {
            joined.arity = looser(older.arity, command.arity);
            joined.flags.extend(older.flags.iter().cloned());
            joined.flags.sort();
            joined.flags.dedup();
        }
        all.insert(joined.name.clone(), joined);
    }
    all
}

/// The arity that allows what either allows.
fn looser(one: i64, other: i64) -> i64 {
    if one == other {
        one
    } else {
        -one.abs().min(other.abs())
    }
}

/// The overrides by command, and what is wrong with anything.
struct Lists<'a> {
    grades: BTreeMap<&'a str, Grade>,
    access: BTreeMap<&'a str, Access>,
    finders: BTreeMap<&'a str, Finder>,
    timeouts: BTreeMap<&'a str, String>,
    effects: BTreeMap<&'a str, String>,
    scripts: BTreeSet<&'a str>,
    answers: BTreeMap<&'a str, String>,
    problems: Vec<String>,
}

impl<'a> Lists<'a> {
    fn gather(overrides: &'a Overrides, known: &BTreeMap<String, Command>) -> Self {
        let mut problems = group_problems(overrides);
        let told = &mut problems;
        Self {
            grades: list("replay", known, told, &overrides.replay, |group| {
                let rule = group.rule.as_deref().map(variant);
                let grade = Grade {
                    class: group.class,
                    at_best: group.at_best.zip(rule),
                };
                (&group.commands, grade)
            }),
            access: list("access", known, told, &overrides.access, |group| {
                (&group.commands, group.access)
            }),
            finders: list("keys", known, told, &overrides.keys, |group| {
                (&group.commands, group.finder)
            }),
            timeouts: list("blocking", known, told, &overrides.blocking, |group| {
                (&group.commands, variant(&group.timeout))
            }),
            effects: list("session", known, told, &overrides.session, |group| {
                (&group.commands, variant(&group.effect))
            }),
            scripts: list("script", known, told, [&overrides.script], |group| {
                (&group.commands, group)
            })
            .into_keys()
            .collect(),
            answers: list("miss", known, told, &overrides.miss, |group| {
                (&group.commands, answer(group))
            }),
            problems,
        }
    }

    fn row(&mut self, command: &Command) -> Row {
        let name = command.name.as_str();
        let access = self.access(command);
        let grade = self.grade(command);
        let blocking = self.timeouts.get(name).cloned();
        if command.has("blocking") && blocking.is_none() {
            self.tell(
                name,
                "it blocks, and no [[blocking]] says where its timeout stands",
            );
        }
        let miss = self.answers.get(name).cloned();
        if miss.is_some() && grade.class == Class::Never && grade.at_best.is_none() {
            self.tell(
                name,
                "its replay class is never, so its [[miss]] answer would never be given",
            );
        }
        Row {
            name: name.to_owned(),
            arity: command.arity,
            access,
            grade,
            keys: self.keys(command),
            blocking,
            session: self.effects.get(name).cloned(),
            pubsub: command.has("pubsub"),
            script: self.scripts.contains(name),
            admin: command.has("admin"),
            grows: command.has("denyoom"),
            miss,
        }
    }

    fn access(&self, command: &Command) -> Access {
        match self.access.get(command.name.as_str()) {
            Some(&access) => access,
            None if command.has("write") => Access::Write,
            None if command.has("readonly") => Access::Read,
            None => Access::Neither,
        }
    }

    fn grade(&mut self, command: &Command) -> Grade {
        let given = self.grades.get(command.name.as_str()).cloned();
        let class = given.as_ref().map(|grade| grade.class);
        if command.has("write") && class.is_none() {
            self.tell(
                &command.name,
                "it writes, and no [[replay]] gives its class",
            );
        }
        if command.has("write") && class == Some(Class::Read) {
            self.tell(&command.name, "it writes: its class cannot be read");
        }
        given.unwrap_or(Grade {
            class: if command.has("readonly") {
                Class::Read
            } else {
                Class::Never
            },
            at_best: None,
        })
    }

    fn keys(&mut self, command: &Command) -> RowKeys {
        let finder = self.finders.get(command.name.as_str()).copied();
        let mut specs = command.specs.clone();
        match finder {
            Some(Finder::Sort) => return RowKeys::Sort,
            Some(Finder::Migrate) => return RowKeys::Migrate,
            Some(Finder::KnownSpecs) => specs.retain(|spec| !is_vague(spec)),
            None if specs.iter().any(is_vague) => self.tell(
                &command.name,
                "the server's key specifications are vague, and no [[keys]] says how to find its keys",
            ),
            None => {}
        }
        if specs.len() > SPECS_MAX {
            self.tell(
                &command.name,
                "it has more key specifications than Keys::SPECS_MAX",
            );
        }
        RowKeys::Specs(specs)
    }

    fn tell(&mut self, command: &str, problem: &str) {
        self.problems.push(format!("{command}: {problem}"));
    }
}

/// One part of the overrides by command; a command that no server knows, or that is named twice, is told.
fn list<'a, G: 'a, V>(
    part: &str,
    known: &BTreeMap<String, Command>,
    problems: &mut Vec<String>,
    groups: impl IntoIterator<Item = &'a G>,
    read: impl Fn(&'a G) -> (&'a Vec<String>, V),
) -> BTreeMap<&'a str, V>
where
    V: Clone,
{
    let mut by_command = BTreeMap::new();
    for group in groups {
        let (commands, value) = read(group);
        for command in commands {
            if !known.contains_key(command) {
                problems.push(format!(
                    "{command}: [[{part}]] names it, and no pinned server knows it"
                ));
            }
            if by_command.insert(command.as_str(), value.clone()).is_some() {
                problems.push(format!("{command}: [[{part}]] names it twice"));
            }
        }
    }
    by_command
}

/// What is wrong with the groups themselves.
fn group_problems(overrides: &Overrides) -> Vec<String> {
    let mut problems = Vec::new();
    for group in &overrides.replay {
        if group.at_best.is_some() != group.rule.is_some() {
            problems.push(format!(
                "{:?}: `at_best` and `rule` go together",
                group.commands
            ));
        }
        if group.at_best.is_some_and(|best| best >= group.class) {
            problems.push(format!(
                "{:?}: `at_best` is no better than `class`",
                group.commands
            ));
        }
    }
    let reasons = (overrides
        .replay
        .iter()
        .map(|group| (&group.reason, &group.commands)))
    .chain(
        overrides
            .access
            .iter()
            .map(|group| (&group.reason, &group.commands)),
    )
    .chain(
        overrides
            .keys
            .iter()
            .map(|group| (&group.reason, &group.commands)),
    )
    .chain([(&overrides.script.reason, &overrides.script.commands)]);
    for (_, commands) in reasons.filter(|(reason, _)| reason.trim().is_empty()) {
        problems.push(format!("{commands:?}: `because` is empty"));
    }
    problems
}

/// Whether a specification does not show all keys.
fn is_vague(spec: &Spec) -> bool {
    spec.begin == Begin::Unknown
        || spec.find == Find::Unknown
        || spec.flags.iter().any(|flag| flag == "incomplete")
}

/// `last-seconds` as Rust names a variant: `LastSeconds`. Whether there is one, the compiler says.
fn variant(name: &str) -> String {
    name.split('-')
        .map(|word| {
            let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
            first.to_ascii_uppercase() + rest
        })
        .collect()
}

/// A variant of `MissAnswer` with its fields.
fn answer(group: &MissGroup) -> String {
    let fields: Vec<String> = [("from", group.from), ("step", group.step)]
        .into_iter()
        .filter_map(|(field, value)| Some(format!("{field}: {}", value?)))
        .collect();
    let name = variant(&group.answer);
    if fields.is_empty() {
        name
    } else {
        format!("{name} {{ {} }}", fields.join(", "))
    }
}
