//! Somebody's application, as a child process that is ended with everything that it started.

use super::AppError;
use crate::contender::child::Complaint;
use crate::world::clock;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;
use std::{fs, io, thread};

/// Becomes a shell that runs the application, after leaving a watcher behind that holds the reading end of a pipe from us.
/// The pipe's end means that we died, however that came: the watcher kills the whole process group. It is deaf to what
/// ends an application in good order.
const LEASHED: &str = r#"
exec 3<&0 </dev/null
(trap "" HUP INT TERM; read -r word <&3 || kill -KILL 0) >/dev/null 2>&1 &
exec 3<&-
exec /bin/sh -c "$1"
"#;
/// By this variable whatever it started is found afterwards, also what has left its process group.
const MARK: &str = "SEAWALL_LAB_APP";
/// How long it may take to end once it is asked to.
const FAREWELL: Duration = Duration::from_secs(5);

/// How an application is started.
#[derive(Clone, Copy, Debug)]
pub(super) struct Launch<'a> {
    /// Its command line, for a shell. `{redis_url}` in it is replaced.
    pub(super) command: &'a str,
    /// The variables that are set to the server's URL.
    pub(super) env: &'a [String],
    /// The server's URL.
    pub(super) redis_url: &'a str,
}

/// A running application.
pub(super) struct Application {
    child: Child,
    leash: ChildStdin,
    mark: String,
    complaint: Complaint,
    ended: Option<String>,
}

impl Application {
    /// Starts it in a process group of its own. `around` puts a program of ours before the shell, if one is needed.
    pub(super) fn start(
        launch: &Launch<'_>,
        around: impl Fn(&[String]) -> Vec<String>,
    ) -> Result<Self, AppError> {
        let failed = |source| AppError::Start { source };
        let command = launch.command.replace("{redis_url}", launch.redis_url);
        let words = ["/bin/sh", "-c", LEASHED, "sh", &command].map(str::to_owned);
        let words = around(&words);
        let mark = format!("{}-{}", std::process::id(), clock::now().as_nanos());
        let (reader, writer) = io::pipe().map_err(failed)?;
        let mut child = Command::new(&words[0])
            .args(&words[1..])
            .envs(launch.env.iter().map(|name| (name, launch.redis_url)))
            .env(MARK, &mark)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(writer.try_clone().map_err(failed)?)
            .stderr(writer)
            .spawn()
            .map_err(failed)?;
        let leash = child
            .stdin
            .take()
            .ok_or_else(|| failed(io::Error::from(io::ErrorKind::BrokenPipe)))?;
        Ok(Self {
            child,
            leash,
            mark,
            complaint: Complaint::listen(reader),
            ended: None,
        })
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<&str> {
        if self.ended.is_none()
            && let Ok(Some(status)) = self.child.try_wait()
        {
            self.ended = Some(status.to_string());
        }
        self.ended.as_deref()
    }

    /// The last lines that it wrote, after the exception that it met first: a server of workers tells of its own at the end.
    pub(super) fn last_words(&self) -> String {
        self.complaint.text_after_first_exception()
    }

    fn group(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }

    /// Whatever bears our mark, wherever it has gone.
    fn left_behind(&self) -> Vec<Pid> {
        let wanted = format!("{MARK}={}", self.mark);
        let bears_it = |pid: &Pid| {
            let path = format!("/proc/{}/environ", pid.as_raw_nonzero());
            fs::read(path)
                .is_ok_and(|all| all.split(|&b| b == 0).any(|one| one == wanted.as_bytes()))
        };
        let ids = fs::read_dir("/proc").into_iter().flatten().flatten();
        ids.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter_map(Pid::from_raw)
            .filter(bears_it)
            .collect()
    }
}

impl Drop for Application {
    /// Asks it to end, waits, and then kills its group and whatever has left that. Nothing of it remains.
    fn drop(&mut self) {
        let Some(group) = self.group() else { return };
        // Each fails only where nobody is left to be told.
        if self.ended().is_none() {
            // A stopped process hears of nothing else.
            let _ = kill_process_group(group, Signal::TERM);
            let _ = kill_process_group(group, Signal::CONT);
            let give_up = clock::now() + FAREWELL;
            while self.ended().is_none() && clock::now() < give_up {
                thread::sleep(Duration::from_millis(10));
            }
        }
        let _ = kill_process_group(group, Signal::KILL);
        for pid in self.left_behind() {
            let _ = kill_process(pid, Signal::KILL);
        }
        let _ = self.child.wait();
        // The watcher was killed with its group; the pipe is closed last, so that it has never seen its end before.
        let _ = &self.leash;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(command: &str) -> Application {
        let launch = Launch {
            command,
            env: &["REDIS_URL".to_owned(), "ALSO".to_owned()],
            redis_url: "redis://127.0.0.1:7/0",
        };
        Application::start(&launch, <[String]>::to_vec).unwrap()
    }

    fn wait_for(app: &mut Application) -> String {
        let give_up = clock::now() + Duration::from_secs(20);
        while app.ended().is_none() && clock::now() < give_up {
            thread::sleep(Duration::from_millis(5));
        }
        app.ended().unwrap_or_default().to_owned()
    }

    fn is_there(pid: &str) -> bool {
        // A zombie that init has not collected yet is as good as gone.
        fs::read_to_string(format!("/proc/{}/stat", pid.trim()))
            .is_ok_and(|stat| !stat.contains(") Z "))
    }

    #[test]
    fn it_is_told_the_servers_url_in_each_variable_and_in_its_command() {
        let mut app = start("echo $REDIS_URL; echo $ALSO >&2; echo {redis_url} && false");
        assert!(wait_for(&mut app).contains('1'));
        assert_eq!(app.last_words().matches("redis://127.0.0.1:7/0").count(), 3);
    }

    #[test]
    fn its_children_end_with_it_also_those_that_went_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let (near, far) = (path("near"), path("far"));
        let app = start(&format!(
            "sleep 600 & echo $! >{near}; setsid sh -c 'trap \"\" TERM; echo $$ >{far}; sleep 600; true' & wait"
        ));
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let give_up = clock::now() + Duration::from_secs(20);
        while (read(&near).is_empty() || read(&far).is_empty()) && clock::now() < give_up {
            thread::sleep(Duration::from_millis(5));
        }
        let pids = [read(&near), read(&far)];
        assert!(pids.iter().all(|pid| is_there(pid)), "{pids:?}");
        drop(app);
        while pids.iter().any(|pid| is_there(pid)) && clock::now() < give_up {
            thread::sleep(Duration::from_millis(5));
        }
        assert!(!pids.iter().any(|pid| is_there(pid)), "{pids:?}");
    }
}
