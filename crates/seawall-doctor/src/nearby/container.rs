//! A server in a container on this host: which container that is, and where its log is kept.

use std::fs;
use std::path::{Path, PathBuf};

use super::{LINES, NOT_INSTALLED, age, is_server, said_or_why, text};
use crate::facts::Look;

/// A server's process as this host knows it, and its container.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Container {
    pub(super) pid: u32,
    /// 64 digits.
    pub(super) id: String,
}

/// The container of a server that was looked at, if there is one alone that it can be: the server knows its process by the
/// number that it has inside.
pub(super) fn of(look: &Look, root: &Path) -> Option<Container> {
    let inside: u32 = look.word("process_id")?.parse().ok()?;
    let up = look.number("uptime_in_seconds")?;
    let processes = fs::read_dir(root.join("proc")).ok()?.flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut found: Vec<Container> = numbers
        .filter_map(|pid: u32| {
            let of = root.join("proc").join(pid.to_string());
            let is = is_server(&text(of.join("comm"))?)
                && number_inside(&text(of.join("status"))?) == Some(inside)
                && age(root, pid)?.abs_diff(up) <= APART_S;
            let id = is.then(|| id_in(&text(of.join("cgroup"))?).map(str::to_owned))??;
            Some(Container { pid, id })
        })
        .collect();
    let one = found.pop()?;
    // A server has one process, but for those that save.
    found.iter().all(|other| other.id == one.id).then_some(one)
}

/// So far the two may be apart that tell how old a process is, in seconds. Containers that were started together are as old as
/// each other: then it is not known which it is.
const APART_S: u64 = 3;

/// A process's number in its own namespace: `NSpid: 4711 1`. `None` if it has none of its own.
fn number_inside(status: &str) -> Option<u32> {
    let numbers = status
        .lines()
        .find_map(|line| line.strip_prefix("NSpid:"))?;
    let numbers: Vec<_> = numbers.split_whitespace().collect();
    match numbers[..] {
        [_, .., last] => last.parse().ok(),
        _ => None,
    }
}

/// Docker, Podman and containerd name a container's group by its id, each in its own way.
fn id_in(groups: &str) -> Option<&str> {
    let words = groups.split(|c: char| !c.is_ascii_hexdigit());
    words.into_iter().find(|word| word.len() == 64)
}

/// Where what it writes to its standard output may be kept.
pub(super) fn logs(id: &str, root: &Path) -> Vec<PathBuf> {
    let mut all = vec![
        root.join(format!("var/lib/docker/containers/{id}/{id}-json.log")),
        root.join(format!(
            "var/lib/containers/storage/overlay-containers/{id}/userdata/ctr.log"
        )),
    ];
    // Of Kubernetes: links that are named by pod, namespace, container and id.
    let named = format!("-{id}.log");
    let links = fs::read_dir(root.join("var/log/containers")).into_iter();
    let links = links.flatten().flatten().map(|link| link.path());
    all.extend(links.filter(|path| path.to_string_lossy().ends_with(&named)));
    all
}

/// What it wrote to its standard output, as the program tells that runs it.
pub(super) fn told(id: &str, programs: &[&str]) -> Result<String, String> {
    let words = ["logs", "--timestamps", "--tail", LINES, id];
    let mut why = Vec::new();
    for program in programs {
        match said_or_why(program, &words) {
            Ok(text) if !text.is_empty() => return Ok(text),
            Ok(_) => {}
            Err(words) if words.ends_with(NOT_INSTALLED) => {}
            Err(words) => why.push(words),
        }
    }
    if why.is_empty() {
        why.push(format!("{} tell nothing", programs.join(", ")));
    }
    Err(why.join("; "))
}

