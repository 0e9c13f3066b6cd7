//! What applications tell of failed calls, against what is said to have made them fail.
//!
//! A cause needs an overlap in time with its symptom. Where an application's log covers the time of a finding and tells of
//! no failed call there, the finding made none fail, however surely it happened.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::facts::{ClientLine, Fact, Facts, Failure, Spot};
use crate::finding::{Confidence, Evidence, Finding, Verdict};
use crate::judge::WAKE_S;
use crate::rule::Code;
use crate::stamp::Stamp;
use crate::whose::{Whose, is_said, waited_before};

/// So many seconds an application's clock may be behind the server's: a call that seems to have failed before a cause
/// began may be its symptom still.
const BEHIND_S: i64 = 5;

/// A clock whose zone is a guess may be as many seconds off, either way.
const ZONES_S: i64 = 15 * 3_600;

/// Makes a risk of what happened while no call failed that may be its symptom; what happened where no application's log
/// reaches is less sure.
pub(crate) fn weigh(findings: &mut [Finding], facts: &Facts) {
    let failed: Vec<_> = facts.client_log.iter().collect();
    let at: Vec<_> = failed.iter().filter_map(|fact| fact.at).collect();
    // A failure without a time may belong anywhere, and so may one that was passed over.
    if at.is_empty() || at.len() as u64 != facts.failures {
        return;
    }
    let whose = Whose::of(facts);
    let others: Vec<_> = findings
        .iter()
        .filter_map(|finding| Other::of(finding, facts))
        .collect();
    for finding in findings.iter_mut().filter(|finding| !finding.silent) {
        let Some((from, to)) = finding.window.filter(|_| finding.verdict == Verdict::Cause) else {
            continue;
        };
        let slack = if is_guess(finding, &failed, facts) {
            ZONES_S
        } else {
            0
        };
        let (early, late) = (
            from.plus_seconds(-BEHIND_S - slack),
            to.plus_seconds(WAKE_S + slack),
        );
        let meanwhile =
            |fact: &&&Fact<ClientLine>| fact.at.is_some_and(|at| (early..=late).contains(&at));
        let near: Vec<_> = failed.iter().filter(meanwhile).copied().collect();
        let symptom = |fact: &&&Fact<ClientLine>| {
            whose.may_be(finding, fact) && !(slack == 0 && waited_before(finding, fact, from))
        };
        let own: Vec<_> = near.iter().filter(symptom).copied().collect();
        match (near.first(), own.is_empty()) {
            (Some(_), false) if slack == 0 && is_event(finding) => {
                let code = finding.code;
                let apart = others.iter().filter(|other| !brings(code, other.code));
                after(finding, &own, &at, apart);
            }
            (Some(_), false) => {}
            (Some(first), true) => {
                let of_another = |fact: &&Fact<ClientLine>| whose.is_anothers(finding, fact);
                if near.iter().all(of_another) {
                    let says =
                        "no call failed at this server at that time: this one failed at another";
                    finding.contradict(first.place.clone(), says);
                } else {
                    let says = format!(
                        "no call failed of it: those that did at that time failed otherwise ({})",
                        kinds(near.iter().copied())
                    );
                    finding.contradict(first.place.clone(), says);
                    if is_event(finding) {
                        finding.verdict = Verdict::Risk;
                    }
                }
            }
            (None, _) => {
                let nearest = nearest(&failed, from);
                let covered = facts
                    .spans
                    .get(&nearest.place.source)
                    .is_some_and(|(begin, end)| *begin <= early && late <= *end);
                finding.contradict(
                    nearest.place.clone(),
                    "no call failed at that time: this is the nearest that did",
                );
                if covered {
                    finding.verdict = Verdict::Risk;
                }
            }
        }
    }
}

