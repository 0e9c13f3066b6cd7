//! Pods and events: `kubectl get pod,events -o json`.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::Found;
use super::entry::{at, count, name, objects, serves, text, time};
use crate::container::{Container, ContainerNews, News, Probe, Reason, Runner};
use crate::facts::Fact;
use crate::stamp::Stamp;

/// Of so many pods the containers are remembered, for the events that name them.
const PODS_MAX: usize = 10_000;

/// Whether it is a pod or an event; a list from the server itself does not say so in each.
pub(super) fn is(entry: &Map<String, Value>) -> bool {
    is_pod(entry) || is_event(entry)
}

fn is_pod(entry: &Map<String, Value>) -> bool {
    text(entry, "kind") == "Pod" || at(entry, "spec/containers").is_some_and(Value::is_array)
}

fn is_event(entry: &Map<String, Value>) -> bool {
    let about = |path| at(entry, path).is_some_and(Value::is_object);
    (about("involvedObject") || about("regarding")) && at(entry, "reason").is_some()
}

/// The containers of pods: an event about one says neither its image nor its limit.
#[derive(Default)]
pub(super) struct Pods(HashMap<String, Vec<Container>>);

impl Pods {
    fn keep(&mut self, container: Container) {
        if self.0.len() < PODS_MAX || self.0.contains_key(&container.pod) {
            let of_pod = self.0.entry(container.pod.clone()).or_default();
            of_pod.push(container);
        }
    }

    /// Completes what events told of containers by what their pods tell, in whatever order they stood.
    pub(super) fn name(&self, facts: &mut [Fact<ContainerNews>]) {
        for fact in facts {
            let told = &mut fact.what.container;
            let Some(of_pod) = self.0.get(&told.pod) else {
                continue;
            };
            let named = of_pod.iter().find(|known| known.name == told.name);
            if let Some(known) = named {
                known.clone_into(told);
            } else if told.name.is_empty() {
                told.serves = of_pod.iter().any(|known| known.serves);
            }
        }
    }
}

pub(super) fn take(entry: &Map<String, Value>, found: &mut Found) {
    if is_event(entry) {
        event(entry, found);
    } else {
        pod(entry, found);
    }
}

fn pod(entry: &Map<String, Value>, found: &mut Found) {
    let pod = format!(
        "{}/{}",
        name(or_default(text(entry, "metadata/namespace"))),
        name(text(entry, "metadata/name"))
    );
    for spec in objects(entry, "spec/containers") {
        let called = text(spec, "name");
        let status = objects(entry, "status/containerStatuses")
            .find(|status| text(status, "name") == called);
        let container = Container {
            runner: Runner::Kubernetes,
            pod: pod.clone(),
            name: name(called),
            id: name(text(entry, "metadata/uid")),
            serves: is_server(text(spec, "image"), called, &pod),
            memory_limit: quantity(text(spec, "resources/limits/memory")),
            restarts: status
                .and_then(|status| count(status, "restartCount"))
                .unwrap_or(0),
        };
        found.kubernetes.keep(container.clone());
        if let Some(status) = status {
            of_status(status, &container, found);
        }
    }
    if text(entry, "status/reason") == "Evicted" {
        let container = whole(&pod);
        let news = News::Evicted(lack(text(entry, "status/message")));
        let at = time(entry, &["status/startTime"]);
        found.container(
            at,
            format!("pod {pod} status"),
            ContainerNews { container, news },
        );
    }
}

fn of_status(status: &Map<String, Value>, container: &Container, found: &mut Found) {
    for state in ["state", "lastState"] {
        let Some(Value::Object(ended)) = at(status, &format!("{state}/terminated")) else {
            continue;
        };
        let exit = at(ended, "exitCode").and_then(Value::as_i64);
        let signal = count(ended, "signal").and_then(|signal| i64::try_from(signal).ok());
        let news = News::Ended {
            reason: reason(text(ended, "reason")),
            exit: exit
                .or(signal.map(|signal| 128_i64.saturating_add(signal)))
                .unwrap_or(-1),
        };
        let spot = format!("{} {state}", container.label());
        let container = container.clone();
        let at = time(ended, &["finishedAt"]);
        found.container(at, spot, ContainerNews { container, news });
    }
    if text(status, "state/waiting/reason") == "CrashLoopBackOff" {
        let spot = format!("{} state", container.label());
        let news = News::BackOff;
        let container = container.clone();
        found.container(None, spot, ContainerNews { container, news });
    }
}

