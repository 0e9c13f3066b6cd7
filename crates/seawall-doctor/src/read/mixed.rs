//! A log with lines of several kinds: the journal of a host, `docker compose logs`, `kubectl logs --prefix`.

use std::sync::{Arc, OnceLock};

use super::application::{self, Application};
use super::envelope::{self, Of};
use super::kernel::{self, Kernel};
use super::redis_log::{self, RedisLog};
use super::{Given, Hit, Kind, Searcher};
use crate::facts::Facts;
use crate::stamp::Stamp;
use crate::text::Listened;

/// What any of them listens for.
pub(super) fn listened() -> &'static Listened {
    static LISTENED: OnceLock<Listened> = OnceLock::new();
    Listened::together(
        &LISTENED,
        &[
            redis_log::listened(),
            kernel::listened(),
            application::listened(),
        ],
    )
}

#[derive(Clone)]
pub(super) struct Mixed {
    server: RedisLog,
    kernel: Kernel,
    application: Application,
    had_server: bool,
    had_kernel: bool,
    had_application: bool,
    given: Given,
}

impl Mixed {
    /// Most of its lines are of that kind.
    pub(super) fn new(name: &str, given: Given, kind: Kind) -> Self {
        Self {
            server: RedisLog::new(name, given),
            kernel: Kernel::new(name, given),
            application: Application::new(name, given),
            had_server: kind == Kind::RedisLog,
            had_kernel: kind == Kind::Kernel,
            had_application: kind == Kind::Application,
            given,
        }
    }
}

impl Searcher for Mixed {
    fn source(&self) -> Arc<str> {
        self.server.source()
    }

    fn listened(&self) -> &'static Listened {
        listened()
    }

    fn line(&mut self, hit: &Hit<'_>) {
        let opened = envelope::open(&hit.line, self.given.now);
        if opened.of == Of::Kernel || kernel::is(&opened.text) {
            self.had_kernel = true;
            self.kernel.take(hit, &opened);
        } else if self.server.take(hit, &opened) {
            self.had_server = true;
        } else {
            self.application.take(hit, &opened);
        }
    }

    fn time(&self, line: &str) -> Option<Stamp> {
        self.server
            .time(line)
            .or_else(|| application::time_of(line, self.given.now))
    }

    fn at(&mut self, given: Given) {
        self.given = given;
        self.server.at(given);
        self.kernel.at(given);
        self.application.at(given);
    }

    fn copy(&self) -> Box<dyn Searcher> {
        Box::new(self.clone())
    }

    fn end(&mut self, facts: &mut Facts) {
        self.so_far(true, facts);
    }

    fn so_far(&mut self, quiet: bool, facts: &mut Facts) {
        if self.had_server {
            self.server.end(facts);
        }
        if self.had_kernel {
            self.kernel.end(facts);
        }
        if self.had_application || self.application.told() {
            self.application.so_far(quiet, facts);
        }
    }
}
