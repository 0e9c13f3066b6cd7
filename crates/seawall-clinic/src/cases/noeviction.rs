//! No memory for more data.

use seawall_doctor::Code;

use crate::case::Case;

pub(super) const CASE: Case = Case {
    name: "noeviction",
    story: "maxmemory is reached, and nothing may be evicted",
    truth: &[Code(501)],
    config: &[("maxmemory", "4mb"), ("maxmemory-policy", "noeviction")],
    act: |bed| {
        let mut client = bed.client();
        let value = "x".repeat(50_000);
        for number in 0..120 {
            client.call(&["SET", &number.to_string(), &value]);
        }
        Ok(())
    },
    ..Case::PLAIN
};
