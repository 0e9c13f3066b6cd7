//! The allocator had no memory to give, and the server ended itself.

use crate::facts::{Facts, Line};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Text};

const BYTES: Text = Text::server("Out Of Memory allocating ").keeping(Keeps::Word);

pub(super) const RULE: Rule = Rule {
    code: Code(405),
    title: "Redis ended itself: the allocator had no memory to give",
    explanation: "malloc failed, which on Linux is rare: a limit of address space (`ulimit -v`, LimitAS), `vm.overcommit_memory=2`, \
a 32 bit build, or one request for more than the host could ever give. The kernel's OOM killer is something else: its victim \
writes nothing.",
    messages: &[
        "Connection closed by server",
        "Connection reset by peer",
        "Connection refused",
    ],
    needs: &[Need::ServerLog],
    brings: &[Code(101), Code(406), Code(410), Code(821)],
    texts: &[BYTES],
    sources: &["redis: server.c redisOutOfMemoryHandler"],
    check,
};

fn check(facts: &Facts) -> Vec<Finding> {
    facts
        .lines(|line| matches!(line, Line::AllocationFailed).then_some(()))
        .map(|(fact, ())| {
            let asked = facts.said(&BYTES).find(|said| said.place == fact.place);
            let size = asked.and_then(|said| said.what.number());
            let asked = size.map_or_else(|| "more".to_owned(), crate::facts::bytes);
            Finding::new(RULE.code, RULE.title, Verdict::Cause, Confidence::Proved)
                .at(fact.at)
                .struck(fact.what.pid.map_or_else(|| "the server".to_owned(), |pid| format!("process {pid}")))
                .claims(format!("The server asked for {asked}, was given nothing, and ended itself. Proved: its own log says so."))
                .supported(fact.place.clone(), format!("out of memory allocating {asked}"))
                .fix("what limits it? sysctl vm.overcommit_memory (1 is Redis's wish), grep 'Max address space' /proc/PID/limits, and redis-cli INFO server: arch_bits", "", "")
                .fix("sysctl -w vm.overcommit_memory=1, and in /etc/sysctl.d; no LimitAS in the unit", "a real lack of memory then ends in the kernel's OOM killer", "sysctl -w vm.overcommit_memory=<old>")
                .checked_by("BGSAVE at the peak of memory ends with rdb_last_bgsave_status:ok")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, verdicts};

    #[test]
    fn its_own_words_are_proof_and_tell_how_much_it_asked_for() {
        let found = check(&log(
            "9:M 23 Nov 2026 02:58:11.042 # Out Of Memory allocating 67108872 bytes!\n",
        ));
        assert!(
            found[0].claim.contains("asked for 67.1 MB"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
    }

    #[test]
    fn a_crash_for_another_reason_is_another_rules() {
        let crash =
            "9:M 23 Nov 2026 02:58:11.042 # Redis 7.0.15 crashed by signal: 11, si_code: 1\n";
        assert_eq!(verdicts(check(&log(crash))), []);
    }
}
