//! Whose process the kernel killed: the one that was looked at, or another of its name.

use crate::facts::{Fact, Facts, Host, KernelLine, Line, Look, Place, ServerLine};
use crate::stamp::Stamp;

/// A killed server is started anew within so many seconds, or somebody else did it.
const START_S: f64 = 300.0;

/// Clocks, and what is told in whole seconds.
const SLACK_S: f64 = 5.0;

/// Whose it was, and what says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The looked-at server's: a record names it.
    Ours(Place, String),
    /// Likely the looked-at server's: its log stops there.
    LikelyOurs(Place, String),
    /// Another's.
    Others(Place, String),
    /// It may have been ours, and nothing tells: what would.
    Untold,
    /// Nothing was looked at.
    Nobody,
}

/// By everything but the server's own log naming that process, and its container: those prove it.
pub(crate) fn whose(facts: &Facts, kill: &Fact<KernelLine>) -> Whose {
    let KernelLine::OomKilled { pid, group, .. } = &kill.what else {
        return Whose::Nobody;
    };
    if let Some((place, says)) = lived_on(facts, kill.at) {
        return Whose::Others(place, says);
    }
    if let Some(group) = group.as_deref()
        && let Some(known) = by_group(facts, group)
    {
        return known;
    }
    if let Some((place, says)) = another_process(facts, kill.at, *pid, group.as_deref()) {
        return Whose::Others(place, says);
    }
    if let Some((place, says)) = stopped_there(facts, kill.at) {
        return Whose::LikelyOurs(place, says);
    }
    let starts: Vec<_> = facts.looks.iter().filter_map(start).collect();
    let Some((look, _)) = starts.first() else {
        return Whose::Nobody;
    };
    let soon = |(_, start): &(&Look, Stamp)| {
        kill.at
            .is_none_or(|at| (-SLACK_S..=START_S).contains(&at.seconds_to(*start)))
    };
    if kill.at.is_some() && starts.iter().any(soon) {
        return Whose::Untold;
    }
    let says = "no start of a server that was looked at followed within five minutes".to_owned();
    Whose::Others(look.place("INFO"), says)
}

/// When the process began.
fn start(look: &Look) -> Option<(&Look, Stamp)> {
    let uptime = i64::try_from(look.number("uptime_in_seconds")?).ok()?;
    Some((look, look.at?.plus_seconds(-uptime)))
}

/// All that was looked at ran before and after that.
fn lived_on(facts: &Facts, killed: Option<Stamp>) -> Option<(Place, String)> {
    let killed = killed?;
    let starts: Vec<_> = facts.looks.iter().filter_map(start).collect();
    let before = |(_, start): &(&Look, Stamp)| start.seconds_to(killed) > SLACK_S;
    if let Some((look, began)) = starts.first()
        && starts.iter().all(before)
    {
        let says = format!("it has run since {began}, before that kill");
        return Some((look.place("INFO"), says));
    }
    let lives = facts.lives();
    // With several servers nobody knows which log is whose.
    let [life] = &lives[..] else { return None };
    if starts.len() > 1 {
        return None;
    }
    let since = |fact: &&Fact<ServerLine>| Some(killed.seconds_to(fact.at?));
    let lines = || life.lines.iter().copied();
    let last = lines().rfind(|fact| since(fact).is_some_and(|since| since <= -SLACK_S))?;
    let next = lines().find(|fact| since(fact).is_some_and(|since| since >= SLACK_S))?;
    let began = |fact: &Fact<ServerLine>| fact.what.line == Line::Started;
    let close = |fact: &&Fact<ServerLine>| since(fact).is_some_and(|since| since.abs() < SLACK_S);
    let anew = began(next) || lines().filter(close).any(began);
    (last.what.pid.is_some() && last.what.pid == next.what.pid && !anew).then(|| {
        let says = "its log goes on after that kill, in the same process".to_owned();
        (next.place.clone(), says)
    })
}

/// The log of the only server names another process for that time, and the kernel sees processes by the same numbers: that of
/// a unit of the host's, or one that was found by its number there.
fn another_process(
    facts: &Facts,
    killed: Option<Stamp>,
    pid: u32,
    group: Option<&str>,
) -> Option<(Place, String)> {
    let killed = killed?;
    let on_host = group.is_some_and(|group| group.ends_with(".service"))
        || facts.looks.iter().any(|look| {
            // In a container it has another number there than its host sees.
            let process = look.number("process_id");
            let same = |host: &Host| host.pid.is_some() && host.pid.map(u64::from) == process;
            facts.hosts.iter().any(same)
        });
    let lives = facts.lives();
    let [life] = &lives[..] else { return None };
    let running = life
        .lines
        .iter()
        .rfind(|fact| fact.at.is_some_and(|at| at.seconds_to(killed) >= -1.0))?;
    let other = running
        .what
        .pid
        .filter(|other| *other != pid && *other > 1)?;
    let ended = matches!(
        running.what.line,
        Line::Farewell | Line::Crashed(_) | Line::AllocationFailed
    );
    (on_host && !ended).then(|| {
        let says = format!("its log names process {other} before that, not {pid}");
        (running.place.clone(), says)
    })
}

