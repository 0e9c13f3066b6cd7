//! The kernel killed the server for lack of memory.

use crate::facts::{Fact, Facts, KernelLine, Line, ServerLine};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};

pub(super) const RULE: Rule = Rule {
    code: Code(402),
    title: "the kernel killed Redis for lack of memory",
    explanation: "The host, or the cgroup of its container, had no memory left, and the kernel ended the largest process. \
Clients see an end of stream, or a reset if a request was under way; then refused connections, then LOADING. The server's log \
just stops. A container that exits with 137 was not always killed so: the kernel's log tells.",
    messages: &[
        "Connection closed by server",
        "Connection reset by peer",
        "Connection refused",
    ],
    needs: &[Need::Kernel, Need::ServerLog],
    brings: &[Code(101), Code(406)],
    sources: &["linux: mm/oom_kill.c", "redis#2174"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for fact in &facts.kernel_log {
        let KernelLine::OomKilled { pid, name, cgroup } = &fact.what else {
            continue;
        };
        let server = facts
            .server_log
            .iter()
            .find(|line| line.what.pid == Some(*pid));
        let called = ["redis-server", "valkey-server", "redis", "valkey"].contains(&name.as_str());
        if server.is_none() && !called {
            continue;
        }
        let whose = if *cgroup {
            "its cgroup (container)"
        } else {
            "the host"
        };
        let mut finding = Finding::new(
            RULE.code,
            format!("{} ({whose})", RULE.title),
            Verdict::Cause,
            if server.is_some() {
                Confidence::Proved
            } else {
                Confidence::Likely
            },
        )
        .at(fact
            .at
            .or_else(|| last_of(facts, *pid).and_then(|line| line.at)))
        .struck(format!("process {pid}"))
        .supported(fact.place.clone(), format!("killed process {pid} ({name})"));
        let mut joined = "the name alone joins it to the server";
        if let Some(line) = last_of(facts, *pid) {
            joined = "the server's log names the same process";
            finding = finding.supported(
                line.place.clone(),
                format!("the last line of process {pid}"),
            );
            if line.what.line == Line::Farewell {
                finding = finding.contradicted(
                    line.place.clone(),
                    "it said its farewell: it may have ended before",
                );
            }
        }
        found.push(
            finding
                .claims(format!("{whose} had no memory left, and the kernel killed {name} (process {pid}): {joined}."))
                .fix("redis-cli CONFIG SET maxmemory <60 to 70 % of what it may have>, in redis.conf too", "data above it is evicted or refused, by maxmemory-policy", "redis-cli CONFIG SET maxmemory <old>")
                .fix("give it more memory; count copy-on-write of a save, and clients' buffers", "", "")
                .checked_by("no such line of the kernel's comes again over two saves; memory.events oom_kill of a cgroup stays"),
        );
    }
    found
}

fn last_of(facts: &Facts, pid: u32) -> Option<&Fact<ServerLine>> {
    facts
        .server_log
        .iter()
        .rfind(|line| line.what.pid == Some(pid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{kernel, log, verdicts};

    const KILL: &str = "2026-11-23T02:58:11+0000 host kernel: Out of memory: Killed process 4711 (redis-server) total-vm:9kB, anon-rss:8kB\n";

    #[test]
    fn the_same_process_in_both_logs_is_proof() {
        let mut facts = kernel(KILL);
        facts.add(log(
            "4711:M 23 Nov 2026 02:50:11.042 * Ready to accept connections\n",
        ));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Proved)]
        );
    }

    #[test]
    fn its_name_alone_is_likely_and_another_name_is_nothing() {
        assert_eq!(
            verdicts(check(&kernel(KILL))),
            [(Verdict::Cause, Confidence::Likely)]
        );
        assert_eq!(
            verdicts(check(&kernel(&KILL.replace("redis-server", "java")))),
            []
        );
    }

    #[test]
    fn a_cgroups_kill_is_told_as_such() {
        let line = KILL.replace("Out of memory", "Memory cgroup out of memory");
        assert!(check(&kernel(&line))[0].title.contains("cgroup"));
    }

    #[test]
    fn a_farewell_of_that_process_speaks_against_it() {
        let mut facts = kernel(KILL);
        facts.add(log(
            "4711:M 23 Nov 2026 02:50:11.042 # Redis is now ready to exit, bye bye...\n",
        ));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Strong)]
        );
    }
}
