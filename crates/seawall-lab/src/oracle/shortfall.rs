use super::{Case, Evidence, Harm, Score};
use crate::contender::Event;
use crate::run::{Outcome, Role};
use crate::scenario::{Expect, Hold, Scenario};
use seawall_model::Cause;
use std::time::Duration;

/// What fell short, in words: what always must hold, then what the scenario adds.
pub(super) fn of(evidence: &Evidence<'_>, cases: &[Case<'_>], score: &Score) -> Vec<String> {
    let scenario = evidence.scenario;
    let mut short = Vec::new();
    short.extend(
        score
            .died
            .as_ref()
            .map(|how| format!("the contender ended in the middle ({how})")),
    );
    if let Some(first) = score.breaches.first() {
        short.push(format!(
            "{} lines broke the protocol, the first: {first}",
            score.breach_count
        ));
    }
    short.extend(availability(scenario, score));
    short.extend(effects(score));
    short.extend(
        score
            .hearing
            .iter()
            .flat_map(|hearing| hearing.shortfalls.clone()),
    );
    short.extend(failures(scenario, cases));
    short.extend(cause(evidence, score));
    short.extend(
        scenario
            .holds
            .iter()
            .filter_map(|hold| check(hold, evidence, score)),
    );
    short
}

fn availability(scenario: &Scenario, score: &Score) -> Option<String> {
    let share = score.availability.all;
    let floor = 100.0 - scenario.slack_points;
    (share.percent() < floor).then(|| {
        let missed = share.possible - share.answered;
        format!(
            "answered {:.2} % of what was possible, {floor} % must be: {missed} calls missed",
            share.percent()
        )
    })
}

fn effects(score: &Score) -> Vec<String> {
    let effects = &score.effects;
    let counts = [
        (effects.doubled, Harm::Doubled),
        (effects.lost, Harm::Lost),
        (effects.mismatched, Harm::Mismatched),
    ];
    let mut short: Vec<String> = Vec::new();
    for (count, harm) in counts {
        if let Some(first) = effects.defects.iter().find(|defect| defect.harm == harm) {
            let (name, command, call) = (harm.name(), first.command, first.call);
            short.push(format!(
                "{count} {name}, the first: {command} (call {call}) {}",
                first.what
            ));
        }
    }
    let hung = score.timing.hung;
    short.extend((hung > 0).then(|| format!("{hung} hung past their deadline and the grace")));
    short
}

