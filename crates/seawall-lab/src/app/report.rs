//! What came of it, as text for a terminal and as JSON for programs.

use super::judge::{Phase, Seen, Share};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::time::Duration;

/// What the users of an application saw, scenario by scenario.
#[derive(Debug)]
pub struct AppReport {
    /// The command that ran it.
    pub command: String,
    /// What was asked.
    pub url: String,
    /// How.
    pub method: String,
    /// Requests a second.
    pub rate: u32,
    /// How long users waited.
    pub patience: Duration,
    /// The server that was broken.
    pub server: String,
    /// How long it all took.
    pub took: Duration,
    /// One for each scenario.
    pub runs: Vec<AppRun>,
}

/// One scenario.
#[derive(Debug)]
pub struct AppRun {
    /// Its name.
    pub scenario: &'static str,
    /// What happens in it.
    pub story: &'static str,
    /// What was seen.
    pub seen: Seen,
}

impl AppReport {
    /// Whether nothing fell short.
    pub fn is_well(&self) -> bool {
        self.runs.iter().all(|run| run.seen.shortfalls.is_empty())
    }

    /// The report as one object of JSON: see docs/lab-app.md.
    pub fn json(&self) -> String {
        let runs = self.runs.iter().map(run_as_json).collect();
        let all = Json {
            version: 1,
            verdict: verdict(self.is_well()),
            command: &self.command,
            url: &self.url,
            method: &self.method,
            rate: self.rate,
            patience_ms: millis(self.patience),
            server: &self.server,
            took_ms: millis(self.took),
            runs,
        };
        serde_json::to_string_pretty(&all).unwrap_or_default()
    }
}

fn verdict(is_well: bool) -> &'static str {
    if is_well { "ok" } else { "short" }
}

fn millis(span: Duration) -> f64 {
    (span.as_secs_f64() * 10_000.0).round() / 10.0
}

#[derive(Serialize)]
struct Json<'a> {
    version: u32,
    verdict: &'static str,
    command: &'a str,
    url: &'a str,
    method: &'a str,
    rate: u32,
    patience_ms: f64,
    server: &'a str,
    took_ms: f64,
    runs: Vec<JsonRun<'a>>,
}

#[derive(Serialize)]
struct JsonRun<'a> {
    scenario: &'a str,
    story: &'a str,
    verdict: &'static str,
    shortfalls: &'a [String],
    phases: BTreeMap<&'static str, JsonShare>,
    statuses: &'a BTreeMap<u16, u64>,
    causes: &'a BTreeMap<String, u64>,
    errors_without_cause: u64,
    unanswered: &'a BTreeMap<&'static str, u64>,
    down_ms: f64,
    back_ms: Option<f64>,
    died: Option<&'a str>,
}

#[derive(Serialize)]
struct JsonShare {
    lasted_ms: f64,
    requests: u64,
    good: u64,
    client_errors: u64,
    server_errors: u64,
    unanswered: u64,
    latency_median_ms: f64,
    latency_p99_ms: f64,
    latency_worst_ms: f64,
}

fn run_as_json(run: &AppRun) -> JsonRun<'_> {
    let seen = &run.seen;
    let share = |share: &Share| JsonShare {
        lasted_ms: millis(share.lasted),
        requests: share.requests,
        good: share.good,
        client_errors: share.client_errors,
        server_errors: share.server_errors,
        unanswered: share.unanswered,
        latency_median_ms: millis(share.median),
        latency_p99_ms: millis(share.p99),
        latency_worst_ms: millis(share.worst),
    };
    let names = Phase::ALL.iter().map(|phase| phase.name());
    JsonRun {
        scenario: run.scenario,
        story: run.story,
        verdict: verdict(seen.shortfalls.is_empty()),
        shortfalls: &seen.shortfalls,
        phases: names.zip(seen.phases.iter().map(share)).collect(),
        statuses: &seen.statuses,
        causes: &seen.causes,
        errors_without_cause: seen.without_cause,
        unanswered: &seen.unanswered,
        down_ms: millis(seen.down),
        back_ms: seen.back.map(millis),
        died: seen.died.as_deref(),
    }
}

