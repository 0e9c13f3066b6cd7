//! Somebody used the server to break into its host.

use crate::evidence::Heard;
use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Text};

const WRITES: [Text; 4] = [
    Text::server("(in server root dir /etc").keeping(Keeps::Nothing),
    Text::server("(in server root dir /var/spool/cron"),
    Text::server("(in server root dir /root"),
    Text::server("(in server root dir /home"),
];
const MODULES: [Text; 2] = [
    Text::server("Module 'system' loaded from "),
    Text::server("Module system failed to load"),
];

pub(super) const RULE: Rule = Rule {
    code: Code(909),
    title: "somebody used the server to break into its host",
    explanation: "An open server is found within hours. The attack sets `dir` to a directory of cron or SSH and saves the database \
there as a crontab or a key (`dump.rdb` named `root`, `authorized_keys`), or makes the server a replica of its own and loads a \
module from it (`system`, `red2.so`, `exp.so`). Keys `backup1` to `backup4` appear, and yours are gone (FLUSHALL). Take the host \
for lost: what ran on it may have read everything.",
    messages: &[
        "MISCONF Redis is configured to save RDB snapshots",
        "READONLY You can't write against a read only replica",
    ],
    needs: &[Need::ServerLog, Need::Server],
    brings: &[Code(701), Code(801)],
    texts: &[
        WRITES[0], WRITES[1], WRITES[2], WRITES[3], MODULES[0], MODULES[1],
    ],
    sources: &["redis#9060", "redis: rdb.c rdbSave"],
    check,
};

/// Where nobody keeps a database, and an attacker a crontab or a key.
fn is_a_trap(dir: &str) -> bool {
    dir.starts_with("/etc/cron") || dir.starts_with("/var/spool/cron") || dir.ends_with("/.ssh")
}

fn check(facts: &Facts) -> Vec<Finding> {
    let mut finding: Option<Finding> = None;
    // `/root` and `/home` may be somebody's own choice: a module or a crontab beside them is not.
    let modules = Heard::of(facts, &MODULES);
    let writes = Heard::of(facts, &WRITES[..2]);
    for heard in [&modules, &writes].into_iter().flatten() {
        let part = heard.finding(&RULE, Verdict::Cause, Confidence::Likely);
        finding = Some(match finding {
            None => part,
            Some(known) => part.supports.into_iter().fold(
                known.at(heard.first().at).at(heard.last().at),
                |known, one| known.supported(one.place, one.says),
            ),
        });
    }
    for look in &facts.looks {
        let Some(dir) = look.config.get("dir").filter(|dir| is_a_trap(dir)) else {
            continue;
        };
        let name = look.config.get("dbfilename").map_or("", String::as_str);
        let known = finding.take().unwrap_or_else(|| {
            Finding::new(RULE.code, RULE.title, Verdict::Cause, Confidence::Likely)
        });
        let mut known = known.struck(&*look.source).supported(
            look.place("CONFIG GET"),
            format!("dir {dir}, dbfilename {name}: no place for a database"),
        );
        known.confidence = if known.supports.len() > 1 {
            Confidence::Strong
        } else {
            Confidence::Likely
        };
        finding = Some(known);
    }
    let Some(finding) = finding else {
        return Vec::new();
    };
    vec![
        finding
            .claims("What is told of here is what attacks on open servers do: a database saved where cron or SSH reads, or a module that runs commands.")
            .fix("cut the host off from the network now, and keep its disk as evidence; do not clean it: build another one", "downtime", "")
            .fix("every secret that the host could read is to be changed: cloud credentials, SSH keys, what stood in Redis", "", "")
            .fix("on the new one: bind to private addresses, a firewall, an ACL without CONFIG, MODULE, SLAVEOF and DEBUG; enable-protected-configs no", "", "")
            .checked_by("nc -vz ADDRESS 6379 from outside does not connect"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Look, Reach};
    use crate::testing::{log, verdicts};

    #[test]
    fn a_database_that_was_to_be_a_crontab_is_told() {
        let line = "9:M 23 Nov 2026 02:58:11.042 # Failed opening the temp RDB file temp-9.rdb (in server root dir /etc/cron.d) for saving: Permission denied\n";
        assert_eq!(
            verdicts(check(&log(line))),
            [(Verdict::Cause, Confidence::Likely)]
        );
        let mut facts = log(line);
        let mut look = Look::new("cache:6379", None, Reach::Answered);
        look.config
            .insert("dir".to_owned(), "/var/spool/cron".to_owned());
        facts.looks.push(look);
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Strong)]
        );
    }

    #[test]
    fn the_module_of_the_attack_is_told_and_others_are_not() {
        let line = "9:M 23 Nov 2026 02:58:11.042 * Module 'system' loaded from ./red2.so\n";
        assert_eq!(
            verdicts(check(&log(line))),
            [(Verdict::Cause, Confidence::Likely)]
        );
        assert_eq!(verdicts(check(&log(&line.replace("system", "search")))), []);
    }

    #[test]
    fn an_ordinary_directory_that_is_full_is_none() {
        let line = "9:M 23 Nov 2026 02:58:11.042 # Failed opening the temp RDB file temp-9.rdb (in server root dir /var/lib/redis) for saving: No space left on device\n";
        assert_eq!(verdicts(check(&log(line))), []);
    }
}
