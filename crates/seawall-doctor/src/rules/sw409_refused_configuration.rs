//! The server does not start, since it cannot use its configuration.

use crate::evidence::Heard;
use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::startup::CONFIGURATION;

pub(super) const RULE: Rule = Rule {
    code: Code(409),
    title: "Redis does not start: it cannot use its configuration",
    explanation: "redis.conf, its ACL file, a module or the cluster's file that it names cannot be read, or says what this \
version does not know: mostly after an edit, an upgrade or a move to another host. A server that was changed by CONFIG SET alone \
goes on; the fault shows at its next start, at a bad time.",
    messages: &["Connection refused", "ECONNREFUSED", "Error 111 connecting"],
    needs: &[Need::ServerLog],
    brings: &[Code(101), Code(410)],
    texts: &CONFIGURATION,
    sources: &[
        "redis: config.c, acl.c, module.c, cluster.c",
        "produced on redis-server 7.0.15",
    ],
    check,
};

/// What is wrong, and how it is found out, for each text in turn.
const HELP: [(&str, &str); 7] = [
    (
        "a line of redis.conf",
        "the lines after FATAL CONFIG FILE ERROR name the line; redis-server /etc/redis/redis.conf --port 0 in a shell tells it again",
    ),
    (
        "redis.conf cannot be opened",
        "namei -l /etc/redis/redis.conf: its user must read it; look at the unit's ExecStart",
    ),
    (
        "its ACL file",
        "the line names file and line number; sudo -u redis head -c0 FILE for its permissions",
    ),
    (
        "a module",
        "the line before names the reason; ldd MODULE.so, chmod +x, and a build for this version",
    ),
    (
        "another process uses the same cluster-config-file",
        "give each node a file and a directory of its own: cluster-config-file nodes-PORT.conf",
    ),
    (
        "its directory",
        "namei -l DIR of `dir` in redis.conf: is it mounted, and the server's user's?",
    ),
    (
        "the kernel's copy-on-write is broken on this ARM64 kernel",
        "upgrade the kernel; ignore-warnings ARM64-COW-BUG only where nothing is saved",
    ),
];

fn check(facts: &Facts) -> Vec<Finding> {
    let Some(heard) = Heard::of(facts, &CONFIGURATION) else {
        return Vec::new();
    };
    let text = heard.last().what.text;
    let place = CONFIGURATION
        .iter()
        .position(|one| *one == text)
        .unwrap_or(0);
    let (what, how) = HELP[place];
    vec![
        heard
            .finding(&RULE, Verdict::Cause, Confidence::Proved)
            .struck(what)
            .claims(format!(
                "The server read its configuration and ended: {what}. Proved: its own words."
            ))
            .fix(how, "", "")
            .fix(
                "what was changed last? git log, or ls -lt /etc/redis; put that back",
                "",
                "the file as it is now: copy it first",
            )
            .checked_by("the log says Ready to accept connections"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, verdicts};

    #[test]
    fn a_file_of_acls_that_is_not_there_is_proof() {
        let found = check(&log(
            "9633:M 28 Nov 2026 23:43:05.417 # Aborting Redis startup because of ACL errors: Error loading ACLs, opening file '/etc/redis/users.acl': No such file or directory\n",
        ));
        assert!(
            found[0].claim.contains("its ACL file"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
    }

    #[test]
    fn what_a_container_writes_before_there_is_a_log_is_read() {
        let found = check(&log(
            "\n*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\nReading the configuration file, at line 5\n>>> 'requirepass \"hunter2\" x'\nBad directive or wrong number of arguments\n",
        ));
        assert!(!format!("{found:?}").contains("hunter2"));
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
    }

    #[test]
    fn a_module_that_does_not_load_is_named_as_such() {
        let found = check(&log(
            "9654:M 28 Nov 2026 23:43:05.442 # Can't load module from /tmp/nope.so: server aborting\n",
        ));
        assert!(found[0].whom().contains("a module"));
    }

    #[test]
    fn a_configuration_that_was_loaded_is_none() {
        assert_eq!(
            verdicts(check(&log(
                "9:C 23 Nov 2026 02:58:11.042 # Configuration loaded\n"
            ))),
            []
        );
    }
}
