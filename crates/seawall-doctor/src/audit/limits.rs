//! How many clients, how much for each, and how many may wait.

use super::{ASK, Audited, Check, HOST, Remark, Severity, config, info, of_looks};
use crate::facts::{Look, bytes};

pub(super) const MAXCLIENTS: Check = Check {
    name: "maxclients",
    look: |audited| of_looks(audited, maxclients),
    wants: ASK,
};

fn maxclients(look: &Look) -> Option<Vec<Remark>> {
    let room = look
        .number("maxclients")
        .or_else(|| look.setting("maxclients"))?;
    let connected = look.number("connected_clients")?;
    let percent = connected.saturating_mul(100) / room.max(1);
    let severity = match percent {
        ..60 => return Some(Vec::new()),
        60..80 => Severity::Warn,
        _ => Severity::Critical,
    };
    Some(vec![MAXCLIENTS.says(
        severity,
        info(look),
        format!("{connected} of {room} connections are in use: a deploy, or one host that leaks, takes the rest"),
        "look who holds them: CLIENT LIST by addr and name; then maxclients, with LimitNOFILE 32 above it",
    )])
}

pub(super) const OUTPUT_BUFFERS: Check = Check {
    name: "output-buffers",
    look: |audited| of_looks(audited, output_buffers),
    wants: ASK,
};

fn output_buffers(look: &Look) -> Option<Vec<Remark>> {
    let limits = look.config.get("client-output-buffer-limit")?;
    let words: Vec<_> = limits.split_whitespace().collect();
    let hard = |class: &str| {
        let four = words.chunks(4).find(|four| four[0] == class)?;
        four.get(1)?.parse::<u64>().ok()
    };
    let mut remarks = Vec::new();
    if hard("pubsub") == Some(0) {
        remarks.push(OUTPUT_BUFFERS.says(
            Severity::Critical,
            config(look),
            "subscribers have no limit: one that does not read takes all memory",
            "CONFIG SET client-output-buffer-limit 'pubsub 32mb 8mb 60'",
        ));
    }
    // `normal 0 0 0` is the default. It is bounded by maxmemory-clients, since 7.0.
    let bounded = look
        .config
        .get("maxmemory-clients")
        .is_some_and(|limit| limit != "0");
    if hard("normal") == Some(0) && !bounded {
        remarks.push(OUTPUT_BUFFERS.says(
            Severity::Info,
            config(look),
            "ordinary clients have no limit (the default): one that asks for much and does not read takes memory from data",
            "CONFIG SET maxmemory-clients 5%, since 7.0",
        ));
    }
    Some(remarks)
}

pub(super) const BACKLOG: Check = Check {
    name: "backlog",
    look: backlog,
    wants: HOST,
};

fn backlog(audited: &Audited) -> Option<Vec<Remark>> {
    let most = audited.host.as_ref()?.somaxconn?;
    of_looks(audited, |look| {
        let wanted = look.setting("tcp-backlog")?;
        let kept = wanted.min(most);
        if most < wanted {
            return Some(vec![BACKLOG.says(
                Severity::Warn,
                "/proc/sys/net/core/somaxconn",
                format!("tcp-backlog is {wanted}, and the kernel lets {most} new connections wait: when all clients reconnect at once, some wait for seconds"),
                format!("sysctl -w net.core.somaxconn={} (and in /etc/sysctl.d), then restart the server", wanted.max(4_096)),
            )]);
        }
        Some(if kept < 511 {
            vec![BACKLOG.says(
                Severity::Info,
                config(look),
                format!("{kept} new connections may wait to be accepted"),
                "tcp-backlog 511 or more in redis.conf (restart)",
            )]
        } else {
            Vec::new()
        })
    })
}

pub(super) const FILES: Check = Check {
    name: "open-files",
    look: files,
    wants: HOST,
};

/// Redis keeps so many descriptors for itself.
const OWN_FILES: u64 = 32;

fn files(audited: &Audited) -> Option<Vec<Remark>> {
    let host = audited.host.as_ref()?;
    let may = host.open_files?;
    of_looks(audited, |look| {
        let room = look
            .number("maxclients")
            .or_else(|| look.setting("maxclients"))?;
        Some(if may < room + OWN_FILES {
            vec![FILES.says(
                Severity::Critical,
                "/proc/PID/limits",
                format!("the server may open {may} files, and maxclients is {room}: it will fail to accept before it is full"),
                format!("LimitNOFILE={} in its unit (systemctl edit redis-server), restart", (room + OWN_FILES).max(65_536)),
            )]
        } else {
            Vec::new()
        })
    })
}

/// For a claim.
pub(super) fn of_bytes(used: u64, limit: u64) -> String {
    format!("{} of {}", bytes(used), bytes(limit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Host;
    use crate::testing::pasted;

    fn severities(remarks: Option<Vec<Remark>>) -> Option<Vec<Severity>> {
        Some(remarks?.into_iter().map(|remark| remark.severity).collect())
    }

    fn audited(text: &str, host: Host) -> Audited {
        Audited {
            facts: pasted(&format!("# Server\nuptime_in_seconds:90\n{text}")),
            host: Some(host),
            ..Audited::default()
        }
    }

    #[test]
    fn connections_in_use_are_graded() {
        for (connected, wanted) in [
            (10, vec![]),
            (70, vec![Severity::Warn]),
            (95, vec![Severity::Critical]),
        ] {
            let told = format!("connected_clients:{connected}\nmaxclients:100\n");
            let told = audited(&told, Host::default());
            assert_eq!(
                severities((MAXCLIENTS.look)(&told)),
                Some(wanted),
                "{connected}"
            );
        }
        assert_eq!((MAXCLIENTS.look)(&audited("", Host::default())), None);
    }

    #[test]
    fn subscribers_without_a_limit_are_critical_and_the_default_is_worth_knowing() {
        let limits = |words: &str| {
            let text = format!("1) \"client-output-buffer-limit\"\n2) \"{words}\"\n");
            severities((OUTPUT_BUFFERS.look)(&audited(&text, Host::default())))
        };
        let open = "normal 0 0 0 slave 268435456 67108864 60 pubsub 0 0 0";
        assert_eq!(limits(open), Some(vec![Severity::Critical, Severity::Info]));
        let closed = "normal 1000000 0 0 slave 0 0 0 pubsub 33554432 8388608 60";
        assert_eq!(limits(closed), Some(vec![]));
    }

    #[test]
    fn the_hosts_limits_are_held_against_the_servers() {
        let host = Host {
            somaxconn: Some(128),
            open_files: Some(1_024),
            ..Host::default()
        };
        let told = audited("maxclients:10000\n1) \"tcp-backlog\"\n2) \"511\"\n", host);
        assert_eq!(
            severities((BACKLOG.look)(&told)),
            Some(vec![Severity::Warn])
        );
        assert_eq!(
            severities((FILES.look)(&told)),
            Some(vec![Severity::Critical])
        );
        let elsewhere = Audited::default();
        assert_eq!((BACKLOG.look)(&elsewhere), None);
    }
}
