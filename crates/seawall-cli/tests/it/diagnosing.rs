//! `seawall lab diagnose`.

use serde_json::Value;

use super::{said, seawall};

#[test]
fn the_labs_scenarios_are_told_first_by_the_journal_alone() {
    let state = tempfile::tempdir().expect("a folder");
    let words = [
        "lab",
        "diagnose",
        "--json",
        "lab-client-kill",
        "lab-idle-reaped",
        "lab-failed-save",
    ];
    let output = seawall(state.path(), &words);
    let text = said(&output);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{text}"));
    assert_eq!(told["ran"], 3, "{text}");
    assert_eq!(told["first"], 3, "{text}");
    assert_eq!(told["well"], true, "{text}");
    assert_eq!(output.status.code(), Some(0), "{text}");
}

#[test]
fn what_is_no_server_and_no_case_is_named() {
    let state = tempfile::tempdir().expect("a folder");
    for (words, named) in [
        (
            &["--server", "/bin/sh"][..],
            "/bin/sh is no Redis or Valkey server",
        ),
        (&["--server", "/nowhere", "frozen"][..], "/nowhere is no"),
        (&["frozn"][..], "there is no case `frozn`"),
    ] {
        let words = [&["lab", "diagnose"], words].concat();
        let output = seawall(state.path(), &words);
        let text = said(&output);
        assert!(text.contains(named), "{text}");
        assert_eq!(output.status.code(), Some(2), "{text}");
    }
}
