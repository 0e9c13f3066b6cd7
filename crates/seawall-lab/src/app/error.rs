use crate::run::LabError;
use std::io;
use std::time::Duration;

/// Why somebody's application could not be put into the lab.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// No scenario was named, or one that needs clients of the lab's own.
    #[error("{}; there are: {fit}", unfit(named))]
    Unfit {
        /// What was named.
        named: String,
        /// Those that fit.
        fit: String,
    },
    /// The URL, or the method.
    #[error("`{url}` cannot be asked: {why}")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// Somebody answers there already, and would be taken for the application.
    #[error(
        "something answers on {url} before the application is started: end it, or give another port"
    )]
    Taken {
        /// Where.
        url: String,
    },
    /// Not so many connections may be open.
    #[error(
        "{most} connections may be open at a time (ulimit -n), which is too few for {rate} requests a second that may take \
         {patience:?}: lower --rate or --patience"
    )]
    Descriptors {
        /// How many.
        most: u64,
        /// Requests a second.
        rate: u32,
        /// How long each may take.
        patience: Duration,
    },
    /// The shell that runs it could not be started.
    #[error("cannot start the application: {source}")]
    Start {
        /// What the system said.
        source: io::Error,
    },
    /// It ended before anything was broken.
    #[error(
        "the application ended ({how}) before {url} answered; it must stay in the foreground{last_words}"
    )]
    Ended {
        /// How.
        how: String,
        /// Where it was to answer.
        url: String,
        /// The end of what it wrote, if anything.
        last_words: String,
    },
    /// It did not answer as it should before anything was broken.
    #[error(
        "{url} {saw}, within {limit:?} of the application's start and with nothing broken{last_words}"
    )]
    NotReady {
        /// Where it was to answer.
        url: String,
        /// What came instead.
        saw: String,
        /// How long it was given.
        limit: Duration,
        /// The end of what it wrote, if anything.
        last_words: String,
    },
    /// It says that there is nothing to be had.
    #[error("{url} answers {status}, with nothing broken: is that the right address{hint}?")]
    NotFound {
        /// Where it was asked.
        url: String,
        /// What it said.
        status: u16,
        /// More to look at.
        hint: &'static str,
    },
    /// It answers, and asks its Redis for nothing.
    #[error(
        "{url} answered {requests} requests, and no command came to the lab's Redis; it is at {redis_url}, which the application \
         is told in {env}: does it read one of these (see --env), and does this address use Redis?"
    )]
    Unused {
        /// Where it was asked.
        url: String,
        /// How many requests were answered.
        requests: usize,
        /// Where Redis was.
        redis_url: String,
        /// The variables that were set.
        env: String,
    },
    /// The lab itself could not go on.
    #[error(transparent)]
    Lab(#[from] LabError),
}

fn unfit(named: &str) -> String {
    if named.is_empty() {
        return "with --app, name the scenarios to run".to_owned();
    }
    format!("`{named}` is no scenario for an application (--app)")
}