fn event(entry: &Map<String, Value>, found: &mut Found) {
    let about = if at(entry, "involvedObject").is_some() {
        "involvedObject"
    } else {
        "regarding"
    };
    let of = |field: &str| text(entry, &format!("{about}/{field}"));
    // `message` in v1, `note` in events.k8s.io/v1. What a probe printed stands in it: of that nothing is kept.
    let message = [text(entry, "message"), text(entry, "note")].concat();
    let often = ["series/count", "count", "deprecatedCount"];
    let often = often.iter().find_map(|path| count(entry, path));
    let Some(news) = meaning(text(entry, "reason"), &message, often.unwrap_or(1)) else {
        return;
    };
    let container = match of("kind") {
        "Pod" => {
            let pod = format!("{}/{}", name(or_default(of("namespace"))), name(of("name")));
            let called = of("fieldPath")
                .strip_prefix("spec.containers{")
                .map_or("", |rest| rest.trim_end_matches('}'));
            Container {
                name: name(called),
                serves: is_server("", called, &pod),
                ..whole(&pod)
            }
        }
        "Node" => Container {
            pod: format!("node {}", name(of("name"))),
            ..whole("")
        },
        _ => return,
    };
    let at: Option<Stamp> = time(
        entry,
        &[
            "series/lastObservedTime",
            "lastTimestamp",
            "deprecatedLastTimestamp",
            "eventTime",
            "firstTimestamp",
            "metadata/creationTimestamp",
        ],
    );
    let spot = format!(
        "event {} {}",
        name(text(entry, "reason")),
        container.label()
    );
    found.container(at, spot, ContainerNews { container, news });
}

fn meaning(reason: &str, message: &str, count: u64) -> Option<News> {
    let probe = [
        ("iveness probe", Probe::Liveness),
        ("eadiness probe", Probe::Readiness),
        ("tartup probe", Probe::Startup),
    ];
    let probe = probe
        .iter()
        .find(|(words, _)| message.contains(words))
        .map(|(_, probe)| *probe);
    Some(match reason {
        "Unhealthy" | "ProbeWarning" => News::ProbeFailed {
            probe: probe?,
            count,
        },
        "Killing" => News::Stopping { probe },
        "Evicted" | "Preempted" | "Preempting" | "TaintManagerEviction" => {
            News::Evicted(lack(message))
        }
        "BackOff" if message.contains("restarting failed container") => News::BackOff,
        "SystemOOM" | "OOMKilling" => News::NodeOom,
        "NodeNotReady" => News::NodeNotReady,
        _ => return None,
    })
}

fn whole(pod: &str) -> Container {
    Container {
        runner: Runner::Kubernetes,
        pod: pod.to_owned(),
        name: String::new(),
        id: String::new(),
        serves: is_server("", "", pod),
        memory_limit: None,
        restarts: 0,
    }
}

/// By its image; where that is unknown or somebody's own, by its name, then its pod's.
fn is_server(image: &str, name: &str, pod: &str) -> bool {
    let beside = !name.is_empty() && !serves(name) && !serves(image);
    serves(image)
        || serves(name)
        || (image.is_empty() && !beside && serves(pod.rsplit('/').next().unwrap_or(pod)))
}

fn or_default(namespace: &str) -> &str {
    if namespace.is_empty() {
        "default"
    } else {
        namespace
    }
}

fn reason(text: &str) -> Reason {
    match text {
        "OOMKilled" => Reason::OomKilled,
        "Completed" => Reason::Completed,
        "Error" | "" => Reason::Error,
        other => Reason::Other(name(other)),
    }
}

/// What a node had too little of: `The node was low on resource: memory. ..`.
fn lack(message: &str) -> String {
    let after = message.split_once("low on resource: ");
    let word = after.map_or("", |(_, rest)| rest.split(['.', ' ']).next().unwrap_or(""));
    let known = ["memory", "ephemeral-storage", "inodes", "pids"];
    let known = known.iter().find(|known| **known == word.trim_matches('['));
    known.map_or("another reason", |word| word).to_owned()
}

/// `512Mi`, `1G`, `1073741824`, `128974848000m`.
fn quantity(text: &str) -> Option<u64> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().ok()?;
    let factor = match unit {
        "" => 1.0,
        "m" => 0.001,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "Ki" => 1024.0,
        "Mi" => 1024.0 * 1024.0,
        "Gi" => 1024.0 * 1024.0 * 1024.0,
        "Ti" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    let bytes = number * factor;
    #[expect(clippy::cast_sign_loss, reason = "it was parsed without a sign")]
    (bytes < 1e18).then_some(bytes as u64)
}
