//! The server was told to stop, and could not save.

use crate::evidence::{Heard, counted};
use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

const UNSAVED: Text = Text::server("Error trying to save the DB, can't exit");
const REFUSED: Text = Text::server("Errors trying to shut down the server");

pub(super) const RULE: Rule = Rule {
    code: Code(424),
    title: "Redis was told to stop and does not, since it cannot save",
    explanation: "A server with save points saves before it ends; where that fails (a full disk, a directory that is gone or not its own) \
it goes on, so that nothing is lost. What supervises it then kills it when its patience is over, and everything since the last save \
is gone.",
    messages: &["ERR Errors trying to SHUTDOWN"],
    needs: &[Need::ServerLog],
    texts: &[UNSAVED, REFUSED],
    brings: &[Code(408), Code(422)],
    sources: &[
        "redis: server.c finishShutdown",
        "produced on redis-server 7.0.15",
    ],
    check,
};

fn check(facts: &Facts) -> Vec<Finding> {
    let Some(heard) = Heard::of(facts, RULE.texts) else {
        return Vec::new();
    };
    let times = heard
        .lines
        .iter()
        .filter(|fact| fact.what.text == REFUSED)
        .count()
        .max(1);
    vec![
        heard
            .finding(&RULE, Verdict::Risk, Confidence::Possible)
            .claims(format!("It refused to stop {}, since its last save would have failed: a kill now loses everything since the save before.", counted(times, "time", "times")))
            .fix("mend the save first: the lines before name the directory; df -h and ls -ld of it; then redis-cli BGSAVE, and rdb_last_bgsave_status:ok", "", "")
            .fix("a directory that can be written at once: redis-cli CONFIG SET dir /somewhere/else (before 7.0, or with enable-protected-configs)", "the next start looks for its data where `dir` of redis.conf says", "redis-cli CONFIG SET dir <old>")
            .fix("only if its data may be lost: redis-cli SHUTDOWN NOSAVE", "everything since the last save is lost", "")
            .checked_by("the log says `DB saved on disk` before its farewell"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, verdicts};

    #[test]
    fn a_stop_that_was_refused_is_a_risk_with_the_save_as_its_cure() {
        let found = check(&log(
            "17392:M 29 Nov 2026 00:44:42.059 # Error trying to save the DB, can't exit.\n17392:M 29 Nov 2026 00:44:42.059 # Errors trying to shut down the server. Check the logs for more information.\n",
        ));
        assert!(
            found[0].claim.contains("refused to stop 1 time,"),
            "{}",
            found[0].claim
        );
        assert!(found[0].fixes[0].action.contains("BGSAVE"));
        assert_eq!(verdicts(found), [(Verdict::Risk, Confidence::Possible)]);
    }

    #[test]
    fn a_stop_that_went_well_is_none() {
        assert_eq!(
            verdicts(check(&log(
                "9:M 23 Nov 2026 02:58:11.150 # Redis is now ready to exit, bye bye...\n"
            ))),
            []
        );
    }
}
