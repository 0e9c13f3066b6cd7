//! The report for programs. The members are documented on these types, and in `docs/contenders.md` by example; members
//! may be added within a version, never renamed or given another meaning.

use super::{Report, Run, Total};
use crate::oracle::{Hearing, Score};
use crate::run::Role;
use seawall_model::Cause;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// The version of the whole.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Page<'a> {
    /// 1.
    version: u32,
    /// `ok`, `short` or `error`: the worst of the judged contenders.
    verdict: &'static str,
    server: &'a str,
    seed: u64,
    cores: usize,
    took_ms: f64,
    contenders: Vec<ContenderPage>,
    runs: Vec<RunPage<'a>>,
}

#[derive(Serialize)]
struct ContenderPage {
    name: String,
    version: String,
    /// `judged` or `beside`.
    role: &'static str,
    scenarios_held: usize,
    scenarios: usize,
    doubled: u64,
    lost: u64,
    mismatched: u64,
    hung: u64,
    first_good_median_ms: Option<f64>,
}

#[derive(Serialize)]
struct RunPage<'a> {
    scenario: &'a str,
    story: &'a str,
    contender: &'a str,
    /// `ok`, `short`, `error`, or `left-out` for a contender that cannot do what the scenario asks for.
    verdict: &'static str,
    /// What fell short, in words; why it could not be run, for `error` and `left-out`.
    shortfalls: Vec<String>,
    /// The causes that may be named.
    expected_causes: Vec<&'static str>,
    /// Null for `error` and `left-out`.
    score: Option<ScorePage<'a>>,
}

#[derive(Serialize)]
struct ScorePage<'a> {
    calls: u64,
    possible: u64,
    answered: u64,
    answered_percent: f64,
    reads_possible: u64,
    reads_answered: u64,
    impossible: u64,
    refused: u64,
    /// Of `refused` and of the server's own refusals: those that were in order, and not counted as possible.
    excepted: u64,
    in_doubt: u64,
    /// Calls that the lab had cancelled, and that ended as cancelled.
    given_up: u64,
    doubled: u64,
    lost: u64,
    mismatched: u64,
    hung: u64,
    defects: Vec<DefectPage<'a>>,
    /// What became of published messages; null in scenarios without subscriptions.
    messages: Option<MessagesPage>,
    latency_median_ms: f64,
    latency_p99_ms: f64,
    latency_worst_ms: f64,
    /// One for each outage that the probe saw end.
    first_good_ms: Vec<f64>,
    /// The client's verdict; null if it named none.
    cause: Option<&'static str>,
    cause_says: Option<&'static str>,
    /// How often it named each cause for lost connections and failed calls.
    causes: BTreeMap<&'static str, u64>,
    failures: u64,
    failures_without_cause: u64,
    outages_declared: u64,
    connections_lost: u64,
    first_message: Option<&'a str>,
    /// The contender's own counts.
    stats: BTreeMap<&'a str, u64>,
    /// Runs by command, as the server counted them (since its last restart).
    server_commands: &'a BTreeMap<String, u64>,
    server_errors: &'a BTreeMap<String, u64>,
    /// Connections of the contender's that the server accepted (since its last restart).
    server_connections: u64,
    /// By how much the lab itself was late with a call, at worst.
    lab_late_ms: f64,
}

#[derive(Serialize)]
struct MessagesPage {
    published: u64,
    heard: u64,
    /// Missing, and the consumer was told so.
    told: u64,
    /// Missing without a word; part of `lost`.
    lost: u64,
    /// Delivered twice or late; part of `doubled`.
    doubled: u64,
    /// Of other channels; part of `mismatched`.
    foreign: u64,
    /// How often the consumer was told that messages are lost.
    gaps: u64,
}

#[derive(Serialize)]
struct DefectPage<'a> {
    /// `doubled`, `lost` or `mismatched`.
    harm: &'static str,
    call: u64,
    command: &'a str,
    what: &'a str,
}

