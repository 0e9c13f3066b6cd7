//! The kernel killed the server for lack of memory.

use crate::container::{ContainerNews, News, Reason};
use crate::facts::{Fact, Facts, KernelLine, Line, ServerLine, bytes};
use crate::finding::{Confidence, Finding, Verdict};
use crate::forks::forks;
use crate::killed::{self, Whose};
use crate::rule::{Code, Need, Rule};

pub(super) const RULE: Rule = Rule {
    code: Code(402),
    title: "the kernel killed Redis for lack of memory",
    explanation: "The host, or the cgroup of its container, had no memory left, and the kernel ended the largest process. \
Clients see an end of stream, or a reset if a request was under way; then refused connections, then LOADING. The server's log \
just stops. A container that exits with 137 was not always killed so: the kernel's log, or the container's reason (OOMKilled) \
tells. Several servers on one host have one name: which was killed, the process in the server's log tells, its cgroup (unit, pod, \
container, a port in the unit's name), or that the server ran on. Where nothing does, it is possible and no more.",
    messages: &[
        "Connection closed by server",
        "Connection reset by peer",
        "Connection refused",
    ],
    needs: &[Need::Kernel, Need::ServerLog, Need::Containers, Need::Host],
    brings: &[Code(101), Code(406), Code(410), Code(821)],
    sources: &["linux: mm/oom_kill.c", "redis#2174"],
    check,
    ..Rule::PLAIN
};

/// A container's end and its kernel's line are one kill if no more lies between them, in seconds.
const ONE_KILL_S: f64 = 30.0;

/// What is said where it may have been that server, or another of its name.
const UNTOLD: &str = "the looked-at server started within five minutes after it, and nothing says whether it was that one; the \
server's log from before names its process, cat /proc/PID/cgroup of the server on that host its cgroup";

fn check(facts: &Facts) -> Vec<Finding> {
    let mut found = by_kernel(facts);
    found.extend(by_container(facts));
    found
}

/// The ends of servers' containers that their runners call OOM kills.
fn ended_so(facts: &Facts) -> impl Iterator<Item = &Fact<ContainerNews>> {
    facts.containers.iter().filter(|fact| {
        let reason = Reason::OomKilled;
        fact.what.container.serves
            && matches!(&fact.what.news, News::Ended { reason: told, .. } if *told == reason)
    })
}

fn is_one(container: &Fact<ContainerNews>, kernel: &Fact<KernelLine>) -> bool {
    let id = &container.what.container.id;
    if let KernelLine::OomKilled {
        group: Some(group), ..
    } = &kernel.what
        && !id.is_empty()
        && !killed::is_of(group, id)
    {
        return false;
    }
    let (Some(one), Some(other)) = (container.at, kernel.at) else {
        return false;
    };
    let of_cgroup = matches!(
        &kernel.what,
        KernelLine::OomKilled { name, cgroup: true, .. } if is_server(name)
    );
    of_cgroup && one.seconds_to(other).abs() <= ONE_KILL_S
}

fn is_server(name: &str) -> bool {
    ["redis-server", "valkey-server", "redis", "valkey"].contains(&name)
}

/// One finding a container, whatever the number of its ends. What the kernel told as well is told there.
fn by_container(facts: &Facts) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    for fact in ended_so(facts) {
        if facts.kernel_log.iter().any(|line| is_one(fact, line)) {
            continue;
        }
        let ContainerNews { container, .. } = &fact.what;
        let label = container.label();
        let says = "its reason is OOMKilled";
        if let Some(known) = found
            .iter_mut()
            .find(|known| known.subjects.contains(&label))
        {
            let wider = known.clone().at(fact.at);
            *known = wider.supported(fact.place.clone(), says);
            continue;
        }
        let runner = container.runner;
        let limit = container
            .memory_limit
            .map_or_else(String::new, |limit| format!(" of {}", bytes(limit)));
        let often = match container.restarts {
            0 => String::new(),
            1 => " It was started anew once.".to_owned(),
            many => format!(" It was started anew {many} times."),
        };
        found.push(
            Finding::new(
                RULE.code,
                format!("{} (OOM kill in {runner})", RULE.title),
                Verdict::Cause,
                Confidence::Proved,
            )
            .at(fact.at)
            .struck(label.clone())
            .claims(format!("{label} needed more than its limit{limit}, and the kernel killed it.{often} Proved: {runner} names this container and the reason OOMKilled."))
            .supported(fact.place.clone(), says)
            .fix("redis-cli CONFIG SET maxmemory <60 to 75 % of the container's limit>, in redis.conf or the chart's values too", "data above it is evicted or refused, by maxmemory-policy", "redis-cli CONFIG SET maxmemory <old>")
            .fix("raise the container's memory limit; count copy-on-write of a save, and clients' buffers", "", "")
            .checked_by("the restart count stays over two saves, and used_memory_rss of INFO stays below the limit"),
        );
    }
    found
}

