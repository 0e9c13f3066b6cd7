//! What is left after a restart.

use super::{ASK, Check, Remark, Severity, config, info, of_looks};
use crate::facts::Look;

pub(super) const PERSISTENCE: Check = Check {
    name: "persistence",
    look: |audited| of_looks(audited, persistence),
    wants: ASK,
};

fn persistence(look: &Look) -> Option<Vec<Remark>> {
    let appends = look
        .config
        .get("appendonly")
        .map(|word| word == "yes")
        .or_else(|| look.number("aof_enabled").map(|on| on == 1))?;
    let saves = look.config.get("save").map(|points| !points.is_empty());
    let mut remarks = Vec::new();
    let primary = look.word("role") != Some("slave");
    let replicas = look.number("connected_slaves").unwrap_or(0);
    if !appends && saves == Some(false) {
        if primary && replicas > 0 {
            remarks.push(PERSISTENCE.says(
                Severity::Critical,
                config(look),
                "the primary keeps nothing on disk and has replicas: if it restarts by itself it is empty, and empties them",
                "appendonly yes on the primary, or no automatic restart of it",
            ));
        } else {
            remarks.push(PERSISTENCE.says(
                Severity::Info,
                config(look),
                "nothing is kept on disk: after a restart the data are gone; right for a cache, not for a queue",
                "CONFIG SET appendonly yes, and in redis.conf",
            ));
        }
    }
    let failed = |field: &str| look.word(field).is_some_and(|status| status != "ok");
    for (field, what) in [
        ("rdb_last_bgsave_status", "the last snapshot"),
        (
            "aof_last_write_status",
            "the last write of the append-only file",
        ),
        (
            "aof_last_bgrewrite_status",
            "the last rewrite of the append-only file",
        ),
    ] {
        if failed(field) {
            remarks.push(PERSISTENCE.says(
                Severity::Critical,
                info(look),
                format!("{what} failed: writes are refused (MISCONF), or lost at the next restart"),
                "look for why in the server's log; is there room, and may it write?",
            ));
        }
    }
    if appends
        && look
            .config
            .get("appendfsync")
            .is_some_and(|word| word == "always")
    {
        remarks.push(PERSISTENCE.says(
            Severity::Warn,
            config(look),
            "appendfsync always: each write waits for the disk, and with it everybody",
            "CONFIG SET appendfsync everysec, unless no second of writes may be lost",
        ));
    }
    Some(remarks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Audited;
    use crate::testing::pasted;

    fn severities(text: &str) -> Option<Vec<Severity>> {
        let audited = Audited {
            facts: pasted(&format!(
                "# Server\nuptime_in_seconds:90\nrole:master\n{text}"
            )),
            ..Audited::default()
        };
        let remarks = (PERSISTENCE.look)(&audited)?;
        Some(remarks.into_iter().map(|remark| remark.severity).collect())
    }

    #[test]
    fn a_primary_with_replicas_and_without_a_disk_is_critical() {
        let nothing = "1) \"save\"\n2) \"\"\n1) \"appendonly\"\n2) \"no\"\n";
        assert_eq!(severities(nothing), Some(vec![Severity::Info]));
        let replicas = format!("connected_slaves:2\n{nothing}");
        assert_eq!(severities(&replicas), Some(vec![Severity::Critical]));
    }

    #[test]
    fn what_failed_is_critical_and_what_is_well_is_silent() {
        assert_eq!(
            severities("aof_enabled:1\nrdb_last_bgsave_status:ok\n"),
            Some(vec![])
        );
        assert_eq!(
            severities("aof_enabled:1\nrdb_last_bgsave_status:err\n"),
            Some(vec![Severity::Critical])
        );
        assert_eq!(severities(""), None);
    }
}
