//! Somebody swapped two databases, or emptied and read them anew.

use crate::evidence::counted;
use crate::facts::Facts;
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::text::Text;

const RELOADED: Text = Text::server("DB reloaded by DEBUG RELOAD");

pub(super) const RULE: Rule = Rule {
    code: Code(719),
    title: "the data were exchanged under their clients (SWAPDB, DEBUG RELOAD)",
    explanation: "SWAPDB exchanges two databases at once: clients see other data, or none, and no error. DEBUG RELOAD writes all data, empties \
the server and reads them again, and nothing is answered meanwhile. Both are called by people and by test suites.",
    messages: &[],
    needs: &[Need::Server, Need::ServerLog],
    texts: &[RELOADED],
    sources: &["redis: db.c swapdbCommand", "redis: debug.c"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let mut finding = Finding::new(
        RULE.code,
        RULE.title,
        Verdict::Contributing,
        Confidence::Likely,
    );
    let mut claims = Vec::new();
    for look in &facts.looks {
        let Some(rose) = look.calls_rose("swapdb").filter(|rose| *rose > 0) else {
            continue;
        };
        let between = look.between().unwrap_or_default();
        let says = format!(
            "SWAPDB was called {} in {between}",
            counted(usize::try_from(rose).unwrap_or(usize::MAX), "time", "times")
        );
        finding = finding.supported(look.place("INFO"), says.as_str());
        claims.push(says);
    }
    for fact in facts.said(&RELOADED) {
        let when = fact.at.map_or_else(String::new, |at| format!(" at {at}"));
        let says = format!("DEBUG RELOAD emptied and read all data{when}");
        finding.confidence = Confidence::Proved;
        finding = finding
            .at(fact.at)
            .supported(fact.place.clone(), says.as_str());
        claims.push(says);
    }
    if claims.is_empty() {
        return Vec::new();
    }
    vec![
        finding
            .silently()
            .claims(format!("{}.", claims.join("; ")))
            .fix("redis-cli INFO keyspace: which database has how many keys; SWAPDB of the same two takes it back", "clients see the other data at once", "the same SWAPDB again")
            .fix(
                "redis-cli ACL SETUSER <each application's user> -swapdb -debug",
                "what calls it gets NOPERM: ACL LOG then names who",
                "redis-cli ACL SETUSER <user> +swapdb +debug",
            )
            .checked_by("swapdb and debug of INFO commandstats stay as they are"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{log, pasted, twice, verdicts};

    fn info(calls: u64) -> String {
        format!(
            "total_commands_processed:9{calls}\ncmdstat_swapdb:calls={calls},usec=9,usec_per_call=9.00"
        )
    }

    #[test]
    fn a_count_that_rises_and_a_line_of_the_log_are_told() {
        let found = check(&twice(&info(1), 60, &info(2)));
        assert!(
            found[0].claim.contains("1 time in 60 s"),
            "{}",
            found[0].claim
        );
        assert_eq!(
            verdicts(found),
            [(Verdict::Contributing, Confidence::Likely)]
        );
        let line = "9:M 23 Nov 2026 02:58:07.602 # DB reloaded by DEBUG RELOAD\n";
        let found = check(&log(line));
        assert!(
            found[0].claim.contains("02:58:07.602"),
            "{}",
            found[0].claim
        );
        assert_eq!(
            verdicts(found),
            [(Verdict::Contributing, Confidence::Proved)]
        );
    }

    #[test]
    fn a_count_since_start_proves_nothing() {
        assert_eq!(verdicts(check(&pasted(&info(4)))), []);
        assert_eq!(verdicts(check(&twice(&info(2), 60, &info(2)))), []);
    }
}