/// Whether the times of a finding and of failed calls can be held against each other only by a guess at their zones.
fn is_guess(finding: &Finding, failed: &[&Fact<ClientLine>], facts: &Facts) -> bool {
    let known = |source| !facts.zoneless.contains(source);
    let calls: BTreeSet<_> = failed.iter().map(|fact| &fact.place.source).collect();
    finding.supports.iter().any(|one| {
        let own = &one.place.source;
        calls.iter().any(|call| {
            let one_zone = || {
                let pair = (Arc::clone(call), Arc::clone(own));
                facts.in_one_zone.contains(&pair)
            };
            !(*call == own || known(own) && known(*call) || one_zone())
        })
    })
}

/// Whether its window tells when it began. What a look at a server sees may have lasted for long by then.
fn is_event(finding: &Finding) -> bool {
    let mut places = finding.supports.iter().map(|one| &one.place.spot);
    places.all(|spot| !matches!(spot, Spot::Command(_)))
}

/// Whether the other is what this one brings about: then it speaks for this one, and not against it.
fn brings(code: Code, other: Code) -> bool {
    let mut rules = crate::rules().iter();
    rules.any(|rule| rule.code == code && rule.brings.contains(&other))
}

/// Holds it against calls that failed before it, where none failed after it: what made them fail may have been over.
fn after<'a>(
    finding: &mut Finding,
    own: &[&Fact<ClientLine>],
    at: &[Stamp],
    mut others: impl Iterator<Item = &'a Other>,
) {
    let Some((from, last)) = finding
        .window
        .and_then(|(from, _)| Some((from, last_before(own, from)?)))
    else {
        return;
    };
    let ended = last.at.unwrap_or(from);
    let run = run(at, ended);
    // Clocks are not so far apart that the first of these failed after it.
    let long = run.0.plus_seconds(BEHIND_S) < from;
    let other = others.find(|other| other.was_over(from, run));
    if other.is_some() || long {
        finding.verdict = Verdict::Risk;
    }
    let before = other.map_or_else(
        || format!("{:.1} s before", ended.seconds_to(from)),
        |other| format!("before, of what was over ({})", other.code),
    );
    let says = format!("no call failed after it: the last that did failed {before}");
    finding.contradict(last.place.clone(), says);
}

/// What happened by a source that is no application's log.
struct Other {
    code: Code,
    from: Stamp,
    to: Stamp,
}

impl Other {
    fn of(finding: &Finding, facts: &Facts) -> Option<Self> {
        let (from, to) = finding.window?;
        let by_application = |evidence: &Evidence| {
            let mut told = facts.client_log.iter();
            told.any(|fact| fact.place.source == evidence.place.source)
        };
        let known = finding.verdict == Verdict::Cause
            && finding.confidence <= Confidence::Likely
            && !finding.silent
            && !finding.supports.iter().all(by_application);
        known.then_some(Self {
            code: finding.code,
            from,
            to,
        })
    }

    /// Whether it was over at that time, and is what calls failed of from then to then.
    fn was_over(&self, at: Stamp, (began, last): (Stamp, Stamp)) -> bool {
        self.to < at
            && self.from.plus_seconds(-BEHIND_S) <= last
            && began <= self.to.plus_seconds(BEHIND_S)
    }
}

/// The last of these calls, if it failed before this time. A log that tells whole seconds may mean any time of them.
fn last_before<'a>(calls: &[&'a Fact<ClientLine>], from: Stamp) -> Option<&'a Fact<ClientLine>> {
    let whole = calls
        .iter()
        .all(|fact| fact.at.is_some_and(|at| at.0 % 1_000 == 0));
    let blur = if whole { 999 } else { 0 };
    let last = calls.iter().max_by_key(|fact| fact.at)?;
    last.at
        .is_some_and(|at| at.plus_millis(blur) < from)
        .then_some(*last)
}

/// From when to when calls failed without a pause, up to this one.
fn run(at: &[Stamp], last: Stamp) -> (Stamp, Stamp) {
    let mut before: Vec<_> = at.iter().copied().filter(|at| *at <= last).collect();
    before.sort();
    let pause = |at: &Stamp, began: Stamp| at.plus_seconds(BEHIND_S) < began;
    let began = before.iter().rev().try_fold(last, |began, at| {
        if pause(at, began) {
            Err(began)
        } else {
            Ok(*at)
        }
    });
    (began.unwrap_or_else(|began| began), last)
}

