//! A transaction of thousands of commands runs as one.

use crate::commands::{self, Kind, host};
use crate::facts::{Facts, times};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::stall;

/// So many commands in one MULTI are more than one wants to wait for.
const QUEUED: u64 = 1_000;

pub(super) const RULE: Rule = Rule {
    code: Code(604),
    title: "a transaction of many commands ran as one",
    explanation: "EXEC runs all that was queued since MULTI before anything else runs. SLOWLOG then shows EXEC; `multi` of CLIENT \
LIST how much a client has queued. redis-py's pipeline is a transaction unless it says `transaction=False`.",
    messages: &["Timeout reading from socket", "Timeout reading from"],
    needs: &[Need::Server, Need::ClientLog],
    brings: stall::BRINGS,
    sources: &["redis: multi.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let ran: Vec<_> = facts
        .looks
        .iter()
        .flat_map(|look| commands::slow(look, Kind::Transaction))
        .collect();
    let stalls: Vec<_> = ran.iter().map(|(_, stall)| stall.clone()).collect();
    let mut found = Vec::new();
    if let Some(mut finding) = stall::finding(facts, &RULE, &stalls) {
        for (slow, _) in &ran {
            finding = finding.struck(format!("sent from {}", host(&slow.addr)));
        }
        found.push(advised(finding.claims(format!(
            "EXEC took 0.1 s or more {}, {} at the longest; nothing else ran meanwhile.",
            times(ran.len()),
            stall::longest(&stalls)
        ))));
    }
    for look in &facts.looks {
        let queued = look.clients.iter().filter(|peer| peer.queued > QUEUED);
        for peer in queued {
            let says = format!("{} has {} commands queued", peer.label(), peer.queued);
            let risk = Finding::new(RULE.code, RULE.title, Verdict::Risk, Confidence::Possible);
            found.push(advised(
                risk.struck(peer.label())
                    .supported(look.place("CLIENT LIST"), says.as_str())
                    .claims(format!("{says}: EXEC will run them as one.")),
            ));
        }
    }
    found
}

fn advised(finding: Finding) -> Finding {
    finding
        .fix(
            "transactions of no more than 1,000 commands; pipelines that need none without it (redis-py: pipeline(transaction=False))",
            "what is in two transactions is not done as one",
            "",
        )
        .checked_by("redis-cli SLOWLOG RESET, then SLOWLOG GET after an hour: no EXEC")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{pasted, slowlog, timeout, together, verdicts};

    /// Of redis-server 7.0.15.
    fn client(queued: u64) -> Facts {
        pasted(&format!(
            "id=7 addr=10.0.0.7:51234 laddr=10.0.0.2:6379 fd=8 name=jobs age=3 idle=0 flags=x db=0 sub=0 psub=0 ssub=0 multi={queued} qbuf=0 \
qbuf-free=20474 argv-mem=0 multi-mem=61044 rbs=16384 rbp=16384 obl=0 oll=0 omem=0 tot-mem=82296 events=r cmd=set user=default redir=-1 resp=2\n"
        ))
    }

    #[test]
    fn a_timeout_beside_it_makes_it_the_cause() {
        let found = check(&together([slowlog("exec", 3_000), timeout("02:58:11")]));
        assert!(found[0].claim.contains("3000 ms"), "{}", found[0].claim);
        assert_eq!(verdicts(found), [(Verdict::Cause, Confidence::Strong)]);
    }

    #[test]
    fn one_that_is_being_queued_is_a_risk_and_an_ordinary_one_is_none() {
        let found = check(&client(4_000));
        assert!(
            found[0].claim.contains("4000 commands"),
            "{}",
            found[0].claim
        );
        assert_eq!(verdicts(found), [(Verdict::Risk, Confidence::Possible)]);
        assert_eq!(verdicts(check(&client(20))), []);
        assert_eq!(verdicts(check(&slowlog("exec", 20))), []);
        assert_eq!(verdicts(check(&timeout("02:58:11"))), []);
    }
}
