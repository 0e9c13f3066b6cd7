//! The notation of the generated table: a row begins with what each command has, and adds what few have.

use super::blocking::TimeoutAt;
use super::command::{Access, CommandFacts, SessionEffect};
use super::keys::Keys;
use super::miss::MissAnswer;
use super::replay::Replay;
use super::rules::Rule;

pub(super) const fn row(
    name: &'static str,
    arity: i16,
    access: Access,
    replay: Replay,
) -> CommandFacts {
    CommandFacts {
        name,
        arity,
        access,
        replay,
        replay_at_best: replay,
        keys: Keys::None,
        blocking: None,
        session: None,
        pubsub: false,
        script: false,
        admin: false,
        grows: false,
        miss: None,
        rule: None,
    }
}

impl CommandFacts {
    pub(super) const fn at_best(mut self, replay: Replay, rule: Rule) -> Self {
        self.replay_at_best = replay;
        self.rule = Some(rule);
        self
    }

    pub(super) const fn keys(mut self, keys: Keys) -> Self {
        self.keys = keys;
        self
    }

    pub(super) const fn blocking(mut self, at: TimeoutAt) -> Self {
        self.blocking = Some(at);
        self
    }

    pub(super) const fn session(mut self, effect: SessionEffect) -> Self {
        self.session = Some(effect);
        self
    }

    pub(super) const fn pubsub(mut self) -> Self {
        self.pubsub = true;
        self
    }

    pub(super) const fn script(mut self) -> Self {
        self.script = true;
        self
    }

    pub(super) const fn admin(mut self) -> Self {
        self.admin = true;
        self
    }

    pub(super) const fn grows(mut self) -> Self {
        self.grows = true;
        self
    }

    pub(super) const fn miss(mut self, answer: MissAnswer) -> Self {
        self.miss = Some(answer);
        self
    }
}

/// The table: one row a line, which no formatter takes apart.
macro_rules! rows {
    ($($name:literal $arity:literal $access:ident $replay:ident $(.$add:ident($($what:tt)*))*;)+) => {
        /// Every command and subcommand that a pinned server knows, sorted by name.
        pub static ALL: &[CommandFacts] = &[
            $(row($name, $arity, Access::$access, Replay::$replay)$(.$add($($what)*))*),+
        ];
    };
}

/// Key specifications: where a run begins, which arguments from there, and what happens to them.
macro_rules! specs {
    (@at $at:literal) => { Begin::Index { at: $at } };
    (@after $word:literal, $from:literal) => { Begin::Keyword { word: $word, from: $from } };
    (@to $last:literal, $step:literal, $parts:literal) => {
        Find::Range { last: $last, step: $step, parts: $parts }
    };
    (@counted $count:literal, $first:literal, $step:literal) => {
        Find::Counted { count: $count, first: $first, step: $step }
    };
    ($($begin:ident($($b:literal),+) $find:ident($($f:literal),+) $role:ident),+) => {
        Keys::Specs(&[
            $(KeySpec {
                begin: specs!(@$begin $($b),+),
                find: specs!(@$find $($f),+),
                role: KeyRole::$role,
            }),+
        ])
    };
}

pub(super) use {rows, specs};
