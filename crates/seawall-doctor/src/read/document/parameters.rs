//! Settings as services tell them, who let nobody ask CONFIG GET: a parameter group of AWS's, `az redis show`, `gcloud redis
//! instances describe`.

use serde_json::{Map, Value};

use crate::facts::Look;
use crate::settings::kept;

/// Whether it is one parameter of a group, or a server with its settings.
pub(super) fn is(entry: &Map<String, Value>) -> bool {
    parameter(entry).is_some() || settings(entry).is_some()
}

/// Of `ElastiCache` (`ParameterName`), and of `MemoryDB` (`Name`, with what a parameter alone has).
fn parameter(entry: &Map<String, Value>) -> Option<(&str, &str)> {
    let of =
        |name: &str, value: &str| Some((entry.get(name)?.as_str()?, entry.get(value)?.as_str()?));
    of("ParameterName", "ParameterValue")
        .or_else(|| of("Name", "Value").filter(|_| entry.contains_key("AllowedValues")))
}

/// Of Azure, and of Memorystore.
fn settings(entry: &Map<String, Value>) -> Option<&Map<String, Value>> {
    let all = entry
        .get("redisConfiguration")
        .or_else(|| entry.get("redisConfigs"))?;
    all.as_object()
}

/// Keeps what rules read, and nothing else: no connection string, no key.
pub(super) fn take(entry: &Map<String, Value>, look: &mut Look) {
    if let Some((name, value)) = parameter(entry) {
        one(look, name, value);
    }
    for (name, value) in settings(entry).into_iter().flatten() {
        if let Some(value) = value.as_str() {
            one(look, name, value);
        }
    }
}

fn one(look: &mut Look, name: &str, value: &str) {
    if let Some(name) = kept(name) {
        look.config.insert(name.to_owned(), value.to_owned());
        return;
    }
    // `client-output-buffer-limit-pubsub-hard-limit`, in bytes: AWS takes the three numbers of a class apart.
    let Some((class, part)) = name
        .strip_prefix("client-output-buffer-limit-")
        .and_then(|rest| rest.split_once('-'))
    else {
        return;
    };
    let place = ["hard-limit", "soft-limit", "soft-seconds"]
        .iter()
        .position(|known| *known == part);
    let (Some(place), Ok(_)) = (place, value.parse::<u64>()) else {
        return;
    };
    let class = if class == "replica" { "slave" } else { class };
    let limits = look
        .config
        .entry("client-output-buffer-limit".to_owned())
        .or_default();
    let mut words: Vec<_> = limits
        .split(' ')
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    let at = words
        .chunks(4)
        .position(|four| four[0] == class)
        .unwrap_or_else(|| {
            words.extend([class, "0", "0", "0"].map(str::to_owned));
            words.len() / 4 - 1
        });
    value.clone_into(&mut words[at * 4 + 1 + place]);
    *limits = words.join(" ");
}

#[cfg(test)]
mod tests {
    use crate::facts::Facts;
    use crate::testing::{document, pasted, together};

    /// As `aws elasticache describe-cache-parameters` writes it, without most of it.
    const AWS: &str = r#"{
    "Parameters": [
        {"ParameterName": "client-output-buffer-limit-normal-hard-limit", "ParameterValue": "0", "Description": "..", "Source": "system",
         "DataType": "integer", "AllowedValues": "0-", "IsModifiable": true, "MinimumEngineVersion": "6.0.0", "ChangeType": "immediate"},
        {"ParameterName": "client-output-buffer-limit-pubsub-hard-limit", "ParameterValue": "33554432", "AllowedValues": "0-"},
        {"ParameterName": "client-output-buffer-limit-pubsub-soft-limit", "ParameterValue": "8388608", "AllowedValues": "0-"},
        {"ParameterName": "client-output-buffer-limit-pubsub-soft-seconds", "ParameterValue": "60", "AllowedValues": "0-"},
        {"ParameterName": "timeout", "ParameterValue": "300", "AllowedValues": "0,20-"},
        {"ParameterName": "tcp-keepalive", "ParameterValue": "300", "AllowedValues": "0-"},
        {"ParameterName": "some-secret", "ParameterValue": "planted-4711"}
    ]
}
"#;

    fn config(facts: &Facts) -> Vec<(&str, &str)> {
        let pairs = facts.looks[0].config.iter();
        pairs
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    }

    #[test]
    fn a_parameter_group_is_what_config_get_would_have_told() {
        let facts = document(AWS);
        assert_eq!(
            config(&facts),
            [
                (
                    "client-output-buffer-limit",
                    "normal 0 0 0 pubsub 33554432 8388608 60"
                ),
                ("tcp-keepalive", "300"),
                ("timeout", "300"),
            ]
        );
        let compact = AWS.replace('\n', "");
        assert_eq!(config(&document(&compact)), config(&facts));
        let both = together([pasted("# Server\nrun_id:a\nredis_version:7.1.0\n"), facts]);
        assert_eq!(both.looks.len(), 1);
        assert_eq!(both.looks[0].setting("timeout"), Some(300));
    }

    #[test]
    fn azure_and_google_tell_the_settings_of_one_server() {
        let azure = r#"{
  "hostName": "shop.redis.cache.windows.net",
  "name": "shop",
  "redisConfiguration": {
    "aof-storage-connection-string-0": "AccountKey=planted-4711",
    "maxclients": "1000",
    "maxmemory-policy": "volatile-lru",
    "preferred-data-persistence-auth-method": null
  },
  "accessKeys": null
}
"#;
        let facts = document(azure);
        assert_eq!(
            config(&facts),
            [("maxclients", "1000"), ("maxmemory-policy", "volatile-lru")]
        );
        let google = r#"{
  "host": "10.0.0.3",
  "name": "projects/p/locations/l/instances/shop",
  "redisConfigs": {"maxmemory-policy": "allkeys-lru", "timeout": "600", "requirepass": "planted-4711"}
}
"#;
        let google = document(google);
        assert_eq!(
            config(&google),
            [("maxmemory-policy", "allkeys-lru"), ("timeout", "600")]
        );
        assert!(!format!("{facts:?}{google:?}").contains("planted"));
    }
}
