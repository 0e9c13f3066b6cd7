//! What this machine tells of a server that runs on it: the host, the server's log, the kernel's.

mod container;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::facts::{Facts, Host, Look, Unseen};
use crate::files::Files;
use crate::holders;
use crate::read::{self, Given};
use crate::rule::Need;
use crate::stamp::Stamp;

/// So many lines of a journal, or of the kernel's log, are asked for.
const LINES: &str = "5000";

/// A file under /proc or /sys is no longer than this.
const VALUE_BYTES_MAX: u64 = 64 * 1024;

/// Single values, and where they stand.
const VALUES: &[(&str, &str)] = &[
    ("somaxconn", "/proc/sys/net/core/somaxconn"),
    (
        "tcp_max_syn_backlog",
        "/proc/sys/net/ipv4/tcp_max_syn_backlog",
    ),
    (
        "tcp_keepalive_time",
        "/proc/sys/net/ipv4/tcp_keepalive_time",
    ),
    ("tcp_retries2", "/proc/sys/net/ipv4/tcp_retries2"),
    ("tcp_tw_reuse", "/proc/sys/net/ipv4/tcp_tw_reuse"),
    (
        "ip_local_port_range",
        "/proc/sys/net/ipv4/ip_local_port_range",
    ),
    ("overcommit_memory", "/proc/sys/vm/overcommit_memory"),
    ("swappiness", "/proc/sys/vm/swappiness"),
    (
        "transparent_hugepage",
        "/sys/kernel/mm/transparent_hugepage/enabled",
    ),
    (
        "clocksource",
        "/sys/devices/system/clocksource/clocksource0/current_clocksource",
    ),
    (
        "nf_conntrack_count",
        "/proc/sys/net/netfilter/nf_conntrack_count",
    ),
    (
        "nf_conntrack_max",
        "/proc/sys/net/netfilter/nf_conntrack_max",
    ),
    ("loadavg", "/proc/loadavg"),
];

/// Counters of /proc/net/netstat and /proc/net/snmp.
const COUNTERS: &[&str] = &[
    "ListenOverflows",
    "ListenDrops",
    "TCPTimeouts",
    "TCPBacklogDrop",
    "TCPReqQFullDrop",
    "TCPReqQFullDoCookies",
    "TCPAbortOnMemory",
    "PruneCalled",
    "RcvPruned",
    "TCPSynRetrans",
    "RetransSegs",
    "OutSegs",
];

/// This host, and what it knows of the server's process if that runs here.
pub fn host(look: Option<&Look>, now: Stamp) -> Facts {
    let mut host = Host::new("this host", Some(now));
    for (name, path) in VALUES {
        if let Some(text) = text(path) {
            host.take(&format!("{name}: {}", text.lines().next().unwrap_or("")));
        }
    }
    columns(
        &mut host,
        "/proc/meminfo",
        &["MemTotal", "MemAvailable", "SwapTotal", "SwapFree"],
    );
    sockets(&mut host);
    for path in ["/proc/net/netstat", "/proc/net/snmp"] {
        counters(&mut host, &text(path).unwrap_or_default());
    }
    if let Some(look) = look
        && let Some(pid) = process(look)
    {
        of_process(&mut host, pid);
        host.holders = holders::of(&look.clients);
    }
    let mut facts = Facts::default();
    facts.had.insert(Need::Host);
    facts.hosts.push(host);
    facts
}

/// The server's process, if it runs here: its number names a server of that kind, which listens at that port.
pub fn process(look: &Look) -> Option<u32> {
    let pid: u32 = look.word("process_id")?.parse().ok()?;
    let name = text(format!("/proc/{pid}/comm"))?;
    // A number means another process elsewhere: the process must be as old as the server says.
    let up = look.number("uptime_in_seconds")?;
    let age = age(Path::new("/"), pid)?;
    (is_server(&name) && age.abs_diff(up) <= 60).then_some(pid)
}

fn is_server(name: &str) -> bool {
    ["redis", "valkey", "keydb"]
        .iter()
        .any(|kind| name.contains(kind))
}

