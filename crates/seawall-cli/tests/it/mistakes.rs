//! What is typed wrongly: said in words, with what to do, and without what may be a password.

use std::path::Path;

use super::{said, seawall};

/// What was typed, and what has to be said of it. `planted` is a password.
const MISTAKES: &[(&[&str], &str)] = &[
    (
        &["doctor", "--watch", "1.5"],
        "--watch 1.5: whole seconds from 1 to 86400",
    ),
    (&["doctor", "--watch", "0"], "--watch 0: whole seconds"),
    (
        &["doctor", "--within", "2.5"],
        "--within 2.5: whole seconds from 1 to 60",
    ),
    (
        &["doctor", "--for", "-1"],
        "--for -1: whole seconds from 1 to 3600",
    ),
    (
        &["doctor", "--for", "redis://:planted@cache"],
        "--for (a URL): whole seconds",
    ),
    (
        &["doctor", "--around", "yesterday"],
        "--around: `yesterday` is not a time",
    ),
    (
        &["doctor", "--since", "redis://:planted@cache"],
        "--since: `(a URL)` is not a time",
    ),
    (&["doctor", "--utc-offset", "CET"], "hours east of UTC"),
    (&["doctor", "--celery-queue", ""], "the name of a queue"),
    (
        &["doctor", "--celery-queue", "redis://:planted@cache"],
        "the name of a queue",
    ),
    (
        &["doctor", "none.internal:6379"],
        "its URL: redis://none.internal:6379",
    ),
    (
        &["doctor", "none.log", "redis://:planted@cache:x"],
        "source 2: the URL's address is wrong",
    ),
    (
        &["doctor", "--audit", "--client", "redis://:planted@cache"],
        "--client (a URL)",
    ),
    (
        &["doctor", "diff", "redis://:planted@cache", "b"],
        "(a URL) cannot be read",
    ),
    (&["logs", "redis://:planted@cache"], "a URL is no file"),
    (
        &["logs", "none.log"],
        "hint: give the path of a file or folder",
    ),
];

#[test]
fn mistakes_are_said_with_what_to_do_and_no_password_is_repeated() {
    for (words, says) in MISTAKES {
        let output = seawall(Path::new("/none"), words);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {said}");
        assert!(said.contains(says), "{words:?}: {said}");
        assert!(!said.contains("planted"), "{words:?}: {said}");
    }
}

#[test]
fn codes_are_explained_one_by_one_and_one_that_there_is_none_of_is_named() {
    let output = seawall(Path::new("/none"), &["explain", "SW301", "102", "SW999"]);
    let said = said(&output);
    assert!(said.contains("SW301") && said.contains("SW102"), "{said}");
    assert!(said.contains("there is no code SW999"), "{said}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn what_was_given_and_could_not_be_read_is_unseen_in_the_report() {
    let output = seawall(
        Path::new("/none"),
        &["doctor", "none.log", "redis://127.0.0.1:1"],
    );
    let said = said(&output);
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("none.log: cannot be read"), "{said}");
}

#[test]
fn nothing_that_is_graded_has_no_grade() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("redis.log");
    let line = "1:M 23 Nov 2026 02:58:11.042 * Ready to accept connections\n";
    std::fs::write(&log, line).expect("it is written");
    let path = log.display().to_string();
    let output = seawall(Path::new("/none"), &["doctor", "--audit", &path]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        !said.contains("GRADE") && said.contains("nothing was looked at"),
        "{said}"
    );
}
