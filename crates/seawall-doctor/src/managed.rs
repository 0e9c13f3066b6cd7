//! Services that run the server for others: how they are recognised, and where they tell what they do not let be asked.

use std::fmt;

use crate::facts::{Facts, Look};
use crate::rule::Need;

/// Who runs the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Service {
    /// Amazon's `ElastiCache`.
    ElastiCache,
    /// Amazon's `MemoryDB`.
    MemoryDb,
    /// Azure Cache for Redis, and Azure Managed Redis.
    Azure,
}

/// By the ends of hosts' names. Memorystore has addresses alone.
const NAMES: &[(&str, Service)] = &[
    (".cache.amazonaws.com", Service::ElastiCache),
    (".cache.amazonaws.com.cn", Service::ElastiCache),
    (".redis.cache.windows.net", Service::Azure),
    (".redis.cache.chinacloudapi.cn", Service::Azure),
    (".redis.cache.usgovcloudapi.net", Service::Azure),
    (".redis.azure.net", Service::Azure),
    (".redisenterprise.cache.azure.net", Service::Azure),
];

impl Service {
    /// Whose server that is, by its name or by what INFO calls its system.
    pub(crate) fn of(look: &Look) -> Option<Self> {
        match look.word("os") {
            Some(os) if os.contains("ElastiCache") => return Some(Self::ElastiCache),
            Some(os) if os.contains("MemoryDB") => return Some(Self::MemoryDb),
            _ => {}
        }
        Self::named(&look.source)
    }

    /// Whose server has that name: `host`, or `host:port`.
    pub(crate) fn named(host: &str) -> Option<Self> {
        let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        if host.contains(".memorydb.") && host.contains(".amazonaws.com") {
            return Some(Self::MemoryDb);
        }
        let known = NAMES.iter().find(|(end, _)| host.ends_with(end))?;
        Some(known.1)
    }

    /// Whose the servers are that were looked at, if one service runs all of them.
    pub(crate) fn of_all(facts: &Facts) -> Option<Self> {
        let mut services = facts.looks.iter().map(Self::of);
        let first = services.next()??;
        services.all(|other| other == Some(first)).then_some(first)
    }

    /// What permits a user that command there: none of them takes ACL SETUSER.
    pub(crate) fn permits(self, rules: &str) -> String {
        match self {
            Self::ElastiCache => format!(
                "aws elasticache modify-user --user-id USER --append-access-string \"{rules}\""
            ),
            Self::MemoryDb => format!(
                "aws memorydb update-user --user-name USER --access-string \"<what it has> {rules}\""
            ),
            Self::Azure => format!(
                "az redis access-policy update --resource-group GROUP --name CACHE --access-policy-name POLICY --permissions \"<what it has> {rules}\""
            ),
        }
    }

    /// How to get there what a source of that kind would have told: why it is not to be had otherwise, and the command.
    pub(crate) fn source(self, need: Need) -> Option<(&'static str, &'static str)> {
        const EVENTS: &str = "aws elasticache describe-events --duration 1440 > events.json, then: seawall doctor events.json";
        const OF_MEMORYDB: &str = "aws memorydb describe-events --duration 1440 > events.json, then: seawall doctor events.json";
        const ACTIVITY: &str = "az monitor activity-log list --resource-group GROUP --offset 1d > activity.json, then: seawall doctor activity.json";
        const NO_HOST: &str =
            "no managed service shows its hosts; what it did itself stands in its events";
        Some(match (self, need) {
            (Self::ElastiCache | Self::MemoryDb, Need::ServerLog) => (
                "the service delivers it (engine log) where that is switched on",
                "aws logs tail LOG-GROUP --since 1d --format short > engine.log, then: seawall doctor engine.log",
            ),
            (Self::Azure, Need::ServerLog) => (
                "the service does not show it; what it did stands in its activity log",
                ACTIVITY,
            ),
            (Self::ElastiCache, Need::Kernel | Need::Host) => (NO_HOST, EVENTS),
            (Self::MemoryDb, Need::Kernel | Need::Host) => (NO_HOST, OF_MEMORYDB),
            (Self::Azure, Need::Kernel | Need::Host) => (NO_HOST, ACTIVITY),
            _ => return None,
        })
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ElastiCache => "ElastiCache",
            Self::MemoryDb => "MemoryDB",
            Self::Azure => "Azure",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::pasted;

    #[test]
    fn a_service_is_known_by_its_names_and_by_its_info() {
        let of = |host: &str| Service::named(host).map(|service| service.to_string());
        let known = [
            (
                "shop.abc123.ng.0001.euw1.cache.amazonaws.com:6379",
                "ElastiCache",
            ),
            (
                "clustercfg.shop.abc123.memorydb.eu-west-1.amazonaws.com:6379",
                "MemoryDB",
            ),
            ("Shop.redis.cache.windows.net.:6380", "Azure"),
            ("shop.westeurope.redis.azure.net:10000", "Azure"),
        ];
        for (host, service) in known {
            assert_eq!(of(host).as_deref(), Some(service), "{host}");
        }
        assert_eq!(of("cache.internal:6379"), None);
        assert_eq!(of("evil-cache.amazonaws.com:6379"), None);
        // As INFO of ElastiCache 6.0 has it.
        let facts = pasted(
            "# Server\nredis_version:6.0.5\nredis_mode:cluster\nos:Amazon ElastiCache\nprocess_id:1\nrun_id:a\n",
        );
        assert_eq!(Service::of_all(&facts), Some(Service::ElastiCache));
        assert_eq!(
            Service::of_all(&pasted("# Server\nrun_id:a\nos:Linux\n")),
            None
        );
    }
}