/// Calls that cannot be answered must say why, and soon. One in a hundred may not: the one under way when the
/// contender's own worker was descheduled.
fn failures(scenario: &Scenario, cases: &[Case<'_>]) -> Vec<String> {
    let mut short = Vec::new();
    for flow in &scenario.flows {
        let Expect::Failures { cause, within } = flow.expect else {
            continue;
        };
        let ours = || cases.iter().filter(|case| std::ptr::eq(case.flow, flow));
        let right = ours()
            .filter(|case| fails_with(case, cause, within))
            .count();
        let all = ours().count();
        if right * 100 < all * 99 {
            let (name, ms) = (flow.work.name(), within.as_millis());
            short.push(format!(
                "{} of {all} {name} calls did not fail with {cause} within {ms} ms",
                all - right
            ));
        }
    }
    short
}

fn fails_with(case: &Case<'_>, cause: Cause, within: Duration) -> bool {
    match &case.record.outcome {
        Outcome::Failed { at, failure } => {
            failure.cause == Some(cause) && at.since(case.record.due) <= within
        }
        _ => false,
    }
}

/// A client beside ours that let no call fail owes nobody a reason. Ours report what they noticed even so.
fn cause(evidence: &Evidence<'_>, score: &Score) -> Option<String> {
    let causes = &evidence.scenario.causes;
    let expected = causes.first()?;
    match score.naming.verdict {
        Some(named) if causes.contains(&named) => None,
        Some(named) => Some(format!("named {named}, it was {expected}")),
        None if evidence.role == Role::Beside && score.naming.failed == 0 => None,
        None => Some(format!("named no cause, it was {expected}")),
    }
}

fn check(hold: &Hold, evidence: &Evidence<'_>, score: &Score) -> Option<String> {
    match hold {
        Hold::NoOutage => {
            let outages = score.naming.outages;
            (outages > 0).then(|| format!("declared {outages} outages of a server that was well"))
        }
        Hold::NoFailures => {
            let failed = score.naming.failed;
            (failed > 0).then(|| format!("{failed} calls failed, and nothing was broken"))
        }
        Hold::Notes(kind) => {
            let told = |(_, event): &(_, Event)| matches!(event, Event::Other { kind: told } if told == kind);
            let owes = evidence.role == Role::Judged || score.naming.failed > 0;
            (owes && !evidence.history.events.iter().any(told))
                .then(|| format!("did not tell of {kind}"))
        }
        Hold::ReadsAnswered { percent } => {
            let reads = score.availability.reads;
            (reads.percent() < *percent).then(|| {
                format!(
                    "answered {:.2} % of the reads, {percent} % must be",
                    reads.percent()
                )
            })
        }
        Hold::FirstGood(limit) => {
            let worst = score.timing.first_good.iter().max()?;
            (worst > limit).then(|| {
                format!(
                    "first good answer {} ms after the return, {} ms allowed",
                    worst.as_millis(),
                    limit.as_millis()
                )
            })
        }
        Hold::NotRepeated { command } => {
            let ran = score.counts.commands.get(*command).copied().unwrap_or(0);
            let made = score.made.get(*command).copied().unwrap_or(0);
            (ran > made).then(|| format!("the server ran {command} {ran} times for {made} calls"))
        }
        Hold::OneConnectionPerWorkerAnd(beside) => {
            let (came, most) = (score.counts.theirs(), u64::from(evidence.workers) + beside);
            (came > most).then(|| {
                format!("{came} connections came to the server since its start, {most} may")
            })
        }
        Hold::GivesUp { at_least } => {
            let given_up = score.availability.given_up;
            (given_up < *at_least).then(|| {
                format!("gave up {given_up} calls, {at_least} at least were to be in flight")
            })
        }
        Hold::LoginsNotRetried => {
            let logins = score.counts.errors.get("WRONGPASS").copied().unwrap_or(0);
            (logins > score.calls)
                .then(|| format!("{logins} logins were refused for {} calls", score.calls))
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::contender::Event;
    use crate::oracle::testing::{Trial, WORKERS, ms};
    use crate::scenario::{Flow, Hold};
    use crate::work::{Count, Range, Read};
    use seawall_model::{Cause, Sent};
    use std::time::Duration;

    fn many(mut trial: Trial, answered: u64, failed: u64) -> Trial {
        for _ in 0..answered {
            trial = trial.call(Read::default(), ms(0)).answered(ms(1));
        }
        for _ in 0..failed {
            trial = trial
                .call(Read::default(), ms(0))
                .fails(ms(1), Sent::No, None);
        }
        trial
    }

    #[test]
    fn half_a_point_below_possible_is_allowed_and_no_more() {
        assert_eq!(
            many(Trial::new(), 199, 1).judge().shortfalls,
            Vec::<String>::new()
        );
        let short = many(Trial::new(), 198, 2).judge().shortfalls;
        assert_eq!(
            short,
            ["answered 99.00 % of what was possible, 99.5 % must be: 2 calls missed"]
        );
    }

    #[test]
    fn reads_may_be_held_to_more() {
        let score = many(
            Trial::new().holds(Hold::ReadsAnswered { percent: 99.9 }),
            199,
            1,
        )
        .judge();
        assert_eq!(
            score.shortfalls,
            ["answered 99.50 % of the reads, 99.9 % must be"]
        );
    }

    #[test]
    fn doubt_is_no_answer_where_nothing_was_broken() {
        let trial = Trial::new().holds(Hold::NoFailures).call(Count, ms(0));
        let score = trial.fails(ms(1), Sent::Perhaps, None).judge();
        assert_eq!(score.availability.all.answered, 1);
        assert_eq!(score.shortfalls, ["1 calls failed, and nothing was broken"]);
    }

    #[test]
    fn an_outage_declared_of_a_healthy_server_falls_short() {
        let trial = Trial::new()
            .holds(Hold::NoOutage)
            .event(Event::OutageStart { cause: None });
        assert_eq!(
            many(trial, 1, 0).judge().shortfalls,
            ["declared 1 outages of a server that was well"]
        );
    }

    #[test]
    fn the_wrong_cause_and_no_cause_are_told_apart() {
        let trial = || many(Trial::new().expects(Cause::IdleReset), 1, 0);
        let lost = |cause| Event::Lost { cause: Some(cause) };
        assert_eq!(
            trial().judge().shortfalls,
            ["named no cause, it was idle-reset"]
        );
        let wrong = trial().event(lost(Cause::ConnectionReset)).judge();
        assert_eq!(
            wrong.shortfalls,
            ["named connection-reset, it was idle-reset"]
        );
        assert_eq!(
            trial().event(lost(Cause::IdleReset)).judge().shortfalls,
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_client_beside_ours_owes_a_reason_only_for_what_failed() {
        let trial = |failed| many(Trial::new().beside().expects(Cause::IdleReset), 299, failed);
        assert_eq!(trial(0).judge().shortfalls, Vec::<String>::new());
        assert_eq!(
            trial(1).judge().shortfalls,
            ["named no cause, it was idle-reset"]
        );
    }

    #[test]
    fn calls_that_cannot_be_answered_must_fail_soon_and_say_why() {
        let doomed = || {
            let range = Range {
                elements: 1,
                element_bytes: 1,
            };
            Flow::new(1, range).failing(Cause::OutputLimit, Duration::from_millis(100))
        };
        let good = Trial::new()
            .call_of(doomed(), ms(0))
            .fails(ms(50), Sent::Perhaps, Some(Cause::OutputLimit))
            .judge();
        assert_eq!(good.shortfalls, Vec::<String>::new());
        assert_eq!(good.availability.all.possible, 0);
        let late = Trial::new()
            .call_of(doomed(), ms(0))
            .fails(ms(150), Sent::Perhaps, Some(Cause::OutputLimit))
            .judge();
        assert_eq!(
            late.shortfalls,
            ["1 of 1 LRANGE calls did not fail with output-limit within 100 ms"]
        );
    }

    #[test]
    fn the_server_itself_counts_connections() {
        let trial = |came| {
            // Five of them are the lab's own.
            Trial::new()
                .holds(Hold::OneConnectionPerWorkerAnd(3))
                .counted("auth", 5)
                .connected(came)
        };
        let short = |came| many(trial(came), 2, 0).judge().shortfalls;
        let most = u64::from(WORKERS) + 3;
        assert_eq!(short(most + 5), Vec::<String>::new());
        assert_eq!(
            short(most + 6),
            ["36 connections came to the server since its start, 35 may"]
        );
    }

    #[test]
    fn a_client_that_gives_up_too_few_calls_does_not_show_what_it_was_to_show() {
        let trial = || {
            Trial::new()
                .holds(Hold::GivesUp { at_least: 2 })
                .holds(Hold::NoFailures)
                .call(Count, ms(0))
                .given_up(ms(5))
                .fails(ms(6), Sent::Perhaps, Some(Cause::Cancelled))
        };
        assert_eq!(
            trial().judge().shortfalls,
            ["gave up 1 calls, 2 at least were to be in flight"]
        );
        let two = trial().call(Count, ms(0)).given_up(ms(5));
        let two = two.fails(ms(6), Sent::Perhaps, Some(Cause::Cancelled));
        assert_eq!(two.judge().shortfalls, Vec::<String>::new());
    }

    #[test]
    fn the_server_itself_counts_repeats_and_logins() {
        let trial = Trial::new()
            .holds(Hold::NotRepeated { command: "get" })
            .holds(Hold::LoginsNotRetried);
        let score = many(trial.counted("get", 3).refused_logins(4), 2, 0).judge();
        assert_eq!(
            score.shortfalls,
            [
                "the server ran get 3 times for 2 calls",
                "4 logins were refused for 2 calls"
            ]
        );
    }
}
