//! `docker inspect` and `podman inspect`.

use serde_json::{Map, Value};

use super::Found;
use super::entry::{at, count, name, serves, text, time};
use crate::container::{Container, ContainerNews, News, Reason, Runner};

/// Whether it is a container.
pub(super) fn is(entry: &Map<String, Value>) -> bool {
    at(entry, "State/ExitCode").is_some() && at(entry, "State/Running").is_some()
}

pub(super) fn take(entry: &Map<String, Value>, found: &mut Found) {
    let state = |field: &str| at(entry, &format!("State/{field}"));
    let is = |field: &str| state(field).and_then(Value::as_bool).unwrap_or(false);
    let called = text(entry, "Name").trim_start_matches('/');
    let container = Container {
        runner: Runner::Docker,
        pod: String::new(),
        name: name(called),
        id: name(text(entry, "Id")),
        serves: serves(text(entry, "Config/Image"))
            || serves(text(entry, "ImageName"))
            || serves(called),
        memory_limit: count(entry, "HostConfig/Memory").filter(|bytes| *bytes > 0),
        restarts: count(entry, "RestartCount").unwrap_or(0),
    };
    let exit = state("ExitCode").and_then(Value::as_i64).unwrap_or(0);
    let at = time(entry, &["State/FinishedAt"]);
    let spot = |field: &str| format!("{} State.{field}", container.label());
    // One that runs has ended before if it was started anew: what its flag says is about that end.
    let reason = match (is("OOMKilled"), is("Running"), exit) {
        (true, ..) => Reason::OomKilled,
        (false, true, _) if container.restarts == 0 => return,
        (false, _, 0) => Reason::Completed,
        (false, ..) => Reason::Error,
    };
    if at.is_none() && reason == Reason::Completed {
        return;
    }
    let spot = spot(if reason == Reason::OomKilled {
        "OOMKilled"
    } else {
        "ExitCode"
    });
    let news = News::Ended { reason, exit };
    found.container(at, spot, ContainerNews { container, news });
}