impl Report {
    /// The report as one JSON object, indented.
    pub fn json(&self) -> String {
        let page = Page {
            version: VERSION,
            verdict: word(self.verdict()),
            server: &self.server,
            seed: self.seed,
            cores: self.cores,
            took_ms: ms(self.took),
            contenders: self
                .contenders
                .iter()
                .map(|c| contender(self.total(&c.name), c.role))
                .collect(),
            runs: self.runs.iter().map(run).collect(),
        };
        // Strings, numbers and lists of them always have a JSON form.
        serde_json::to_string_pretty(&page).unwrap_or_default()
    }
}

fn contender(total: Total, role: Role) -> ContenderPage {
    ContenderPage {
        name: total.contender,
        version: total.version,
        role: match role {
            Role::Judged => "judged",
            Role::Beside => "beside",
        },
        scenarios_held: total.held,
        scenarios: total.runs,
        doubled: total.damage.doubled,
        lost: total.damage.lost,
        mismatched: total.damage.mismatched,
        hung: total.damage.hung,
        first_good_median_ms: total.first_good_median.map(ms),
    }
}

fn run(run: &Run) -> RunPage<'_> {
    RunPage {
        scenario: run.scenario,
        story: run.story,
        contender: &run.contender,
        verdict: word(run.verdict()),
        shortfalls: run.shortfalls(),
        expected_causes: run.causes.iter().map(|cause| cause.name()).collect(),
        score: run.result.as_ref().ok().map(score),
    }
}

fn score(score: &Score) -> ScorePage<'_> {
    let (availability, effects) = (&score.availability, &score.effects);
    let (timing, naming) = (&score.timing, &score.naming);
    ScorePage {
        calls: score.calls,
        possible: availability.all.possible,
        answered: availability.all.answered,
        answered_percent: availability.all.percent(),
        reads_possible: availability.reads.possible,
        reads_answered: availability.reads.answered,
        impossible: availability.impossible,
        refused: availability.refused,
        excepted: availability.excepted,
        in_doubt: availability.in_doubt,
        given_up: availability.given_up,
        doubled: score.doubled(),
        lost: score.lost(),
        mismatched: score.mismatched(),
        hung: timing.hung,
        defects: effects
            .defects
            .iter()
            .map(|defect| DefectPage {
                harm: defect.harm.name(),
                call: defect.call,
                command: defect.command,
                what: &defect.what,
            })
            .collect(),
        messages: score.hearing.as_ref().map(messages),
        latency_median_ms: ms(timing.median),
        latency_p99_ms: ms(timing.p99),
        latency_worst_ms: ms(timing.worst),
        first_good_ms: timing.first_good.iter().copied().map(ms).collect(),
        cause: naming.verdict.map(Cause::name),
        cause_says: naming.verdict.map(Cause::says),
        causes: naming
            .tally
            .iter()
            .map(|(cause, &count)| (cause.name(), count))
            .collect(),
        failures: naming.failed,
        failures_without_cause: naming.unnamed,
        outages_declared: naming.outages,
        connections_lost: naming.lost_connections,
        first_message: naming.first_message.as_deref(),
        stats: score
            .stats
            .iter()
            .map(|(name, count)| (name.as_str(), *count))
            .collect(),
        server_commands: &score.counts.commands,
        server_errors: &score.counts.errors,
        server_connections: score.counts.theirs(),
        lab_late_ms: ms(score.lab_late),
    }
}

const fn messages(hearing: &Hearing) -> MessagesPage {
    MessagesPage {
        published: hearing.published,
        heard: hearing.heard,
        told: hearing.told,
        lost: hearing.lost,
        doubled: hearing.doubled,
        foreign: hearing.foreign,
        gaps: hearing.gaps,
    }
}

const fn word(verdict: super::Verdict) -> &'static str {
    match verdict {
        super::Verdict::LeftOut => "left-out",
        super::Verdict::Ok => "ok",
        super::Verdict::Short => "short",
        super::Verdict::NotRun => "error",
    }
}

fn ms(span: Duration) -> f64 {
    (span.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use crate::report::testing::sample;

    #[test]
    fn the_json_report_keeps_its_shape() {
        insta::assert_snapshot!(sample().json());
    }
}