/// For how many seconds a process has run.
fn age(root: &Path, pid: u32) -> Option<u64> {
    let stat = text(root.join(format!("proc/{pid}/stat")))?;
    // The name in brackets may hold anything.
    let (_, rest) = stat.rsplit_once(") ")?;
    let ticks: u64 = rest.split(' ').nth(19)?.parse().ok()?;
    let uptime = text(root.join("proc/uptime"))?;
    let seconds: u64 = uptime.split('.').next()?.parse().ok()?;
    // A hundred ticks a second is what Linux tells programs, whatever it counts in.
    seconds.checked_sub(ticks / 100)
}

fn of_process(host: &mut Host, pid: u32) {
    let path = |file: &str| format!("/proc/{pid}/{file}");
    host.take(&format!("pid: {pid}"));
    for line in text(path("limits")).unwrap_or_default().lines() {
        if let Some(rest) = line.strip_prefix("Max open files") {
            let soft = rest.split_whitespace().next().unwrap_or_default();
            host.take(&format!("max_open_files: {soft}"));
        }
    }
    if let Ok(open) = fs::read_dir(path("fd")) {
        host.take(&format!("open_files: {}", open.count()));
    }
    if let Some(score) = text(path("oom_score_adj")) {
        host.take(&format!("oom_score_adj: {}", score.trim()));
    }
    columns(host, &path("status"), &["VmRSS", "VmSwap"]);
    for line in text(path("smaps_rollup")).unwrap_or_default().lines() {
        if let Some(rest) = line.strip_prefix("AnonHugePages:") {
            let pages = rest.split_whitespace().next().unwrap_or_default();
            host.take(&format!("anon_huge_pages_kb: {pages}"));
        }
    }
    cgroup(host, &text(path("cgroup")).unwrap_or_default());
}

/// A limit above this is none: the first version of cgroups writes the largest number that it knows.
const NO_LIMIT: u64 = 1 << 62;

/// What the process's cgroup may have, and how often it was denied, by either version of cgroups.
fn cgroup(host: &mut Host, groups: &str) {
    let of = |controller: &str| {
        let mut lines = groups.lines().filter_map(|line| line.split_once(':'));
        lines.find_map(|(_, rest)| rest.strip_prefix(controller)?.strip_prefix(':'))
    };
    let (memory, cpu) = match (of("memory"), of("")) {
        (Some(group), _) => {
            host.take(&format!("cgroup: {group}"));
            let cpu = of("cpu").or_else(|| of("cpu,cpuacct")).unwrap_or("/");
            (format!("memory{group}"), format!("cpu{cpu}"))
        }
        (None, Some(group)) => {
            host.take(&format!("cgroup: {group}"));
            let folder = group.trim_start_matches('/');
            (folder.to_owned(), folder.to_owned())
        }
        (None, None) => return,
    };
    let file = |folder: &str, name: &str| text(format!("/sys/fs/cgroup/{folder}/{name}"));
    let values = [
        ("max", "memory.max"),
        ("max", "memory.limit_in_bytes"),
        ("current", "memory.current"),
        ("current", "memory.usage_in_bytes"),
    ];
    for (name, from) in values {
        let Some(value) = file(&memory, from) else {
            continue;
        };
        let value = value.trim();
        let none = value.parse().is_ok_and(|limit: u64| limit >= NO_LIMIT);
        let value = if none { "max" } else { value };
        host.take(&format!("cgroup_memory_{name}: {value}"));
    }
    for from in ["memory.events", "memory.oom_control"] {
        for line in file(&memory, from).unwrap_or_default().lines() {
            if let Some((name @ ("oom" | "oom_kill" | "max"), count)) = line.split_once(' ') {
                host.take(&format!("cgroup_{name}: {count}"));
            }
        }
    }
    for line in file(&cpu, "cpu.stat").unwrap_or_default().lines() {
        if let Some(count) = line.strip_prefix("nr_throttled ") {
            host.take(&format!("cgroup_throttled: {count}"));
        }
    }
}

/// `MemTotal:   24683652 kB`
fn columns(host: &mut Host, path: &str, names: &[&str]) {
    for line in text(path).unwrap_or_default().lines() {
        if let Some((name, rest)) = line.split_once(':')
            && names.contains(&name)
        {
            let value = rest.split_whitespace().next().unwrap_or_default();
            host.take(&format!("{}_kb: {value}", name.to_ascii_lowercase()));
        }
    }
}

