//! The child that saves was killed.

use crate::facts::{Fact, Facts, KernelLine, Look, times};
use crate::finding::{Confidence, Finding, Verdict};
use crate::forks::{Fork, forks, is_over};
use crate::hosts;
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Text};

const KILLED: &[Text] = &[
    Text::server("Background saving terminated by signal ").keeping(Keeps::Word),
    Text::server("Background AOF rewrite terminated by signal ").keeping(Keeps::Word),
];

/// SIGUSR1: the server itself ends a save that nobody wants any more, and takes that for no failure.
const ITS_OWN: u64 = 10;

pub(super) const RULE: Rule = Rule {
    code: Code(704),
    title: "the child that saves was killed",
    explanation: "A save runs in a child that shares its parent's memory, page by page until one of them is written: then it is copied. \
With many writes a save needs up to the whole memory again. If the host or the container has no more, the kernel kills the child \
(signal 9). The server goes on, and with `stop-writes-on-bgsave-error yes` it answers MISCONF to writes.",
    messages: &["MISCONF Redis is configured to save RDB snapshots"],
    needs: &[Need::ServerLog, Need::Kernel, Need::Host],
    brings: &[Code(701)],
    texts: KILLED,
    sources: &["redis: rdb.c backgroundSaveDoneHandlerDisk", "redis#1886"],
    check,
};

fn check(facts: &Facts) -> Vec<Finding> {
    let forks = forks(facts);
    let killed: Vec<_> = KILLED
        .iter()
        .flat_map(|text| facts.said(text))
        .filter(|fact| fact.what.number().is_some_and(|signal| signal != ITS_OWN))
        .collect();
    if killed.is_empty() {
        return by_counter(facts).into_iter().collect();
    }
    // The line itself names what happened to the child: why, the kernel's log tells.
    let mut finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, Confidence::Strong);
    let mut why = "what sent it, the kernel's log tells";
    for fact in &killed {
        let signal = fact.what.number().unwrap_or(0);
        finding = finding
            .at(fact.at)
            .supported(fact.place.clone(), format!("ended by signal {signal}"));
        let child = forks.iter().rfind(|fork| fork.place < fact.place);
        for kernel in child.into_iter().flat_map(|child| of_kernel(facts, child)) {
            why = "the kernel killed it for lack of memory";
            finding.confidence = Confidence::Proved;
            finding =
                finding.supported(kernel.place.clone(), "the kernel killed that very process");
        }
    }
    if is_over(facts, killed.iter().filter_map(|fact| fact.at).max()) {
        finding.verdict = Verdict::Risk;
        finding.confidence = Confidence::Likely;
    }
    vec![advised(finding.claims(format!(
        "The child that saves was ended by a signal {}: {why}.",
        times(killed.len())
    )))]
}

fn advised(finding: Finding) -> Finding {
    finding
        .fix(
            "redis-cli CONFIG SET maxmemory <60 % of what the host or container has>",
            "data above it is evicted or refused, by maxmemory-policy",
            "redis-cli CONFIG SET maxmemory <old>",
        )
        .fix("save on a replica, which has no writers of its own", "", "")
        .checked_by("redis-cli BGSAVE, then rdb_last_bgsave_status:ok in INFO")
}

/// No log tells: the last save failed, and something of the server's cgroup was killed while the server lives.
fn by_counter(facts: &Facts) -> Option<Finding> {
    let mut hosts = hosts::of_servers(facts);
    let (host, count) = hosts.find_map(|host| {
        Some((
            host,
            host.number("cgroup_oom_kill").filter(|count| *count > 0)?,
        ))
    })?;
    let failed = |look: &&Look| {
        let of_it = look.number("process_id") == host.pid.map(u64::from);
        let status = ["rdb_last_bgsave_status", "aof_last_bgrewrite_status"];
        of_it && status.iter().any(|field| look.word(field) == Some("err"))
    };
    let look = facts.looks.iter().find(failed)?;
    let says = format!(
        "the cgroup of the server killed {count} of its processes for lack of memory (oom_kill), and the server lives"
    );
    Some(advised(
        Finding::new(RULE.code, RULE.title, Verdict::Risk, Confidence::Likely)
            .struck(&*look.source)
            .supported(host.place(), says.as_str())
            .supported(look.place("INFO"), "the last save or rewrite failed")
            .claims(format!("The last save failed, and {says}: likely the child that saved. When, the log and the kernel's log tell.")),
    ))
}

fn of_kernel<'a>(facts: &'a Facts, fork: &Fork) -> impl Iterator<Item = &'a Fact<KernelLine>> {
    let child = fork.child;
    facts.kernel_log.iter().filter(move |fact| {
        matches!(&fact.what, KernelLine::OomKilled { pid, .. } if child == Some(u64::from(*pid)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{kernel, log, together, verdicts};

    fn save(signal: u32) -> Facts {
        log(&format!(
            "9:M 23 Nov 2026 02:58:06.500 * Background saving started by pid 4712\n\
             9:M 23 Nov 2026 02:58:11.042 # Background saving terminated by signal {signal}\n"
        ))
    }

    #[test]
    fn the_kernels_word_of_the_same_process_is_proof() {
        assert_eq!(
            verdicts(check(&save(9))),
            [(Verdict::Cause, Confidence::Strong)]
        );
        let kill = "2026-11-23T02:58:11+0000 host kernel: Out of memory: Killed process 4712 (redis-server) total-vm:9kB\n";
        let found = check(&together([save(9), kernel(kill)]));
        assert!(
            found[0].claim.contains("lack of memory"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
        let other = kill.replace("4712", "31");
        assert_eq!(
            verdicts(check(&together([save(9), kernel(&other)]))),
            [(Verdict::Cause, Confidence::Strong)]
        );
    }

    #[test]
    fn a_save_that_the_server_ends_itself_is_none() {
        assert_eq!(verdicts(check(&save(10))), []);
        let well = "9:M 23 Nov 2026 02:58:11.042 * Background saving terminated with success\n";
        assert_eq!(verdicts(check(&log(well))), []);
    }

    #[test]
    fn a_cgroup_that_counts_a_kill_beside_a_failed_save_is_likely_it() {
        let mut facts = crate::hosts::testing::host("cgroup_oom_kill: 2");
        assert_eq!(verdicts(check(&facts)), []);
        facts.add(crate::testing::pasted(
            "# Server\nrun_id:a\nprocess_id:9\nrdb_last_bgsave_status:err\n",
        ));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Risk, Confidence::Likely)]
        );
        facts.looks[0]
            .info
            .insert("process_id".to_owned(), "11".to_owned());
        assert_eq!(verdicts(check(&facts)), []);
    }
}
