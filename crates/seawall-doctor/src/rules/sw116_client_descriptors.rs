//! The application has as many files open as it may.

use crate::evidence::{Heard, counted};
use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

const WORDS: Text = Text::client("oo many open files").shared();
const CODE: Text = Text::client("EMFILE").shared();

pub(super) const RULE: Rule = Rule {
    code: Code(116),
    title: "the application has as many files open as it may",
    explanation: "The client's process could not make a socket: its limit of open files (`ulimit -n`, 1024 by default) is reached. \
Mostly it leaks something: a client for each request that nobody closes, or files. A higher limit only delays a leak. The same \
words in the server's log are another matter.",
    messages: &["Too many open files", "EMFILE", "Error 24 connecting"],
    needs: &[Need::ClientLog, Need::Server],
    texts: &[WORDS, CODE],
    sources: &["errno(3)", "redis-py#1186"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let Some(heard) = Heard::of(facts, RULE.texts) else {
        return Vec::new();
    };
    vec![
        heard
            .finding(&RULE, Verdict::Cause, Confidence::Likely)
            .claims(format!(
                "{} no file descriptor for a connection. Likely: the process says so; what holds them, it does not.",
                counted(heard.lines.len(), "call had", "calls had")
            ))
            .fix("what holds them: ls -l /proc/PID/fd | awk '{print $NF}' | sed 's/[0-9]*//g' | sort | uniq -c | sort -rn | head; many sockets to the server: one client for the whole process, or close each", "", "")
            .fix("stop-gap: prlimit --pid PID --nofile=65536:65536", "a leak goes on until the server's maxclients is reached", "prlimit --pid PID --nofile=<old>")
            .checked_by("ls /proc/PID/fd | wc -l stays level for an hour of the same load"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{application, log, verdicts};

    #[test]
    fn the_applications_words_make_it_likely() {
        let told = "2026-11-23T02:58:11Z redis.exceptions.ConnectionError: Error 24 connecting to cache:6379. Too many open files.\n2026-11-23T02:58:12Z redis.exceptions.ConnectionError: Error 24 connecting to cache:6379. Too many open files.\n";
        let found = check(&application(told));
        assert!(found[0].claim.starts_with("2 calls"), "{}", found[0].claim);
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Likely)]);
    }

    #[test]
    fn what_another_library_could_not_open_is_not_redis() {
        let other = "2026-11-23T02:58:11Z OSError: [Errno 24] Too many open files: '/etc/hosts'\n2026-11-23T02:58:12Z Error 111 connecting to cache:6379. Connection refused.\n";
        assert_eq!(verdicts(check(&application(other))), []);
    }

    #[test]
    fn the_servers_own_lack_is_another_rules() {
        let line = "9:M 23 Nov 2026 02:58:11.042 # Accepting client connection: accept: Too many open files\n";
        assert_eq!(verdicts(check(&log(line))), []);
    }
}
