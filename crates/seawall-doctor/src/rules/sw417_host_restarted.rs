//! The server's host was started anew.

use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::lives::Life;
use crate::rule::{Code, Need, Rule};
use crate::text::{Keeps, Text};

const BOOT: Text = Text::kernel("Linux version ").keeping(Keeps::Word);

pub(super) const RULE: Rule = Rule {
    code: Code(417),
    title: "the server's host was started anew",
    explanation: "A reboot, a power cut, or a provider that moved the machine: the server's log stops without a farewell (or with one, \
if the reboot was in order), the kernel's begins anew, and then the server starts. `journalctl --list-boots` and `last -x reboot \
shutdown` tell whether somebody asked for it.",
    messages: &[
        "Connection closed by server",
        "Connection reset by peer",
        "No route to host",
        "Connection refused",
        "Timeout connecting to server",
    ],
    needs: &[Need::Kernel, Need::ServerLog],
    brings: &[
        Code(101),
        Code(102),
        Code(115),
        Code(206),
        Code(401),
        Code(406),
        Code(408),
    ],
    texts: &[BOOT],
    sources: &["linux: init/main.c"],
    check,
};

fn check(facts: &Facts) -> Vec<Finding> {
    let boots: Vec<_> = facts.said(&BOOT).collect();
    let mut found = Vec::new();
    for (last, start) in facts.lives().iter().flat_map(Life::sudden_ends) {
        let between = boots
            .iter()
            .find(|boot| last.at <= boot.at && boot.at <= start.at && boot.at.is_some());
        if let Some(boot) = between {
            found.push(
                Finding::new(RULE.code, RULE.title, Verdict::Cause, Confidence::Strong)
                    .at(last.at.max(boot.at.map(|at| at.plus_seconds(-600))))
                    .at(start.at)
                    .struck("the host")
                    .claims("The server's log stops, the host's kernel begins anew, and then the server starts: the host went down, and the server with it.")
                    .supported(last.place.clone(), "the last line of the server's before it that means something")
                    .supported(boot.place.clone(), format!("the kernel begins: Linux {}", boot.what.rest))
                    .supported(start.place.clone(), "the server starts")
                    .fix("who asked for it? last -x reboot shutdown | head; journalctl -b -1 -n 50 (the end of the life before); the provider's events", "", "")
                    .fix("a replica on another host, and Sentinel or a cluster, so that one host's end is a failover", "", "")
                    .checked_by("uptime -s stays, and uptime_in_seconds of INFO grows"),
            );
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{kernel, log, verdicts};

    const LIVES: &str = "9:M 23 Nov 2026 02:00:11.142 * Ready to accept connections\n\
7:C 23 Nov 2026 02:58:31.042 # oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo\n";

    fn boot(time: &str) -> Facts {
        kernel(&format!(
            "2026-11-23T{time}+0000 host kernel: Linux version 6.1.0-18-amd64 (debian-kernel@lists.debian.org)\n"
        ))
    }

    #[test]
    fn a_boot_between_the_last_line_and_the_next_start_is_its_reason() {
        let mut facts = log(LIVES);
        facts.add(boot("02:58:02"));
        let found = check(&facts);
        assert!(
            found[0].supports[1].says.contains("6.1.0-18"),
            "{:?}",
            found[0].supports
        );
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
    }

    #[test]
    fn a_boot_of_another_time_and_a_sudden_end_without_one_are_none() {
        let mut facts = log(LIVES);
        assert_eq!(verdicts(check(&facts)), []);
        facts.add(boot("01:00:02"));
        assert_eq!(verdicts(check(&facts)), []);
    }
}
