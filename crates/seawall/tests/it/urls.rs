//! Wrong settings are told before anything is dialled, with what to write instead.

use seawall::blocking::Client;
use seawall::{Cause, Kind};

/// The error's text for a URL.
fn told(url: &str) -> String {
    let error = Client::open(url).expect_err(url);
    assert_eq!(
        (error.kind(), error.cause()),
        (Kind::Settings, Cause::BadSettings),
        "{url}"
    );
    assert!(!error.may_have_run());
    error.to_string()
}

#[test]
fn a_url_that_is_none_is_told_with_one_that_is() {
    for (url, hint) in [
        ("", "redis://host:6379/0"),
        ("http://cache:6379", "redis://"),
        ("localhost:6379", "redis://localhost:6379"),
        ("redis://host:99999", "65535"),
        ("redis://host:port", "port"),
        ("redis://host/first", "database"),
        ("unix://relative.sock", "unix:///"),
    ] {
        let text = told(url);
        assert!(text.contains(hint), "{url}: {text}");
    }
}

#[test]
fn an_unknown_option_is_told_with_the_one_that_was_meant() {
    for (option, meant) in [
        ("deadlin=1s", "`deadline`"),
        ("poolsize=4", "`pool_size`"),
        ("max_idel=4s", "`max_idle`"),
    ] {
        let text = told(&format!("redis://host?{option}"));
        assert!(
            text.contains("did you mean") && text.contains(meant),
            "{text}"
        );
    }
}

#[test]
fn a_wrong_value_is_told_with_what_was_expected_and_an_example() {
    for option in [
        "deadline=soon",
        "deadline=0s",
        "pool_size=0",
        "pool_size=many",
        "attempts=11",
        "db=-1",
    ] {
        let text = told(&format!("redis://host?{option}"));
        let name = option.split('=').next().unwrap_or_default();
        assert!(
            text.contains(name) && text.contains("expected"),
            "{option}: {text}"
        );
    }
}

#[test]
fn what_other_clients_call_it_is_understood() {
    for option in [
        "socket_timeout=2",
        "socket_connect_timeout=1",
        "max_connections=4",
        "username=app",
    ] {
        Client::open(&format!("redis://host?{option}"))
            .unwrap_or_else(|error| panic!("{option}: {error}"));
    }
}

#[test]
fn a_wrong_setting_of_the_builder_is_told_when_it_is_set() {
    let builder = || Client::builder("redis://host").expect("a good URL");
    assert!(builder().pool_size(0).is_err());
    assert!(builder().deadline(std::time::Duration::ZERO).is_err());
    assert!(builder().set("no_such_setting", "1").is_err());
    let text = builder()
        .set("deadlin", "1s")
        .err()
        .map(|error| error.to_string());
    assert!(text.is_some_and(|text| text.contains("did you mean")));
}

#[test]
fn no_password_is_shown_in_the_error_of_a_url() {
    for url in [
        "redis://user:right-secret@host:99999",
        "redis://:right-secret@host/first",
        "http://user:right-secret@host",
        "user:right-secret@host",
        "redis://host?password=right-secret&deadlin=1s",
        "redis://host?passwort=right-secret",
        "redis://user:right-secret@ho st",
    ] {
        let text = told(url);
        assert!(!text.contains("right-secret"), "{url}: {text}");
    }
}