fn by_kernel(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    let forks = forks(facts);
    for fact in &facts.kernel_log {
        let KernelLine::OomKilled {
            pid, name, cgroup, ..
        } = &fact.what
        else {
            continue;
        };
        // The child that saved was killed, and the server lived on: that is another rule's.
        if forks.iter().any(|fork| fork.child == Some(u64::from(*pid))) {
            continue;
        }
        let server = facts
            .server_log
            .iter()
            .find(|line| line.what.pid == Some(*pid));
        if server.is_none() && !is_server(name) {
            continue;
        }
        let container = ended_so(facts).find(|container| is_one(container, fact));
        let whose = if *cgroup {
            "its cgroup (container)"
        } else {
            "the host"
        };
        let mut finding = Finding::new(
            RULE.code,
            format!("{} ({whose})", RULE.title),
            Verdict::Cause,
            if server.is_some() || container.is_some() {
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
        let mut joined = "the name alone joins it to the server".to_owned();
        if let Some(line) = last_of(facts, *pid) {
            "the server's log names the same process".clone_into(&mut joined);
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
        if server.is_none() && container.is_none() {
            match killed::whose(facts, fact) {
                Whose::Ours(place, says) => {
                    finding.confidence = Confidence::Proved;
                    joined.clone_from(&says);
                    finding = finding.supported(place, says);
                }
                Whose::LikelyOurs(place, says) => {
                    joined = format!("{joined}, and {says}");
                    finding = finding.supported(place, says);
                }
                Whose::Others(place, says) => {
                    finding.verdict = Verdict::Risk;
                    finding.confidence = Confidence::Possible;
                    joined = format!("it is another process than what was looked at: {says}");
                    finding.contradict(place, says);
                }
                Whose::Untold => {
                    finding.confidence = Confidence::Possible;
                    UNTOLD.clone_into(&mut joined);
                }
                Whose::Nobody => {}
            }
        }
        if let Some(container) = container {
            "its container's reason is OOMKilled".clone_into(&mut joined);
            finding = finding
                .struck(container.what.container.label())
                .supported(container.place.clone(), joined.clone());
        }
        found.push(
            finding
                .claims(format!("{whose} had no memory left, and the kernel killed {name} (process {pid}): {joined}."))
                .fix("redis-cli CONFIG SET maxmemory <60 to 70 % of what it may have>, in redis.conf too", "data above it is evicted or refused, by maxmemory-policy", "redis-cli CONFIG SET maxmemory <old>")
                .fix("give it more memory; count copy-on-write of a save, and clients' buffers", "", "")
                .checked_by("no such line of the kernel's comes again over two saves; memory.events oom_kill of a cgroup stays"),
        );
    }
    together(found)
}

/// Kills of others are one risk, however many there were: a host of many servers has a line of each.
fn together(found: Vec<Finding>) -> Vec<Finding> {
    let (others, mut found): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|finding| finding.verdict == Verdict::Risk);
    let many = others.len();
    let mut others = others.into_iter();
    let Some(first) = others.next() else {
        return found;
    };
    let mut all = others.fold(first, |mut all, other| {
        let ends = all.window.into_iter().chain(other.window);
        all.window = ends.reduce(|one, two| (one.0.min(two.0), one.1.max(two.1)));
        all.subjects.extend(other.subjects);
        all.supports.extend(other.supports);
        all.contradicts.extend(other.contradicts);
        all
    });
    if many > 1 {
        all.claim = format!(
            "The kernel killed {many} servers for lack of memory that are others than what was looked at."
        );
    }
    found.push(all);
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
    use crate::stamp::Stamp;
    use crate::testing::{document, kernel, log, verdicts};

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

    /// What a look at that hour found that ran for so many seconds, with a host whose server has that cgroup.
    fn looked(kill: &str, hour: u32, uptime: &str, group: Option<&str>) -> Facts {
        let at = Stamp::of((2026, 11, 23), (hour, 8, 31), 0);
        let mut look = crate::facts::Look::new("cache:6379", at, crate::facts::Reach::Answered);
        let fields = [
            ("uptime_in_seconds", uptime),
            ("process_id", "9"),
            ("tcp_port", "6379"),
        ];
        look.info = fields
            .map(|(name, value)| (name.into(), value.into()))
            .into();
        let mut facts = kernel(kill);
        facts.looks.push(look);
        if let Some(group) = group {
            let mut host = crate::facts::Host::new("this host", at);
            host.take("pid: 9");
            host.take(&format!("cgroup: {group}"));
            facts.hosts.push(host);
        }
        facts
    }

    const POSSIBLE: [(Verdict, Confidence); 1] = [(Verdict::Cause, Confidence::Possible)];
    const RISK: [(Verdict, Confidence); 1] = [(Verdict::Risk, Confidence::Possible)];
    const PROVED: [(Verdict, Confidence); 1] = [(Verdict::Cause, Confidence::Proved)];

    #[test]
    fn a_kill_before_a_start_may_have_been_anothers_and_one_that_none_followed_was() {
        let of = |hour, uptime| check(&looked(KILL, hour, uptime, None));
        // Started 20 s after the kill; long before it; an hour after it.
        let soon = of(3, "600");
        assert!(
            soon[0].claim.contains("names its process"),
            "{}",
            soon[0].claim
        );
        assert_eq!(verdicts(soon), POSSIBLE);
        assert_eq!(verdicts(of(3, "86400")), RISK);
        assert_eq!(verdicts(of(4, "600")), RISK);
    }

    #[test]
    fn kills_of_others_are_one_risk_however_many_they_are() {
        let kills: String = (0..24)
            .map(|number| KILL.replace("4711", &format!("{}", 4711 + number)))
            .collect();
        let found = check(&looked(&kills, 3, "86400", None));
        assert_eq!(verdicts(found.clone()), RISK);
        assert!(found[0].claim.contains("24 servers"), "{}", found[0].claim);
        assert_eq!(found[0].supports.len(), 24);
    }

    /// The kernel's two lines, of a process in that cgroup.
    fn kill_in(group: &str) -> String {
        format!(
            "2026-11-23T02:58:11+0000 host kernel: oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg={group},task_memcg={group},task=redis-server,pid=4711,uid=111\n{}",
            KILL.replace("Out of memory", "Memory cgroup out of memory")
        )
    }

    #[test]
    fn the_cgroup_tells_the_server_from_another_of_its_name() {
        let unit = "/system.slice/redis-server.service";
        let other = "/system.slice/redis-server@6380.service";
        let of =
            |kill: &str, own: Option<&str>| verdicts(check(&looked(&kill_in(kill), 3, "600", own)));
        assert_eq!(of(unit, Some(unit)), PROVED);
        assert_eq!(of(other, Some(unit)), RISK);
        // Without the host, the unit's port.
        assert_eq!(of(other, None), RISK);
        assert_eq!(of("/system.slice/redis-server@6379.service", None), PROVED);
        assert_eq!(of(unit, None), POSSIBLE);
        // In the same cgroup, and yet the server has run since before.
        let lives = looked(&kill_in(unit), 3, "86400", Some(unit));
        assert_eq!(verdicts(check(&lives)), RISK);
        let pod = |id: &str, container: &str| {
            let container = container.repeat(64);
            format!("/kubepods.slice/kubepods-pod{id}.slice/cri-containerd-{container}.scope")
        };
        let one = "5f3e1a2b_0c1d_4e5f_8a9b_0c1d2e3f4a5b";
        let two = "6f3e1a2b_0c1d_4e5f_8a9b_0c1d2e3f4a5b";
        assert_eq!(of(&pod(one, "a"), Some(&pod(one, "b"))), PROVED);
        assert_eq!(of(&pod(one, "a"), Some(&pod(two, "b"))), RISK);
    }

    #[test]
    fn the_servers_log_tells_it_from_another_of_its_name() {
        let with = |text: &str, group: Option<&str>| {
            let mut facts = looked(KILL, 3, "600", group);
            facts.add(log(text));
            facts.sort();
            verdicts(check(&facts))
        };
        let ready = |pid: u32, clock: &str| {
            format!("{pid}:M 23 Nov 2026 {clock}.042 * Ready to accept connections\n")
        };
        let began = |pid: u32, clock: &str| {
            format!(
                "{pid}:C 23 Nov 2026 {clock}.042 * oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo\n"
            )
        };
        // Another process by its number, of a server that runs on the host itself.
        let stops = ready(7, "02:50:11") + &began(9, "02:58:31") + &ready(9, "02:58:31");
        assert_eq!(with(&stops, Some("/user.slice/session-3.scope")), RISK);
        // In a container the kernel sees other numbers.
        let likely = [(Verdict::Cause, Confidence::Likely)];
        assert_eq!(with(&stops, None), likely);
        // It ended in order, a while after the kill.
        let farewell = ready(7, "02:50:11")
            + "7:M 23 Nov 2026 02:58:25.042 # Redis is now ready to exit, bye bye...\n"
            + &began(9, "02:58:31");
        assert_eq!(with(&farewell, None), RISK);
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
    fn a_child_that_saved_is_not_the_server() {
        let mut facts = kernel(KILL);
        facts.add(log(
            "9:M 23 Nov 2026 02:50:11.042 * Background saving started by pid 4711\n\
             4711:C 23 Nov 2026 02:50:12.042 * Ready to accept connections\n",
        ));
        assert_eq!(verdicts(check(&facts)), []);
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

    fn pod(image: &str, reason: &str) -> Facts {
        document(&format!(
            r#"{{"kind": "Pod", "metadata": {{"name": "cache-0", "namespace": "shop"}},
"spec": {{"containers": [{{"name": "main", "image": "{image}", "resources": {{"limits": {{"memory": "1Gi"}}}}}}]}},
"status": {{"containerStatuses": [{{"name": "main", "restartCount": 2, "lastState": {{"terminated":
{{"reason": "{reason}", "exitCode": 137, "finishedAt": "2026-11-23T02:58:11Z"}}}}}}]}}}}"#
        ))
    }

    #[test]
    fn a_pod_alone_proves_it_and_is_its_subject() {
        let found = check(&pod("redis:7", "OOMKilled"));
        assert_eq!(
            verdicts(found.clone()),
            [(Verdict::Cause, Confidence::Proved)]
        );
        assert!(found[0].title.contains("OOM kill in Kubernetes"));
        assert_eq!(found[0].whom(), "pod shop/cache-0 container main");
        assert!(found[0].claim.contains("1.1 GB"), "{}", found[0].claim);
    }

    #[test]
    fn another_reason_with_137_and_an_applications_kill_prove_nothing() {
        assert_eq!(verdicts(check(&pod("redis:7", "Error"))), []);
        assert_eq!(verdicts(check(&pod("shop/web:1", "OOMKilled"))), []);
        assert_eq!(
            verdicts(check(&pod("oliver006/redis_exporter:1", "OOMKilled"))),
            []
        );
    }

    #[test]
    fn the_kernels_line_and_the_pod_are_one_kill() {
        let mut facts = pod("redis:7", "OOMKilled");
        facts.add(kernel(
            &KILL.replace("Out of memory", "Memory cgroup out of memory"),
        ));
        let found = check(&facts);
        assert_eq!(
            verdicts(found.clone()),
            [(Verdict::Cause, Confidence::Proved)]
        );
        assert!(
            found[0]
                .subjects
                .contains("pod shop/cache-0 container main")
        );
    }
}
