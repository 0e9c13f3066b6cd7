//! The script that collects what the doctor reads, where it cannot be itself.

use crate::settings::SETTINGS;

/// A script for a POSIX shell that needs redis-cli, only reads, and makes one file of what it saw: see
/// [`read`](crate::read). Keys, values, arguments and secrets are dropped by the script itself.
pub fn script() -> String {
    include_str!("collect.sh").replace("@SETTINGS@", &SETTINGS.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_asks_for_every_setting_and_for_no_secret() {
        let script = script();
        assert!(script.contains("client-output-buffer-limit") && !script.contains("@SETTINGS@"));
        for secret in [
            "requirepass",
            "masterauth",
            "CONFIG GET '*'",
            "MONITOR",
            "KEYS *",
        ] {
            assert!(!script.contains(secret), "{secret}");
        }
    }
}
