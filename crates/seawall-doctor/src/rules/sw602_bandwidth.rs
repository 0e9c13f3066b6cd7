//! Large replies fill the network.

use crate::facts::{Facts, Look, bytes};
use crate::finding::{Confidence, Finding, Verdict};
use crate::rule::{Code, Need, Rule};
use crate::stall;

/// A gigabit is 125 MB in a second; less fills no network of today.
const RATE: u64 = 100_000_000;

/// An answer of more bytes than this on average is a large one.
const REPLY: u64 = 16_384;

pub(super) const RULE: Rule = Rule {
    code: Code(602),
    title: "large replies may fill the network",
    explanation: "Where the server sends as much as its network or its instance's class permits, replies wait for one another, and calls time \
out though each command is quick. Clouds drop or delay what is above the allowance (`bw_out_allowance_exceeded` of ethtool -S). It is told \
from a slow server by SLOWLOG, which stays empty.",
    messages: &["Timeout reading from socket", "Timeout reading from"],
    needs: &[Need::Server, Need::ClientLog],
    sources: &["redis: networking.c, total_net_output_bytes"],
    check,
    ..Rule::PLAIN
};

fn check(facts: &Facts) -> Vec<Finding> {
    let looks = facts.looks.iter();
    looks.filter_map(|look| of(facts, look)).collect()
}

fn of(facts: &Facts, look: &Look) -> Option<Finding> {
    let sent = look.rose("total_net_output_bytes")?;
    let each = sent / look.rose("total_commands_processed")?.max(1);
    let a_second = sent / look.before.as_ref()?.span.as_secs().max(1);
    if a_second < RATE || each < REPLY {
        return None;
    }
    // A server that sends much and quickly is what one wants: only calls that time out meanwhile make something of it.
    let felt = stall::during(facts, look)?;
    let says = format!(
        "{} sent in a second, {} in each reply",
        bytes(a_second),
        bytes(each)
    );
    Some(
        Finding::new(RULE.code, RULE.title, Verdict::Contributing, Confidence::Likely)
            .at(look.at)
            .supported(look.place("INFO"), says.as_str())
            .supported(felt.place.clone(), "a call timed out meanwhile")
            .claims(format!("{says}, while calls timed out: that is a gigabit's worth."))
            .fix("smaller replies: HMGET or ranges instead of whole values, compressed values, a local cache (CLIENT TRACKING)", "", "")
            .fix("reads of large values on replicas", "they may be a little behind", "")
            .checked_by("ethtool -S of the server's interface: bw_out_allowance_exceeded and the drops stay; instantaneous_output_kbps of INFO below 70 % of the limit"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{timeout, together, twice, verdicts};

    fn sending(bytes: u64, commands: u64) -> Facts {
        let info = |sent: u64, ran: u64| {
            format!("total_net_output_bytes:{sent}\ntotal_commands_processed:{ran}")
        };
        twice(&info(0, 100), 60, &info(bytes * 60, 100 + commands * 60))
    }

    #[test]
    fn a_gigabit_of_large_replies_while_calls_time_out_contributes() {
        let found = check(&together([
            sending(118_000_000, 1_000),
            timeout("02:57:50"),
        ]));
        assert!(
            found[0].claim.starts_with("118.0 MB sent"),
            "{}",
            found[0].claim
        );
        assert_eq!(
            verdicts(found),
            [(Verdict::Contributing, Confidence::Likely)]
        );
    }

    #[test]
    fn a_busy_server_whose_calls_are_answered_is_in_order() {
        assert_eq!(verdicts(check(&sending(400_000_000, 1_000))), []);
        let small = together([sending(118_000_000, 900_000), timeout("02:57:50")]);
        assert_eq!(verdicts(check(&small)), []);
        let other = together([sending(118_000_000, 1_000), timeout("05:00:00")]);
        assert_eq!(verdicts(check(&other)), []);
    }
}