/// The log of the only server stops there without a farewell, and another process starts soon.
fn stopped_there(facts: &Facts, killed: Option<Stamp>) -> Option<(Place, String)> {
    let killed = killed?;
    let lives = facts.lives();
    let [life] = &lives[..] else { return None };
    life.sudden_ends().into_iter().find_map(|(last, start)| {
        let before = last.at?.seconds_to(killed) >= -1.0;
        let after = (-SLACK_S..=START_S).contains(&killed.seconds_to(start.at?));
        (before && after).then(|| {
            let says = "its log stops before that without a farewell, and it starts anew after it"
                .to_owned();
            (start.place.clone(), says)
        })
    })
}

/// By the cgroup of the killed process: that of the looked-at server's, or one that names its port.
fn by_group(facts: &Facts, group: &str) -> Option<Whose> {
    let own = |host: &Host| {
        let own = host.values.get("cgroup").filter(|_| host.pid.is_some())?;
        let (mine, its) = (home(own)?, home(group)?);
        let place = host.place();
        Some(if mine == its {
            Whose::Ours(place, format!("the server runs in the same cgroup, {mine}"))
        } else {
            Whose::Others(place, format!("it ran in {its}, the server runs in {mine}"))
        })
    };
    if let Some(known) = facts.hosts.iter().find_map(own) {
        return Some(known);
    }
    let port = port_of(home(group)?)?;
    let ports: Vec<_> = facts
        .looks
        .iter()
        .filter_map(|look| Some((look, look.number("tcp_port")?)))
        .collect();
    let (first, _) = ports.first()?;
    Some(match ports.iter().find(|(_, known)| *known == port) {
        Some((look, _)) => Whose::Ours(
            look.place("INFO"),
            format!("its cgroup names the port {port}, at which the server listens"),
        ),
        None => Whose::Others(
            first.place("INFO"),
            format!(
                "its cgroup names the port {port}, and no server that was looked at listens there"
            ),
        ),
    })
}

/// What stays the same over a restart: a unit, a pod, a container. `None` where a cgroup is none of these (a login's).
fn home(group: &str) -> Option<&str> {
    let pod = group
        .split('/')
        .rfind(|part| part.contains("pod") && part.len() > 36);
    let last = group.rsplit('/').next()?;
    let container = last.len() >= 64 || last.starts_with("docker-") || last.starts_with("libpod-");
    pod.or_else(|| (last.ends_with(".service") || container).then_some(last))
}

/// `redis-server@6380.service`, `redis_6380.service`
fn port_of(home: &str) -> Option<u64> {
    let unit = home.strip_suffix(".service")?;
    let numbers = unit.split(|c: char| !c.is_ascii_digit());
    let mut ports = numbers
        .filter_map(|digits| digits.parse().ok())
        .filter(|port| (1_000..=65_535).contains(port));
    ports.next()
}

/// Whether a cgroup is that of a container or a pod, by its runner's id.
pub(crate) fn is_of(group: &str, id: &str) -> bool {
    let plain = |text: &str| text.replace(['-', '_'], "");
    id.len() >= 12 && plain(group).contains(&plain(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_of_a_cgroup_outlives_a_restart_is_compared() {
        let id = "a".repeat(64);
        let pod = "kubepods-burstable-pod5f3e1a2b_0c1d_4e5f_8a9b_0c1d2e3f4a5b.slice";
        let known = [
            (
                "/system.slice/redis-server.service".to_owned(),
                Some("redis-server.service"),
            ),
            (
                format!("/kubepods.slice/kubepods-burstable.slice/{pod}/cri-containerd-{id}.scope"),
                Some(pod),
            ),
            (format!("/docker/{id}"), Some(id.as_str())),
            ("/user.slice/user-0.slice/session-3.scope".to_owned(), None),
            ("/".to_owned(), None),
        ];
        for (group, expected) in known {
            assert_eq!(home(&group), expected, "{group}");
        }
        assert_eq!(port_of("redis-server@6380.service"), Some(6_380));
        assert_eq!(port_of("redis-server.service"), None);
        assert!(is_of(
            &format!("/kubepods.slice/{pod}"),
            "5f3e1a2b-0c1d-4e5f-8a9b-0c1d2e3f4a5b"
        ));
        assert!(!is_of(&format!("/kubepods.slice/{pod}"), ""));
    }
}