/// So many times as many calls as another cause has the one that counts.
const MANY_TIMES: u64 = 10;

/// Counts each failed call for the cause in which it failed, or else for the one that stands nearest before it: of several
/// that are equally sure, the one that most calls failed of is told first.
pub(crate) fn attribute(findings: &mut [Finding], facts: &Facts) {
    let whose = Whose::of(facts);
    let mut said = vec![0; findings.len()];
    let causes: Vec<_> = findings
        .iter()
        .enumerate()
        .filter(|(_, finding)| finding.verdict == Verdict::Cause && !finding.silent)
        .filter_map(|(which, finding)| Some((which, finding.window?)))
        .collect();
    for call in &facts.client_log {
        let Some(at) = call.at else { continue };
        let in_wake = causes.iter().filter(|(which, (from, to))| {
            from.plus_seconds(-BEHIND_S) <= at
                && at <= to.plus_seconds(WAKE_S)
                && whose.may_be(&findings[*which], call)
        });
        let during = |(from, to): (Stamp, Stamp)| from <= at && at <= to.plus_seconds(BEHIND_S);
        if let Some((which, _)) = in_wake.max_by_key(|(_, window)| (during(*window), window.0)) {
            findings[*which].explains += 1;
            said[*which] += u64::from(is_said(call.what.failure));
        }
    }
    let counts = |which: usize| {
        let finding: &Finding = &findings[which];
        match finding.confidence {
            Confidence::Proved | Confidence::Strong => finding.explains,
            Confidence::Likely => said[which],
            Confidence::Possible => 0,
        }
    };
    let most = causes.iter().map(|(which, _)| counts(*which)).max();
    for (which, _) in causes {
        let own = findings[which].explains.max(1);
        findings[which].minor = most.is_some_and(|most| most >= own * MANY_TIMES);
    }
}

fn nearest<'a>(failed: &[&'a Fact<ClientLine>], to: Stamp) -> &'a Fact<ClientLine> {
    let distance = |fact: &&&Fact<ClientLine>| fact.at.map_or(u64::MAX, |at| at.0.abs_diff(to.0));
    failed.iter().min_by_key(distance).expect("there is one")
}

/// Failed calls, if no cause was found.
pub(crate) fn unexplained(findings: &[Finding], facts: &Facts) -> Option<String> {
    // What lost data in silence is no reason for a call to fail.
    let explained = |finding: &Finding| finding.verdict < Verdict::Risk && !finding.silent;
    if facts.failures == 0 || findings.iter().any(explained) {
        return None;
    }
    let kinds = kinds(facts.client_log.iter());
    let at: Vec<_> = facts.client_log.iter().filter_map(|fact| fact.at).collect();
    let when = match (at.iter().min(), at.iter().max()) {
        (Some(from), Some(to)) if from == to => format!(" at {from}"),
        (Some(from), Some(to)) => format!(" from {from} to {to}"),
        _ => String::new(),
    };
    Some(format!(
        "not found: applications tell of {} failed {} ({}){when}, and nothing that was looked at tells why",
        facts.failures,
        if facts.failures == 1 { "call" } else { "calls" },
        kinds
    ))
}

