//! The server crashed.

use crate::facts::{Fact, Facts, Line, ServerLine};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Text};

const ASSERTION: Text = Text::server("=== ASSERTION FAILED");
const PANIC: Text = Text::server("Guru Meditation: ");
const BAD_MEMORY: Text = Text::server("MEMORY ERROR DETECTED");
const SENT: Text = Text::server("Killed by PID: ").keeping(Keeps::Word);
const MODULE: Text = Text::server("- modules loaded: ");
const REDIS: Text = Text::kernel("redis-server[").keeping(Keeps::Rest);
const VALKEY: Text = Text::kernel("valkey-server[").keeping(Keeps::Rest);

pub(super) const RULE: Rule = Rule {
    code: Code(404),
    title: "Redis crashed",
    explanation: "A signal such as 11, or an assertion of its own, ended the server, and it wrote a report. Clients see an end of \
stream, or a reset if a request was under way. `Killed by PID` in the report means that somebody sent the signal. Mostly a defect \
of that version or of a module; `MEMORY ERROR DETECTED` and crashes at ever other places point to the host's memory.",
    messages: &[
        "Connection closed by server",
        "Connection reset by peer",
        "Connection refused",
    ],
    needs: &[Need::ServerLog, Need::Kernel],
    brings: &[Code(101), Code(406), Code(410), Code(821)],
    texts: &[ASSERTION, PANIC, BAD_MEMORY, SENT, MODULE, REDIS, VALKEY],
    sources: &["redis: debug.c", "linux: arch/x86/mm/fault.c"],
    check,
};

fn check(facts: &Facts) -> Vec<Finding> {
    let reports = facts.lines(|line| match line {
        Line::Crashed(signal) => Some(format!("by signal {signal}")),
        _ => None,
    });
    let mut found: Vec<_> = reports
        .map(|(fact, how)| of_report(facts, fact, &how))
        .collect();
    for text in [ASSERTION, PANIC] {
        for fact in facts.said(&text) {
            let of_it = |found: &Finding| found.subjects.contains(&process(fact.what.pid));
            // Its own abort is signal 6 or 11, and it panics over a lack of memory as well: that is told already.
            let starved = facts.lines(|line| matches!(line, Line::AllocationFailed).then_some(()));
            let told = found.iter().any(of_it)
                || starved
                    .into_iter()
                    .any(|(line, ())| line.what.pid == fact.what.pid);
            if !told {
                let how = if text == ASSERTION {
                    "over an assertion"
                } else {
                    "over a panic of its own"
                };
                let line = Fact {
                    at: fact.at,
                    place: fact.place.clone(),
                    what: fact.what.pid,
                };
                found.push(finding(&line, how));
            }
        }
    }
    if found.is_empty() {
        found.extend(by_kernel(facts));
    }
    found
}

fn process(pid: Option<u32>) -> String {
    pid.map_or_else(|| "the server".to_owned(), |pid| format!("process {pid}"))
}

fn finding(line: &Fact<Option<u32>>, how: &str) -> Finding {
    Finding::new(RULE.code, format!("{} {how}", RULE.title), Verdict::Cause, Confidence::Proved)
        .at(line.at)
        .struck(process(line.what))
        .claims(format!("The server ended {how}. Proved: its log has the report."))
        .supported(line.place.clone(), how)
        .fix("keep the whole report; upgrade to the last patch of its version; unload a module that its stack names", "an RDB file of a newer version is not read by an older one", "the old binary, with a copy of the data from before")
        .checked_by("no report in the log for 7 days")
}

fn of_report(facts: &Facts, fact: &Fact<ServerLine>, how: &str) -> Finding {
    let pid = fact.what.pid;
    let line = Fact {
        at: fact.at,
        place: fact.place.clone(),
        what: pid,
    };
    let mut found = finding(&line, how);
    let here = |text| facts.said(text).find(|said| said.what.pid == pid);
    if let Some(sent) = here(&SENT) {
        found = found
            .supported(
                sent.place.clone(),
                format!("the signal was sent by process {}", sent.what.rest),
            )
            .claims(format!(
                "The server ended {how}, which process {} sent it. Proved: its report says so.",
                sent.what.rest
            ));
    }
    if let Some(bad) = here(&BAD_MEMORY) {
        found = found
            .supported(bad.place.clone(), "memory error detected")
            .fix("move it to another host, and test this one's memory: redis-server --test-memory 1024, memtest86+", "a failover", "");
    }
    found
}

/// Without the server's log: the kernel names the process, and not what it was about.
fn by_kernel(facts: &Facts) -> Option<Finding> {
    let mut lines = facts.said(&REDIS).chain(facts.said(&VALKEY));
    let fact = lines.find(|fact| {
        let faults = [
            "segfault at",
            "general protection",
            "trap invalid opcode",
            "traps:",
        ];
        faults.iter().any(|fault| fact.what.rest.contains(fault))
    })?;
    let pid = fact.what.number()?;
    let line = Fact {
        at: fact.at,
        place: fact.place.clone(),
        what: u32::try_from(pid).ok(),
    };
    let known = facts
        .server_log
        .iter()
        .any(|line| line.what.pid.map(u64::from) == Some(pid));
    let mut found = finding(&line, "by a segmentation fault").claims(format!(
        "The kernel ended process {pid}, a server, for an access to memory that is not its own."
    ));
    found.confidence = if known {
        Confidence::Proved
    } else {
        Confidence::Likely
    };
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{kernel, log, verdicts};

    const CRASH: &str =
        "9:M 23 Nov 2026 02:58:11.042 # Redis 7.0.15 crashed by signal: 11, si_code: 1\n";

    #[test]
    fn the_report_is_proof() {
        let found = check(&log(CRASH));
        assert!(
            found[0].title.ends_with("by signal 11"),
            "{}",
            found[0].title
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
    }

    #[test]
    fn who_sent_the_signal_is_told_where_the_report_tells() {
        let sent = "9:M 23 Nov 2026 02:58:11.042 # Killed by PID: 4711, UID: 0\n";
        let found = check(&log(&format!("{CRASH}{sent}")));
        assert!(
            found[0].claim.contains("process 4711, sent")
                || found[0].claim.contains("process 4711 sent"),
            "{}",
            found[0].claim
        );
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn an_assertion_and_its_signal_are_one_crash() {
        let failed = "9:M 23 Nov 2026 02:58:11.040 # === ASSERTION FAILED ===\n";
        assert_eq!(check(&log(&format!("{failed}{CRASH}"))).len(), 1);
        assert!(check(&log(failed))[0].title.contains("assertion"));
    }

    #[test]
    fn the_kernel_alone_names_the_process() {
        let line = "2026-11-23T02:58:11+0000 host kernel: redis-server[4711]: segfault at 0 ip 000055d0 sp 00007ffc error 4 in redis-server[55d0+1d0]\n";
        let found = check(&kernel(line));
        assert_eq!(found[0].whom(), "process 4711");
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Likely)]);
        assert_eq!(
            verdicts(check(&kernel(
                &line.replace("redis-server[4711]", "nginx[4711]")
            ))),
            []
        );
    }

    #[test]
    fn another_line_is_none() {
        let line = "9:M 23 Nov 2026 02:58:11.042 * DB saved on disk\n";
        assert_eq!(verdicts(check(&log(line))), []);
    }
}
