//! `--fix` and `--undo`.

use seawall_lab::world::{Server, server_binary};

use super::{said, seawall};

fn with_timeout() -> (Server, String) {
    let binary = server_binary(None).expect("a server to test against");
    let server = Server::start(&binary, &[("timeout", "300")]).expect("it starts");
    let url = format!("redis://{}", server.addr());
    (server, url)
}

fn timeout(server: &Server) -> Option<String> {
    server.config_get("timeout").expect("it answers")
}

#[test]
fn without_a_terminal_and_without_yes_changes_are_shown_and_not_made() {
    let (server, url) = with_timeout();
    let state = tempfile::tempdir().expect("a folder");
    let output = seawall(state.path(), &["doctor", &url, "--fix"]);
    let text = said(&output);
    assert!(text.contains("CONFIG SET timeout 0"), "{text}");
    assert!(
        text.contains("risk: ") && text.contains("nothing was changed"),
        "{text}"
    );
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert_eq!(timeout(&server).as_deref(), Some("300"));
    assert!(!state.path().join("seawall").exists());
}

#[test]
fn with_yes_they_are_made_and_undo_takes_the_last_one_back() {
    let (server, url) = with_timeout();
    let state = tempfile::tempdir().expect("a folder");
    let output = seawall(state.path(), &["doctor", &url, "--fix", "--yes"]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("timeout was 300 and is 0"), "{text}");
    assert_eq!(timeout(&server).as_deref(), Some("0"));
    let listed = said(&seawall(state.path(), &["doctor", "--undo", "list"]));
    assert!(listed.contains("timeout: 300 -> 0"), "{listed}");
    let output = seawall(state.path(), &["doctor", "--undo", "last"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(timeout(&server).as_deref(), Some("300"));
    let output = seawall(state.path(), &["doctor", "--undo", "last"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
}

#[test]
fn where_the_old_value_cannot_be_kept_nothing_is_changed() {
    let (server, url) = with_timeout();
    let state = tempfile::NamedTempFile::new().expect("a file");
    let output = seawall(state.path(), &["doctor", &url, "--fix", "--yes"]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("nothing was changed"), "{text}");
    assert_eq!(timeout(&server).as_deref(), Some("300"));
}