/// How calls failed, the most frequent first.
fn kinds<'a>(calls: impl Iterator<Item = &'a Fact<ClientLine>>) -> String {
    let mut kinds: BTreeMap<Failure, u64> = BTreeMap::new();
    for fact in calls {
        *kinds.entry(fact.what.failure).or_default() += 1;
    }
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let kinds: Vec<_> = kinds.iter().take(3).map(|(kind, _)| kind.words()).collect();
    kinds.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::{Diagnosis, diagnose};
    use crate::testing::{application, kernel};

    const KILL: &str = "2026-11-23T02:58:11+0000 host kernel: Out of memory: Killed process 4711 (redis-server) total-vm:9kB\n";

    fn with(application_log: &str) -> Diagnosis {
        let mut facts = kernel(KILL);
        facts.add(application(application_log));
        diagnose(facts)
    }

    #[test]
    fn a_failure_in_its_wake_leaves_a_cause_what_it_is() {
        let found =
            with("2026-11-23T02:58:12Z Error 111 connecting to cache:6379. Connection refused.\n");
        let first = found.first().expect("a cause");
        assert_eq!((first.code.0, first.confidence), (402, Confidence::Likely));
        assert_eq!(found.unexplained, None);
    }

    #[test]
    fn of_two_that_are_proved_the_one_comes_first_of_which_most_calls_failed() {
        let mut facts = kernel(KILL);
        facts.add(crate::testing::log(
            "4711:M 23 Nov 2026 02:55:11.042 # Client id=8821 addr=10.0.0.7:51234 laddr=10.0.0.2:6379 fd=9 name=m age=10 idle=0 \
flags=P db=0 sub=1 psub=0 multi=-1 qbuf=0 omem=33600000 events=rw cmd=subscribe scheduled to be closed ASAP for overcoming of \
output buffer limits.\n",
        ));
        let refused = "Error 111 connecting to cache:6379. Connection refused.\n";
        facts.add(application(&format!(
            "2026-11-23T02:55:40Z redis.exceptions.ConnectionError: Connection closed by server.\n\
2026-11-23T02:58:12Z {refused}2026-11-23T02:58:13Z {refused}2026-11-23T02:58:14Z {refused}"
        )));
        let found = diagnose(facts);
        let causes: Vec<_> = found
            .findings
            .iter()
            .filter(|finding| finding.verdict == Verdict::Cause)
            .map(|finding| (finding.code.0, finding.confidence, finding.explains))
            .collect();
        let proved = Confidence::Proved;
        assert_eq!(causes, [(402, proved, 3), (301, proved, 1)]);
    }

    const LIVES: &str = "9:C 23 Nov 2026 02:50:11.042 * oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo\n\
9:M 23 Nov 2026 02:58:10.000 # Background saving error\n\
11:C 23 Nov 2026 02:58:14.000 * oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo\n\
11:signal-handler (1795402697) Received SIGTERM scheduling shutdown...\n\
11:M 23 Nov 2026 02:58:17.000 # User requested shutdown...\n\
11:M 23 Nov 2026 02:58:17.010 # Redis is now ready to exit, bye bye...\n";

    fn of_lives(failed: &[&str]) -> Vec<(u16, Verdict)> {
        let mut facts = crate::testing::log(LIVES);
        let line = |at: &&str| {
            format!("2026-11-23T{at}Z Error 111 connecting to cache:6379. Connection refused.\n")
        };
        facts.add(application(&failed.iter().map(line).collect::<String>()));
        let found = diagnose(facts).findings.into_iter();
        found
            .map(|finding| (finding.code.0, finding.verdict))
            .filter(|(code, _)| matches!(code, 401 | 408))
            .collect()
    }

    #[test]
    fn what_came_after_the_failures_of_another_cause_is_none() {
        let before = [
            "02:58:11.100",
            "02:58:12.300",
            "02:58:13.300",
            "02:58:14.010",
        ];
        assert_eq!(
            of_lives(&before),
            [(408, Verdict::Cause), (401, Verdict::Risk)]
        );
        let whole = ["02:58:12", "02:58:13", "02:58:14"];
        assert_eq!(
            of_lives(&whole),
            [(408, Verdict::Cause), (401, Verdict::Risk)]
        );
    }

    #[test]
    fn what_calls_failed_after_is_a_cause_whatever_was_before() {
        let both = ["02:58:12.300", "02:58:17.100"];
        assert_eq!(
            of_lives(&both),
            [(401, Verdict::Cause), (408, Verdict::Cause)]
        );
        // It may be the second in which it began.
        let whole = ["02:58:12", "02:58:17"];
        assert_eq!(
            of_lives(&whole),
            [(401, Verdict::Cause), (408, Verdict::Cause)]
        );
    }

    #[test]
    fn an_applications_clock_may_be_behind() {
        // Nothing else was there of which these could have failed.
        let behind = ["02:58:19.900", "02:58:20.300"];
        let log = LIVES.replace("02:58:17", "02:58:22").replace("9:M 23 Nov 2026 02:58:10.000 # Background saving error", "9:M 23 Nov 2026 02:50:12.000 # User requested shutdown...\n9:M 23 Nov 2026 02:50:12.010 # Redis is now ready to exit, bye bye...");
        let mut facts = crate::testing::log(&log);
        let line = |at: &&str| {
            format!("2026-11-23T{at}Z Error 111 connecting to cache:6379. Connection refused.\n")
        };
        facts.add(application(&behind.iter().map(line).collect::<String>()));
        let found = diagnose(facts);
        assert_eq!(found.first().map(|first| first.code.0), Some(401));
    }

    #[test]
    fn what_happened_while_all_calls_were_answered_is_no_cause() {
        let found = with(
            "2026-11-23T01:00:00Z Error 104 while writing to socket. Connection reset by peer.\n\
             2026-11-23T09:00:00Z Error 104 while writing to socket. Connection reset by peer.\n",
        );
        assert!(found.first().is_none(), "{:?}", found.findings);
        let risk = &found.findings[0];
        assert_eq!((risk.code.0, risk.verdict), (402, Verdict::Risk));
        let words = found.unexplained.expect("nobody knows");
        assert!(words.contains("2 failed calls"), "{words}");
        assert!(words.contains("01:00:00"), "{words}");
    }

    #[test]
    fn what_no_applications_log_covers_stays_a_cause_and_is_less_sure() {
        let found =
            with("2026-11-23T09:00:00Z Error 111 connecting to cache:6379. Connection refused.\n");
        let first = found.first().expect("a cause");
        assert_eq!(
            (first.code.0, first.confidence),
            (402, Confidence::Possible)
        );
        assert!(!first.contradicts.is_empty());
    }

    const STOP: &str = "9:C 23 Nov 2026 02:50:11.042 * oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo\n\
9:M 23 Nov 2026 02:50:11.050 * Running mode=standalone, port=6379.\n\
9:signal-handler (1795402697) Received SIGTERM scheduling shutdown...\n\
9:M 23 Nov 2026 02:58:17.000 # User requested shutdown...\n\
9:M 23 Nov 2026 02:58:17.010 # Redis is now ready to exit, bye bye...\n";

    fn stopped(failed: &[(&str, &str)]) -> Diagnosis {
        let mut facts = crate::testing::log(STOP);
        let line = |(at, says): &(&str, &str)| format!("2026-11-23T{at}Z {says}\n");
        facts.add(application(&failed.iter().map(line).collect::<String>()));
        diagnose(facts)
    }

    fn of_stop(found: &Diagnosis) -> Option<(Verdict, Confidence)> {
        let mut all = found.findings.iter();
        all.find(|finding| finding.code.0 == 401)
            .map(|finding| (finding.verdict, finding.confidence))
    }

    const REFUSED: &str = "Error 111 connecting to cache:6379. Connection refused.";
    const WRONG: &str =
        "redis.exceptions.AuthenticationError: invalid username-password pair or user is disabled.";
    const LATE: &str = "redis.exceptions.TimeoutError: Timeout reading from cache:6379";

    #[test]
    fn what_the_server_refused_in_words_did_not_fail_of_its_end() {
        let found = stopped(&[("02:58:17.100", WRONG), ("02:58:19.100", WRONG)]);
        assert_eq!(found.first().map(|first| first.code.0), Some(901));
        assert_eq!(of_stop(&found), Some((Verdict::Risk, Confidence::Strong)));
        let says = &found.findings[1].contradicts[0].says;
        assert!(says.ends_with("(refused login)"), "{says}");
    }

    #[test]
    fn of_two_the_one_is_told_first_of_which_many_times_as_many_calls_failed() {
        let mut failed = vec![("02:58:17.100", REFUSED)];
        failed.extend([("02:58:19.100", WRONG); 9]);
        assert_eq!(
            stopped(&failed).first().map(|first| first.code.0),
            Some(401)
        );
        failed.push(("02:58:20.100", WRONG));
        assert_eq!(
            stopped(&failed).first().map(|first| first.code.0),
            Some(901)
        );
    }

    #[test]
    fn who_waited_in_vain_before_the_end_did_not_wait_for_it() {
        let before = stopped(&[("02:58:14.100", LATE), ("02:58:15.100", LATE)]);
        assert!(before.first().is_none(), "{:?}", before.findings);
        assert!(before.unexplained.is_some());
        // One that went down with it may have waited until then.
        let during = stopped(&[("02:58:14.100", LATE), ("02:58:17.300", LATE)]);
        assert_eq!(during.first().map(|first| first.code.0), Some(401));
    }

    #[test]
    fn calls_that_failed_shortly_before_make_it_less_sure() {
        let found = stopped(&[("02:58:14.000", REFUSED), ("02:58:14.500", REFUSED)]);
        assert_eq!(of_stop(&found), Some((Verdict::Cause, Confidence::Strong)));
        let says = &found.first().expect("a cause").contradicts[0].says;
        assert!(says.ends_with("2.5 s before"), "{says}");
        // No clock makes all of these its symptoms.
        let long = stopped(&[
            ("02:58:11.000", REFUSED),
            ("02:58:13.000", REFUSED),
            ("02:58:15.500", REFUSED),
        ]);
        assert_eq!(of_stop(&long), Some((Verdict::Risk, Confidence::Strong)));
    }

    #[test]
    fn what_a_look_sees_may_have_begun_long_before() {
        let line = |at: &str| format!("2026-11-23T{at}Z {REFUSED}\n");
        let mut facts = application(
            &["02:58:01", "02:58:05", "02:58:09", "02:58:13"]
                .map(line)
                .concat(),
        );
        let at = Stamp::of((2026, 11, 23), (2, 58, 15), 0);
        let refused = crate::facts::Reach::Refused;
        facts
            .looks
            .push(crate::facts::Look::new("cache:6379", at, refused));
        let found = diagnose(facts);
        let first = found.first().expect("a cause");
        assert_eq!((first.code.0, first.confidence), (101, Confidence::Proved));
    }

    #[test]
    fn calls_that_failed_at_another_server_are_none_of_this_ones() {
        let other = crate::read::file(
            "other.log",
            STOP.replace("6379", "6380").replace("9:", "11:").as_bytes(),
            crate::read::Given {
                now: Stamp::of((2026, 11, 24), (0, 0, 0), 0).expect("a date"),
            },
        );
        let mut facts = crate::testing::log(&STOP.replace("02:58:17", "02:58:12"));
        facts.add(other.expect("it is in memory").1);
        facts.add(application(&format!(
            "2026-11-23T02:58:17.100Z redis.exceptions.ConnectionError: Connection closed by server.\n\
             2026-11-23T02:58:17.200Z {}\n",
            REFUSED.replace("6379", "6380")
        )));
        let stops: Vec<_> = diagnose(facts)
            .findings
            .into_iter()
            .filter(|finding| finding.code.0 == 401)
            .map(|finding| {
                (
                    finding.supports[0].place.source.to_string(),
                    finding.confidence,
                    finding.explains,
                )
            })
            .collect();
        assert_eq!(
            stops,
            [
                ("other.log".to_owned(), Confidence::Proved, 2),
                ("redis.log".to_owned(), Confidence::Strong, 0)
            ]
        );
    }

    #[test]
    fn a_loss_in_silence_is_no_reason_for_calls_to_fail() {
        let facts = application(&format!("2026-11-23T02:58:15.100Z {LATE}\n"));
        let lost = |silent| {
            let (verdict, confidence) = (Verdict::Consequence, Confidence::Likely);
            let finding = Finding::new(Code(718), "it came back empty", verdict, confidence);
            vec![if silent { finding.silently() } else { finding }]
        };
        assert_eq!(unexplained(&lost(false), &facts), None);
        let words = unexplained(&lost(true), &facts).expect("nobody knows");
        assert!(words.contains("no reply in time"), "{words}");
    }
}