/// `TCP: inuse 14 orphan 0 tw 860 alloc 50 mem 8`
fn sockets(host: &mut Host) {
    for line in text("/proc/net/sockstat").unwrap_or_default().lines() {
        if let Some(rest) = line.strip_prefix("TCP: ") {
            let words: Vec<_> = rest.split_whitespace().collect();
            for pair in words.chunks_exact(2) {
                host.take(&format!("sockets_{}: {}", pair[0], pair[1]));
            }
        }
    }
}

/// A line of names, and a line of numbers below it.
fn counters(host: &mut Host, text: &str) {
    let lines: Vec<_> = text.lines().collect();
    for pair in lines.chunks_exact(2) {
        let (names, numbers) = (pair[0].split(' '), pair[1].split(' '));
        for (name, number) in names.zip(numbers) {
            if COUNTERS.contains(&name) {
                host.take(&format!("{name}: {number}"));
            }
        }
    }
}

fn text(path: impl AsRef<Path>) -> Option<String> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).ok()?;
    file.take(VALUE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The log of a server that runs here: where its settings say, else the system's journal.
pub fn server_log(look: &Look, files: &mut Files, given: Given) -> Facts {
    let what = format!("the log of {}", look.source);
    let how = "seawall doctor --redis-log PATH, or as somebody who may read it";
    let here = process(look);
    let contained = || container::of(look, Path::new("/"));
    let contained = here.is_none().then(contained).flatten();
    if here.is_none() && contained.is_none() {
        return unseen(what, "the server does not run on this host", how);
    }
    let Some(file) = look.config.get("logfile") else {
        return unseen(
            what,
            "the server does not say where it is (CONFIG GET logfile)",
            how,
        );
    };
    // In a container it is often a link to what stands for standard output: read here, that would be ours.
    if file.is_empty() || file.starts_with("/dev/") || file.starts_with("/proc/") {
        if let Some(container) = &contained {
            return container_log(container, what, files, given);
        }
        let words = [
            "--no-pager",
            "-q",
            "-o",
            "cat",
            "-n",
            LINES,
            "-u",
            "redis*",
            "-u",
            "valkey*",
        ];
        return match said("journalctl", &words) {
            Some(text) if !text.is_empty() => read_as("the journal of its unit", &text, given),
            _ => unseen(
                what,
                "it goes to standard output, and no unit's journal has it",
                how,
            ),
        };
    }
    let folder = look
        .config
        .get("dir")
        .map(PathBuf::from)
        .unwrap_or_default();
    let mut path = folder.join(file);
    if let Some(container) = &contained {
        // Its files, as its processes see them.
        let inside = path.strip_prefix("/").unwrap_or(&path);
        path = PathBuf::from(format!("/proc/{}/root", container.pid)).join(inside);
    }
    match files.read(&path, &path.display().to_string(), given) {
        Ok((_, facts)) => facts,
        Err(error) => unseen(
            what,
            &format!("{} cannot be read: {error}", path.display()),
            how,
        ),
    }
}

/// What a server in a container writes to its standard output: as a file, or as the program tells that runs it.
fn container_log(
    container: &container::Container,
    what: String,
    files: &mut Files,
    given: Given,
) -> Facts {
    let id = &container.id[..12];
    let name = format!("container {id}");
    let mut why = Vec::new();
    for path in container::logs(&container.id, Path::new("/")) {
        match files.read(&path, &name, given) {
            Ok((_, facts)) if !facts.had.is_empty() => return facts,
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                why.push(format!("{}: {error}", path.display()));
            }
            _ => {}
        }
    }
    match container::told(&container.id, container::PROGRAMS) {
        Ok(text) => read_as(&name, &text, given),
        Err(words) => {
            why.push(words);
            let how =
                format!("sudo docker logs -t {id} > redis.log, then: seawall doctor redis.log");
            unseen(
                what,
                &format!(
                    "it runs in {name}, whose output cannot be read: {}",
                    why.join("; ")
                ),
                &how,
            )
        }
    }
}

