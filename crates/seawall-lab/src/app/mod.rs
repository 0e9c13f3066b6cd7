//! Breaks Redis under somebody's own application, and counts what its users saw.
//!
//! The application is any command; its users are requests of HTTP, an open loop of them. What is broken is what the
//! scenarios break, on the same servers and by the same relay.

mod error;
mod http;
mod judge;
mod load;
mod process;
mod report;
mod trial;

pub use error::AppError;
pub use judge::{Phase, Seen, Share};
pub use report::{AppReport, AppRun};

use crate::run::{Interrupt, LabError, Progress, leave_out};
use crate::scenario::{self, Scenario};
use crate::world::{clock, server_binary};
use std::path::PathBuf;
use std::time::Duration;

/// The variables in which applications look for their Redis.
pub const ENV_DEFAULT: [&str; 5] = [
    "REDIS_URL",
    "CELERY_BROKER_URL",
    "CELERY_RESULT_BACKEND",
    "CACHE_REDIS_URL",
    "RQ_REDIS_URL",
];
/// The default of [`AppOptions::rate`].
pub const RATE_DEFAULT: u32 = 50;
/// The default of [`AppOptions::patience`].
pub const PATIENCE_DEFAULT: Duration = Duration::from_secs(5);
/// The default of [`AppOptions::ready`].
pub const READY_DEFAULT: Duration = Duration::from_secs(30);

/// Which application, and what is done to it.
pub struct AppOptions<'a> {
    /// The scenarios, by name; the application is started anew for each.
    pub scenarios: Vec<String>,
    /// The command that runs it, for a shell. `{redis_url}` in it becomes the server's URL.
    pub command: String,
    /// What is asked: an URL of http.
    pub url: String,
    /// How: GET, POST.
    pub method: String,
    /// Requests a second, 1 to 1000.
    pub rate: u32,
    /// How long users wait for an answer.
    pub patience: Duration,
    /// How long the application may take to answer for the first time.
    pub ready: Duration,
    /// More variables, beside [`ENV_DEFAULT`], that are set to the server's URL.
    pub env: Vec<String>,
    /// The virtual environment in which a server is looked for, if there is none on the PATH.
    pub venv: Option<PathBuf>,
    /// Told what goes on.
    pub progress: &'a dyn Fn(&str),
    /// Ends it early. The application is ended with it.
    pub interrupt: Interrupt,
}

impl AppOptions<'_> {
    fn variables(&self) -> Vec<String> {
        let default = ENV_DEFAULT.into_iter().map(str::to_owned);
        default.chain(self.env.iter().cloned()).collect()
    }
}

/// Runs the scenarios one after the other.
///
/// # Errors
/// [`AppError`]: nothing can be said of the application.
pub fn run(options: &AppOptions<'_>) -> Result<AppReport, AppError> {
    let mut scenarios = select(&options.scenarios)?;
    let target =
        http::Target::parse(&options.url, &options.method).map_err(|why| AppError::Url {
            url: options.url.clone(),
            why,
        })?;
    load::make_room(options.rate, options.patience).map_err(|most| AppError::Descriptors {
        most,
        rate: options.rate,
        patience: options.patience,
    })?;
    let began = clock::now();
    let binary = server_binary(options.venv.as_deref()).map_err(LabError::NoServer)?;
    let tell = |progress: &Progress<'_>| (options.progress)(&progress.to_string());
    let why = leave_out(&mut scenarios, &binary, &tell);
    if scenarios.is_empty() {
        let why = why.join("; ");
        return Err(LabError::NothingLeft { why }.into());
    }
    let mut runs = Vec::new();
    for scenario in &scenarios {
        runs.push(trial::run(options, &target, scenario, &binary)?);
    }
    Ok(AppReport {
        command: options.command.clone(),
        url: options.url.clone(),
        method: options.method.clone(),
        rate: options.rate,
        patience: options.patience,
        server: binary.to_string(),
        took: clock::now().since(began),
        runs,
    })
}

/// The scenarios of these names, in the order in which they were given.
fn select(names: &[String]) -> Result<Vec<Scenario>, AppError> {
    let unfit = |named: String| {
        let all = scenario::list();
        let fit = all.iter().filter(|scenario| scenario.fits_an_app());
        AppError::Unfit {
            named,
            fit: fit
                .map(|scenario| scenario.name)
                .collect::<Vec<_>>()
                .join(", "),
        }
    };
    if names.is_empty() {
        return Err(unfit(String::new()));
    }
    let find = |name: &String| {
        scenario::list()
            .into_iter()
            .find(|scenario| scenario.name == scenario::name_of(name) && scenario.fits_an_app())
            .ok_or_else(|| unfit(name.clone()))
    };
    names.iter().map(find).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_clients_of_the_labs_own_is_refused_with_what_fits() {
        for name in [
            "cancelled-calls",
            "slow-subscriber",
            "wrong-password",
            "no-such",
        ] {
            let text = select(&[name.to_owned()]).unwrap_err().to_string();
            assert!(text.contains(name) && text.contains("outage"), "{text}");
        }
        assert!(select(&[]).is_err());
        assert_eq!(
            select(&["outage-6s".to_owned(), "blip".to_owned()])
                .unwrap()
                .len(),
            2
        );
    }
}
