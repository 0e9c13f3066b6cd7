//! The server could not listen.

use crate::evidence::Heard;
use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::startup;
use crate::text::{Keeps, Text};

const NOT_BOUND: Text =
    Text::server("Could not create server TCP listening socket ").keeping(Keeps::Rest);
const GAVE_UP: Text = startup::LISTENING[0];

pub(super) const RULE: Rule = Rule {
    code: Code(110),
    title: "Redis could not listen, and did not start",
    explanation: "Another process has the port (`Address already in use`: mostly an older server that still ends, or a second \
unit for the same one), or no interface has the address of `bind` (`Cannot assign requested address`: the interface comes up \
later than the server, or the address moved). Clients are refused, or talk to the other process without knowing it.",
    messages: &["Connection refused", "ECONNREFUSED"],
    needs: &[Need::ServerLog],
    brings: &[Code(101), Code(410)],
    texts: &[NOT_BOUND, GAVE_UP],
    sources: &[
        "redis: server.c listenToPort",
        "produced on redis-server 7.0.15",
    ],
    check,
};

fn check(facts: &Facts) -> Vec<Finding> {
    // One address of several that cannot be bound is only a warning.
    let Some(gave_up) = Heard::of(facts, &[GAVE_UP]) else {
        return Vec::new();
    };
    let pids = gave_up.processes();
    let of_it = Heard::of(facts, &[NOT_BOUND, GAVE_UP])
        .and_then(|heard| heard.only(|said| said.pid.is_some_and(|pid| pids.contains(&pid))));
    let port = &gave_up.last().what.rest;
    let heard = of_it.unwrap_or(gave_up);
    let taken = heard
        .lines
        .iter()
        .any(|fact| fact.what.rest.contains("in use"));
    let (why, fix) = if taken {
        (
            "another process has it",
            "ss -ltnp 'sport = :PORT' names the process: an older server that still ends, or a second unit; stop the wrong one, then systemctl start redis-server",
        )
    } else {
        (
            "its address cannot be bound",
            "compare `bind` of redis.conf with ip -br address; After=network-online.target in the unit, or `bind -10.0.0.2` (the minus: an address that may be missing)",
        )
    };
    vec![
        heard
            .finding(&RULE, Verdict::Cause, Confidence::Proved)
            .struck(format!("port {port}"))
            .claims(format!("Redis could not listen on port {port}, since {why}, and ended. Proved: its own log says so."))
            .fix(fix.replace("PORT", port), "stopping the wrong one of two loses what it holds and does not save", "")
            .checked_by("redis-cli -p PORT INFO server: process_id and run_id are of the server that is meant"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, verdicts};

    const TAKEN: &str = "9275:M 28 Nov 2026 23:43:02.693 # Warning: Could not create server TCP listening socket *:26411: bind: Address already in use\n\
9275:M 28 Nov 2026 23:43:02.693 # Failed listening on port 26411 (TCP), aborting.\n";

    #[test]
    fn a_port_that_another_has_is_proof_and_its_fix_names_it() {
        let found = check(&log(TAKEN));
        assert!(
            found[0]
                .claim
                .contains("port 26411, since another process has it"),
            "{}",
            found[0].claim
        );
        assert!(found[0].fixes[0].action.contains(":26411"));
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
    }

    #[test]
    fn an_address_that_nobody_has_is_told_apart() {
        let found = check(&log(
            &TAKEN.replace("Address already in use", "Cannot assign requested address")
        ));
        assert!(
            found[0].claim.contains("cannot be bound"),
            "{}",
            found[0].claim
        );
    }

    #[test]
    fn a_warning_about_one_of_several_addresses_is_no_end() {
        let warning = TAKEN.lines().next().expect("two lines");
        assert_eq!(verdicts(check(&log(&format!("{warning}\n")))), []);
    }
}
