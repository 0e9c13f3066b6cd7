//! A script runs longer than its limit, and everybody is told BUSY.

use crate::commands::{self, Kind, OUTRAN, host};
use crate::evidence::counted;
use crate::facts::{Facts, Reach};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::stall;
use crate::text::Text;

const BUSY: Text = Text::client("is busy running a script");
const UNKILLABLE: Text = Text::client("UNKILLABLE ");

pub(super) const RULE: Rule = Rule {
    code: Code(603),
    title: "a script ran too long, and Redis answered BUSY",
    explanation: "While a script or a function runs, nothing else does. After `busy-reply-threshold` (5 s; `lua-time-limit` \
before 7.0) the server answers everybody BUSY until it ends, or until SCRIPT KILL. A script that has written already cannot be \
killed (UNKILLABLE): only SHUTDOWN NOSAVE ends it, and with it everything since the last save. BUSYKEY and BUSYGROUP are other \
things.",
    messages: &[
        "BUSY Redis is busy running a script",
        "is busy running a script",
        "UNKILLABLE Sorry the script already executed write commands",
        "Timeout reading from",
    ],
    needs: &[Need::ServerLog, Need::ClientLog, Need::Server],
    brings: stall::BRINGS,
    texts: &[OUTRAN[0], OUTRAN[1], BUSY, UNKILLABLE],
    sources: &["redis: script.c, scriptInterrupt"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let ran: Vec<_> = OUTRAN.iter().flat_map(|text| facts.said(text)).collect();
    let told: Vec<_> = facts.said(&BUSY).collect();
    let now = facts
        .looks
        .iter()
        .find(|look| look.reach == Reach::TurnedAway("BUSY".to_owned()));
    let confidence = match (ran.is_empty(), told.is_empty(), now) {
        (true, true, None) => return Vec::new(),
        (false, ..) | (.., Some(_)) => Confidence::Proved,
        _ => Confidence::Likely,
    };
    let mut finding = Finding::new(RULE.code, RULE.title, Verdict::Cause, confidence);
    if let Some(look) = now {
        finding = finding
            .at(look.at)
            .supported(look.place("PING"), "it answers BUSY now");
    }
    for fact in &ran {
        let says = format!(
            "a script was still running after {} ms",
            fact.what.number().unwrap_or(0)
        );
        finding = finding.at(fact.at).supported(fact.place.clone(), says);
    }
    finding = finding.at_each(told.iter().map(|fact| fact.at));
    if let Some(first) = told.first() {
        let says = format!(
            "{} answered BUSY",
            counted(told.len(), "call was", "calls were")
        );
        finding = finding.supported(first.place.clone(), says);
    }
    for (slow, stall) in facts
        .looks
        .iter()
        .flat_map(|look| commands::slow(look, Kind::Script))
    {
        finding = finding
            .struck(format!("sent from {}", host(&slow.addr)))
            .supported(stall.place, stall.says);
    }
    if let Some(fact) = facts.said(&UNKILLABLE).next() {
        finding = finding.supported(
            fact.place.clone(),
            "it has written already: SCRIPT KILL was refused",
        );
    }
    let longest = ran.iter().filter_map(|fact| fact.what.number()).max();
    let long = longest.map_or("its limit".to_owned(), |millis| format!("{millis} ms"));
    vec![
        finding
            .claims(format!(
                "A script ran for more than {long}; nothing else runs meanwhile, and everybody was answered BUSY."
            ))
            .fix(
                "redis-cli SCRIPT KILL (of a function: redis-cli FUNCTION KILL)",
                "its caller gets an error; it is refused (UNKILLABLE) once the script has written: then wait",
                "",
            )
            .fix(
                "split the script's loop: so many keys a call, none that grows with the data",
                "",
                "",
            )
            .checked_by("the log has no further `Slow script detected`, and SLOWLOG no EVAL, EVALSHA or FCALL of seconds"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Look;
    use crate::testing::{application, log, verdicts};

    /// Of redis-server 7.0.15.
    const RAN: &str = "9:M 23 Nov 2026 02:58:11.042 # Slow script detected: still in execution after 5000 milliseconds. You can try \
killing the script using the SCRIPT KILL command. Script name is: 1b936e3fe509bcbc9cd0664897bbe8fd0cac101b.\n";
    const TOLD: &str = "2026-11-23T02:58:12Z redis.exceptions.ResponseError: BUSY Redis is busy running a script. You can only call \
SCRIPT KILL or SHUTDOWN NOSAVE.\n";

    #[test]
    fn the_servers_own_line_is_proof_and_its_clients_alone_make_it_likely() {
        let found = check(&log(RAN));
        assert!(found[0].claim.contains("5000 ms"), "{}", found[0].claim);
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Proved)]);
        assert_eq!(
            verdicts(check(&application(TOLD))),
            [(Verdict::Cause, Confidence::Likely)]
        );
        let old = RAN.replace("Slow script", "Lua slow script");
        assert_eq!(check(&log(&old)).len(), 1);
    }

    #[test]
    fn a_server_that_answers_busy_now_proves_it() {
        let mut facts = Facts::default();
        let busy = Reach::TurnedAway("BUSY".to_owned());
        facts.looks.push(Look::new("cache:6379", None, busy));
        assert_eq!(
            verdicts(check(&facts)),
            [(Verdict::Cause, Confidence::Proved)]
        );
    }

    #[test]
    fn other_errors_that_begin_alike_are_none() {
        let other = "2026-11-23T02:58:12Z redis.exceptions.ResponseError: BUSYGROUP Consumer Group name already exists\n\
2026-11-23T02:58:13Z redis.exceptions.ConnectionError: Connection closed by server.\n";
        assert_eq!(verdicts(check(&application(other))), []);
    }
}