/// The kernel's log of this host.
pub fn kernel_log(given: Given) -> Facts {
    let journal = ["--no-pager", "-q", "-k", "-o", "short-iso", "-n", LINES];
    let text = said("journalctl", &journal)
        .filter(|text| !text.is_empty())
        .or_else(|| said("dmesg", &["--time-format", "iso"]))
        .unwrap_or_default();
    if text.is_empty() {
        return unseen(
            "the kernel's log of this host".to_owned(),
            "neither journalctl -k nor dmesg tells it to this user",
            "sudo journalctl -k -o short-iso > kernel.log, then: seawall doctor kernel.log",
        );
    }
    let mut facts = read_as("the kernel", &text, given);
    facts.had.insert(Need::Kernel);
    facts
}

fn read_as(name: &str, text: &str, given: Given) -> Facts {
    read::file(name, text.as_bytes(), given).map_or_else(|_| Facts::default(), |(_, facts)| facts)
}

fn unseen(what: String, why: &str, how: &str) -> Facts {
    Facts {
        unseen: vec![Unseen {
            what,
            why: why.to_owned(),
            how: how.to_owned(),
        }],
        ..Facts::default()
    }
}

/// So long a program of the host's is listened to: on a disk that does not answer, journalctl does not either.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a program says that asks nothing and is there. It inherits no input to ask for.
fn said(program: &str, words: &[&str]) -> Option<String> {
    said_within(PATIENCE, program, words)
}

fn said_within(span: Duration, program: &str, words: &[&str]) -> Option<String> {
    said_in_time(span, program, words).ok()
}

/// The same, or in a few words why it said nothing.
fn said_or_why(program: &str, words: &[&str]) -> Result<String, String> {
    said_in_time(PATIENCE, program, words).map_err(|why| format!("{program}: {why}"))
}

fn said_in_time(span: Duration, program: &str, words: &[&str]) -> Result<String, String> {
    let started = Command::new(program)
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = started.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => NOT_INSTALLED.to_owned(),
        _ => error.to_string(),
    })?;
    let (tell, told) = mpsc::channel();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (Some(mut stdout), Some(mut stderr)) = (stdout, stderr) else {
        return Err("it has no output".to_owned());
    };
    let (complain, complaint) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // To its end, so that it never waits for a reader.
        let _ = stderr
            .by_ref()
            .take(COMPLAINT_BYTES_MAX)
            .read_to_end(&mut bytes);
        let _ = std::io::copy(&mut stderr, &mut std::io::sink());
        let text = String::from_utf8_lossy(&bytes);
        // Whoever waited may have gone.
        let _ = complain.send(text.lines().last().unwrap_or("").to_owned());
    });
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = stdout.read_to_end(&mut bytes);
        // Whoever waited may have gone.
        let _ = tell.send(read.map(|_| bytes));
    });
    if let Ok(read) = told.recv_timeout(span) {
        let ended = child.wait();
        let text = read.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        if ended.is_ok_and(|status| status.success()) {
            return text.map_err(|error| error.to_string());
        }
        return Err(complaint.recv_timeout(span).unwrap_or_default());
    }
    // Not waited for: a process that hangs in the kernel does not end by this either.
    let _ = child.kill();
    Err(format!("no answer within {} s", span.as_secs()))
}

const NOT_INSTALLED: &str = "it is not installed";

/// Of what a program complains of, the last line of so much is told.
const COMPLAINT_BYTES_MAX: u64 = 4 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_does_not_end_is_not_waited_for() {
        let within = |words: &[&str]| said_within(Duration::from_millis(100), "sh", words);
        let begun = std::time::Instant::now();
        assert_eq!(within(&["-c", "echo one; exec sleep 60"]), None);
        assert!(begun.elapsed() < Duration::from_secs(30));
        assert_eq!(within(&["-c", "exit 1"]), None);
        let told = said("sh", &["-c", "echo one"]);
        assert_eq!(told.as_deref(), Some("one\n"));
    }

    #[test]
    fn counters_are_read_by_their_names() {
        let mut host = Host::new("this host", None);
        counters(
            &mut host,
            "TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 0 606 607\nIpExt: InNoRoutes\nIpExt: 0\n",
        );
        assert_eq!(host.number("ListenOverflows"), Some(606));
        assert_eq!(host.number("ListenDrops"), Some(607));
        assert_eq!(host.number("SyncookiesSent"), None);
    }
}