/// Those that may run it.
pub(super) const PROGRAMS: &[&str] = &["docker", "podman", "nerdctl", "crictl"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Reach;

    const ID: &str = "4f8ea0c9ffb1c1d2e5f60718293a4b5c6d7e8f901234567890abcdef01234567";

    fn host(processes: &[(u32, &str, &str, u64, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a folder");
        for (pid, name, inside, began, group) in processes {
            let of = root.path().join(format!("proc/{pid}"));
            fs::create_dir_all(&of).expect("a folder");
            let write =
                |file: &str, text: String| fs::write(of.join(file), text).expect("it is written");
            write("comm", format!("{name}\n"));
            write("status", format!("Name:\t{name}\nNSpid:\t{inside}\n"));
            write("cgroup", format!("0::{group}\n"));
            let fields = "0 ".repeat(18);
            write(
                "stat",
                format!("{pid} ({name}) S {fields}{} 0\n", began * 100),
            );
        }
        fs::write(root.path().join("proc/uptime"), "10000.00 1.00\n").expect("it is written");
        root
    }

    fn look(pid: &str, up: &str) -> Look {
        let mut look = Look::new("127.0.0.1:6379", None, Reach::Answered);
        look.info.insert("process_id".to_owned(), pid.to_owned());
        look.info
            .insert("uptime_in_seconds".to_owned(), up.to_owned());
        look
    }

    #[test]
    fn a_servers_container_is_found_by_its_number_inside_and_its_age() {
        let group = format!("/system.slice/docker-{ID}.scope");
        let other = format!("/docker/{}", "a".repeat(64));
        let root = host(&[
            (4_711, "redis-server", "4711\t1", 9_000, &group),
            (4_712, "redis-server", "4712\t1", 5_000, &other),
            (4_713, "bash", "4713\t1", 9_000, &other),
            (4_714, "redis-server", "4714", 9_000, "/user.slice"),
        ]);
        let found = of(&look("1", "1000"), root.path());
        let id = ID.to_owned();
        assert_eq!(found, Some(Container { pid: 4_711, id }));
        assert_eq!(of(&look("2", "1000"), root.path()), None);
        assert_eq!(of(&look("1", "3000"), root.path()), None);
        // Two that it may be.
        let twins = host(&[
            (1, "redis-server", "1\t1", 9_000, &group),
            (2, "redis-server", "2\t1", 9_000, &other),
        ]);
        assert_eq!(of(&look("1", "1000"), twins.path()), None);
    }

    #[test]
    fn a_containers_log_is_looked_for_where_docker_podman_and_kubernetes_keep_it() {
        let root = tempfile::tempdir().expect("a folder");
        let links = root.path().join("var/log/containers");
        fs::create_dir_all(&links).expect("a folder");
        fs::write(links.join(format!("redis-0_shop_redis-{ID}.log")), "").expect("it is written");
        fs::write(links.join("other-0_shop_redis-1.log"), "").expect("it is written");
        let logs = logs(ID, root.path());
        assert!(logs[0].ends_with(format!("{ID}-json.log")), "{logs:?}");
        assert!(
            logs[2].ends_with(format!("redis-0_shop_redis-{ID}.log")),
            "{logs:?}"
        );
        assert_eq!(logs.len(), 3);
    }

    #[test]
    fn what_runs_a_container_is_asked_for_its_output() {
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("docker");
        let script = "#!/bin/sh\n[ \"$1 $5\" = \"logs abc\" ] && echo \"1:M ready\" || { echo 'no such container' >&2; exit 1; }\n";
        fs::write(&program, script).expect("it is written");
        let runs = std::process::Command::new("chmod")
            .arg("+x")
            .arg(&program)
            .status();
        assert!(runs.expect("it runs").success());
        let program = program.to_str().expect("plain letters");
        assert_eq!(
            told("abc", &["/none/podman", program]),
            Ok("1:M ready\n".to_owned())
        );
        let why = told("other", &["/none/podman", program]).expect_err("there is none");
        assert!(
            why.ends_with("docker: no such container") && !why.contains("podman"),
            "{why}"
        );
    }
}
