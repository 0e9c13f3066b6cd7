use std::time::Duration;

use clap::Args;
use seawall_doctor::Diagnosis;
use seawall_doctor::sources::{self, Patience};
use seawall_model::Target;

use super::fix::Consent;
use super::{audit, fix, now, undo};
use crate::{Exit, output};

/// What is done besides saying why.
#[derive(Debug, Args)]
pub(super) struct Acts {
    /// Change the settings that the findings advise to change on servers given by URL: shows each with its risk, asks, keeps
    /// the old value, and reads the new one back
    #[arg(long, conflicts_with_all = ["form", "watch"])]
    fix: bool,
    /// Say yes to every change
    #[arg(long, requires = "fix")]
    yes: bool,
    /// Take a change back: its name, `last`, or `list` to see all. A URL beside it is for the user and password
    #[arg(long, value_name = "ID", conflicts_with_all = ["fix", "form"])]
    undo: Option<String>,
    /// Only tell what would break connections one day, graded A to F, for CI: 0 nothing to mend, 3 warnings, 1 something
    /// critical
    #[arg(long, conflicts_with_all = [
        "fix", "undo", "watch", "markdown", "sarif", "junit", "long", "html", "baseline", "around", "since", "until", "utc_offset",
        "celery_queue", "redis_log", "kernel", "journal",
    ])]
    pub(super) audit: bool,
    /// What the client is configured with: timeout, `connect_timeout`, `max_idle`, keepalive, pool (connections of a process),
    /// processes, as name=value,.. or as the table `[client]` of a file
    #[arg(long, value_name = "NAME=VALUE,..|FILE", requires = "audit")]
    client: Vec<String>,
}

impl Acts {
    /// Takes a change back, if that is what was asked for.
    pub(super) fn undone(&self, sources: &[String], within: Duration) -> Option<Exit> {
        let id = self.undo.as_ref()?;
        let url = sources.iter().find(|source| source.contains("://"));
        Some(undo::undo(id, url.map(String::as_str), within))
    }

    /// Audits, and nothing else.
    pub(super) fn audited(
        &self,
        sources: &[String],
        patience: Patience,
        form: audit::Form,
    ) -> Exit {
        let Some(client) = audit::client(&self.client) else {
            return Exit::Unable;
        };
        let told = sources::look(sources, patience, now());
        for trouble in &told.troubles {
            output::fail(&trouble.what, &trouble.hint);
        }
        let mut unread = told.lacks_something();
        if told.facts.had.is_empty() {
            return Exit::Unable;
        }
        // A grade of what was not looked at would let a deploy through.
        for look in &told.facts.looks {
            if let Some(why) = look.reach.away() {
                output::fail(
                    format_args!("{} could not be audited: {why}", look.source),
                    "",
                );
                unread = true;
            }
        }
        let ended = audit::run(told.facts, client, sources, form);
        if unread { Exit::Unable } else { ended }
    }

    /// Changes what is advised, if that was asked for. `None`: how it ended is for the findings to say.
    pub(super) fn fixed(
        &self,
        diagnosis: &Diagnosis,
        sources: &[String],
        within: Duration,
    ) -> Option<Exit> {
        if !self.fix {
            return None;
        }
        // What could not be read as a URL was said when it was looked at.
        let targets: Vec<_> = sources
            .iter()
            .filter(|source| source.contains("://"))
            .filter_map(|source| Target::parse(source).ok())
            .collect();
        let consent = Consent::of(self.yes);
        fix::mend(diagnosis, &targets, consent, within, now())
    }
}
