//! What providers tell of the servers that they run: `ElastiCache`'s and `MemoryDB`'s events, Azure's activity log, Google's
//! audit log.

use serde_json::{Map, Value};

use super::Found;
use super::entry::{name, text, time};
use crate::provider::{Act, Provider, ProviderEvent};

/// Whether it is such an event, about a server of Redis's or Valkey's kind.
pub(super) fn is(entry: &Map<String, Value>) -> bool {
    provider(entry).is_some()
}

fn provider(entry: &Map<String, Value>) -> Option<Provider> {
    if entry.contains_key("Message")
        && (entry.contains_key("SourceIdentifier") || entry.contains_key("SourceName"))
    {
        return Some(Provider::Aws);
    }
    let service = text(entry, "protoPayload/serviceName");
    if ["redis.googleapis.com", "memorystore.googleapis.com"].contains(&service) {
        return Some(Provider::Gcp);
    }
    let of_azure = |path| {
        text(entry, path)
            .to_ascii_lowercase()
            .contains("microsoft.cache/")
    };
    (of_azure("resourceId") || of_azure("operationName/value") || of_azure("operationName"))
        .then_some(Provider::Azure)
}

pub(super) fn take(entry: &Map<String, Value>, found: &mut Found) {
    let Some(provider) = provider(entry) else {
        return;
    };
    let (act, resource, at) = match provider {
        Provider::Aws => (
            of_aws(text(entry, "Message")),
            [text(entry, "SourceIdentifier"), text(entry, "SourceName")].concat(),
            time(entry, &["Date"]),
        ),
        Provider::Gcp => {
            let method = text(entry, "protoPayload/methodName");
            (
                of_gcp(method),
                last(text(entry, "protoPayload/resourceName")),
                time(entry, &["timestamp", "receiveTimestamp"]),
            )
        }
        Provider::Azure => {
            let operation = [
                text(entry, "operationName/value"),
                text(entry, "operationName"),
            ]
            .concat();
            (
                of_azure(&operation, entry),
                last(text(entry, "resourceId")),
                time(entry, &["eventTimestamp", "time", "submissionTimestamp"]),
            )
        }
    };
    let resource = name(&resource);
    if let Some(act) = act {
        found.provider(
            at,
            ProviderEvent {
                provider,
                resource,
                act,
            },
        );
    }
}

/// `projects/p/locations/l/instances/cache` -> `cache`.
fn last(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_owned()
}

/// What stands in the messages of `DescribeEvents`, and what it means: the first of which all stand there. From "Viewing
/// events", "Event notifications and Amazon SNS" and the page of `TestFailover`.
const OF_AWS: &[(&[&str], Act)] = &[
    (&["Test Failover API called"], Act::FailoverAsked),
    (&["Finished recovery"], Act::NodeRecovered),
    (&["NodeReplacementCompleted"], Act::NodeRecovered),
    (&["Recovering cache nodes"], Act::NodeLost),
    (&["Recovering node"], Act::NodeLost),
    (&["ailover", "completed"], Act::Failover),
    (&["FailoverComplete"], Act::Failover),
    (&["romoted"], Act::Failover),
    (&["restarted"], Act::Restarted),
    (&["Rebooted"], Act::Restarted),
    (&["NodeReplacement"], Act::MaintenanceBegan),
    (&["patch"], Act::MaintenanceBegan),
    (&["aintenance"], Act::MaintenanceBegan),
    (&["napshot"], Act::Snapshot),
    (&["arameter"], Act::Configured),
    (&["number of nodes"], Act::Scaled),
    (&["caling"], Act::Scaled),
    (&["CacheNodeComplete"], Act::Scaled),
    (&["eleted"], Act::Deleted),
];

fn of_aws(message: &str) -> Option<Act> {
    let known = OF_AWS
        .iter()
        .find(|(all, _)| all.iter().all(|words| message.contains(words)));
    known.map(|(_, act)| *act)
}

/// `google.cloud.redis.v1.CloudRedis.FailoverInstance`.
fn of_gcp(method: &str) -> Option<Act> {
    let called = method.rsplit('.').next().unwrap_or(method);
    Some(match called {
        "FailoverInstance" => Act::FailoverAsked,
        "UpgradeInstance"
        | "UpgradeCluster"
        | "RescheduleMaintenance"
        | "RescheduleClusterMaintenance" => Act::MaintenanceBegan,
        "UpdateInstance" | "UpdateCluster" => Act::Configured,
        "ExportInstance" | "BackupCluster" | "BackupInstance" | "ExportBackup" => Act::Snapshot,
        "DeleteInstance" | "DeleteCluster" => Act::Deleted,
        _ => return None,
    })
}

/// `Microsoft.Cache/redis/forceReboot/action`, and the states of its resource's health.
fn of_azure(operation: &str, entry: &Map<String, Value>) -> Option<Act> {
    let operation = operation.to_ascii_lowercase();
    if operation.contains("resourcehealth") {
        let now = [
            text(entry, "properties/currentHealthStatus"),
            text(entry, "properties/eventProperties/currentHealthStatus"),
        ]
        .concat();
        return match now.as_str() {
            "Available" => Some(Act::NodeRecovered),
            "Unavailable" | "Degraded" => Some(Act::NodeLost),
            _ => None,
        };
    }
    let known = OF_AZURE.iter().find(|(end, _)| operation.ends_with(end));
    known.map(|(_, act)| *act)
}

/// How operations end, and what they mean.
const OF_AZURE: &[(&str, Act)] = &[
    ("/forcereboot/action", Act::Restarted),
    ("/export/action", Act::Snapshot),
    ("/patchschedules/write", Act::Configured),
    ("/redis/write", Act::Configured),
    ("/redisenterprise/write", Act::Configured),
    ("/redis/delete", Act::Deleted),
    ("/redisenterprise/delete", Act::Deleted),
    ("/unlink/action", Act::Failover),
    ("/forceunlink/action", Act::Failover),
];