impl Display for AppReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (method, url, rate) = (&self.method, &self.url, self.rate);
        writeln!(f, "{}: {method} {url}, {rate} a second", self.command)?;
        writeln!(f, "{}, {:.1} s", self.server, self.took.as_secs_f64())?;
        for run in &self.runs {
            writeln!(f, "\n{}: {}", run.scenario, run.story)?;
            write_run(f, &run.seen)?;
        }
        write!(
            f,
            "\nwhen users came: before anything was broken, until all was mended, after that; none: no answer\n\
             worst: the longest that anybody waited; back: first good answer (2xx, 3xx) after all was mended"
        )
    }
}

fn write_run(f: &mut fmt::Formatter<'_>, seen: &Seen) -> fmt::Result {
    writeln!(
        f,
        "                requests  2xx 3xx     4xx     5xx    none    median       p99     worst"
    )?;
    for (phase, share) in Phase::ALL.iter().zip(&seen.phases) {
        let lasted = format!("{:.1} s", share.lasted.as_secs_f64());
        writeln!(
            f,
            "  {:<6}{lasted:>7} {:>8}  {:>7} {:>7} {:>7} {:>7}  {:>8}  {:>8}  {:>8}",
            phase.name(),
            share.requests,
            share.good,
            share.client_errors,
            share.server_errors,
            share.unanswered,
            span(share.median),
            span(share.p99),
            span(share.worst),
        )?;
    }
    let statuses = seen
        .statuses
        .iter()
        .map(|(status, count)| (status.to_string(), *count));
    write_counts(f, "answers", statuses)?;
    let mut causes: Vec<_> = seen
        .causes
        .iter()
        .map(|(cause, count)| (cause.clone(), *count))
        .collect();
    if seen.without_cause > 0 {
        causes.push(("none named".to_owned(), seen.without_cause));
    }
    causes.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    write_counts(f, "causes", causes)?;
    let unanswered = seen
        .unanswered
        .iter()
        .map(|(why, count)| ((*why).to_owned(), *count));
    write_counts(f, "no answer", unanswered)?;
    match seen.back {
        Some(back) => writeln!(f, "  back after {}", span(back))?,
        None => writeln!(f, "  never back")?,
    }
    if seen.shortfalls.is_empty() {
        return writeln!(f, "  ok");
    }
    writeln!(f, "  SHORT")?;
    for shortfall in &seen.shortfalls {
        writeln!(f, "    - {shortfall}")?;
    }
    Ok(())
}

fn write_counts(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    counts: impl IntoIterator<Item = (String, u64)>,
) -> fmt::Result {
    let all: Vec<String> = counts
        .into_iter()
        .map(|(name, count)| format!("{name} ({count})"))
        .collect();
    if all.is_empty() {
        return Ok(());
    }
    writeln!(f, "  {what}: {}", all.join(", "))
}

fn span(span: Duration) -> String {
    if span >= Duration::from_secs(1) {
        format!("{:.2} s", span.as_secs_f64())
    } else {
        format!("{} ms", span.as_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> AppReport {
        let share = |requests, good, server_errors| Share {
            lasted: Duration::from_millis(3800),
            requests,
            good,
            server_errors,
            unanswered: requests - good - server_errors,
            median: Duration::from_micros(3100),
            p99: Duration::from_micros(9300),
            worst: Duration::from_millis(5004),
            ..Share::default()
        };
        let seen = Seen {
            phases: [share(190, 190, 0), share(305, 22, 281), share(205, 205, 0)],
            statuses: [(200, 417), (503, 281)].into(),
            causes: [
                ("connection-refused".to_owned(), 270),
                ("connection-reset".to_owned(), 1),
            ]
            .into(),
            without_cause: 10,
            unanswered: [("timed out", 2)].into(),
            down: Duration::from_millis(6100),
            back: Some(Duration::from_millis(61)),
            died: None,
            shortfalls: vec!["2 requests were not answered in the time that users wait".to_owned()],
        };
        let run = AppRun {
            scenario: "outage",
            story: "the server is killed (kill -9) and comes back with its data after 6 s",
            seen,
        };
        AppReport {
            command: "gunicorn shop:application".into(),
            url: "http://127.0.0.1:8000/price/tea".into(),
            method: "GET".into(),
            rate: 50,
            patience: Duration::from_secs(5),
            server: "Redis 7.0.15".into(),
            took: Duration::from_millis(16_200),
            runs: vec![run],
        }
    }

    #[test]
    fn the_report_tells_what_users_saw_phase_by_phase() {
        insta::assert_snapshot!(report());
    }

    #[test]
    fn the_json_report_keeps_its_shape() {
        insta::assert_snapshot!(report().json());
    }
}
