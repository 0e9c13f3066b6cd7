use std::num::NonZeroU32;
use std::time::Duration;

use proptest::prelude::*;
use seawall_model::settings::{
    NameCheck, ProtocolChoice, ReplayLimit, ServerHints, TABLE, TlsVerify,
};
use seawall_model::{SettingError, Settings, Target, settings};

#[test]
fn the_defaults_are_those_of_the_design() {
    let settings = Settings::default();
    assert_eq!(settings.deadline(), Duration::from_secs(1));
    assert_eq!(settings.connect_timeout(), Duration::from_secs(1));
    assert_eq!(settings.ride_out(), Duration::from_millis(500));
    assert_eq!(settings.replay(), ReplayLimit::ReadsAndOverwrites);
    assert_eq!(settings.attempts().get(), 3);
    assert_eq!(settings.retry_budget().get(), 20);
    assert_eq!(settings.pool_size().get(), 8);
    assert_eq!(settings.waiters_max(), 4096);
    assert_eq!((settings.max_idle(), settings.max_age()), (None, None));
    assert_eq!(settings.keepalive(), Some(Duration::from_secs(30)));
    assert_eq!(settings.keepalive_interval(), Duration::from_secs(5));
    assert_eq!(settings.keepalive_count().get(), 3);
    assert_eq!(settings.tcp_user_timeout(), Some(Duration::from_secs(20)));
    assert_eq!(settings.protocol(), ProtocolChoice::Auto);
    assert_eq!(settings.server_hints(), ServerHints::Auto);
    assert_eq!(settings.journal_bytes(), 1 << 20);
    assert_eq!(settings.tls_verify(), TlsVerify::Required);
    assert_eq!(settings.tls_check_name(), NameCheck::On);
}

#[test]
fn the_defaults_that_the_table_documents_are_the_defaults() {
    let shown = Settings::default().shown();
    assert_eq!(shown.len(), TABLE.len());
    for (setting, (name, value)) in TABLE.iter().zip(shown) {
        assert_eq!(setting.name, name);
        assert_eq!(setting.default, value.as_deref(), "{name}");
    }
}

#[test]
fn every_default_and_example_is_taken_by_its_own_setting() {
    for setting in TABLE {
        let mut settings = Settings::default();
        settings.apply(setting.name, setting.example).unwrap();
        if let Some(default) = setting.default {
            settings.apply(setting.name, default).unwrap();
            let (_, value) = settings
                .shown()
                .into_iter()
                .find(|(name, _)| *name == setting.name)
                .unwrap();
            assert_eq!(value.as_deref(), Some(default));
        }
    }
}

#[test]
fn names_aliases_and_variables_are_given_once() {
    let mut names: Vec<&str> = TABLE.iter().map(|setting| setting.name).collect();
    names.extend(
        TABLE
            .iter()
            .flat_map(|setting| setting.aliases.iter().map(|(alias, _)| *alias)),
    );
    names.extend(TABLE.iter().map(|setting| setting.env));
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
    for setting in TABLE {
        assert_eq!(
            setting.env,
            format!("SEAWALL_{}", setting.name.to_uppercase())
        );
    }
}

#[test]
fn a_url_sets_what_its_options_say_in_either_clients_words() {
    let target = Target::parse(
        "rediss://app:pw@h/3?socket_timeout=2.5&socket_connect_timeout=0.2&max_connections=20&socket_keepalive=False\
         &ssl_cert_reqs=none&ssl_check_hostname=false&ssl_ca_certs=/ca.pem&client_name=web-1&protocol=2\
         &replay=reads&ride_out=0&max_idle=240s&tcp_user_timeout=off&retry_budget=10%25&journal_bytes=2MiB",
    )
    .unwrap();
    let settings = Settings::from_target(&target).unwrap();
    assert_eq!(settings.deadline(), Duration::from_millis(2500));
    assert_eq!(settings.connect_timeout(), Duration::from_millis(200));
    assert_eq!(settings.pool_size(), NonZeroU32::new(20).unwrap());
    assert_eq!(settings.keepalive(), None);
    assert_eq!(settings.tls_verify(), TlsVerify::Nothing);
    assert_eq!(settings.tls_check_name(), NameCheck::Off);
    assert_eq!(settings.tls_ca_file().unwrap().to_str(), Some("/ca.pem"));
    assert_eq!(settings.client_name().as_deref(), Some("web-1"));
    assert_eq!(settings.protocol(), ProtocolChoice::Resp2);
    assert_eq!(settings.replay(), ReplayLimit::Reads);
    assert_eq!(settings.ride_out(), Duration::ZERO);
    assert_eq!(settings.max_idle(), Some(Duration::from_secs(240)));
    assert_eq!(settings.tcp_user_timeout(), None);
    assert_eq!(settings.retry_budget().get(), 10);
    assert_eq!(settings.journal_bytes(), 2 << 20);
    assert_eq!(
        (settings.user().as_deref(), settings.db()),
        (Some("app"), 3)
    );
    assert_eq!(settings.password().unwrap().reveal(), "pw");
}

#[test]
fn the_url_wins_over_the_environment_and_an_empty_variable_is_none() {
    let mut settings = Settings::default();
    let environment = |name| match name {
        "SEAWALL_DEADLINE" => Some("3s".to_owned()),
        "SEAWALL_ATTEMPTS" => Some("5".to_owned()),
        "SEAWALL_RIDE_OUT" => Some(String::new()),
        _ => None,
    };
    settings.apply_environment(environment).unwrap();
    settings
        .apply_target(&Target::parse("redis://h?deadline=2s").unwrap())
        .unwrap();
    assert_eq!(settings.deadline(), Duration::from_secs(2));
    assert_eq!(settings.attempts().get(), 5);
    assert_eq!(settings.ride_out(), Duration::from_millis(500));
    let error = settings
        .apply_environment(|name| (name == "SEAWALL_REPLAY").then(|| "all".to_owned()))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"`SEAWALL_REPLAY` cannot be "all": expected `reads`, `reads+overwrites`, `same-state`, such as `reads`"#
    );
}

#[test]
fn a_value_out_of_range_is_refused_by_setter_and_text_alike_and_changes_nothing() {
    let mut settings = Settings::default();
    let by_setter = settings.set_deadline(Duration::ZERO).unwrap_err();
    let by_text = settings.apply("deadline", "0s").unwrap_err();
    assert_eq!(by_setter, by_text);
    assert_eq!(
        by_text.to_string(),
        r#"`deadline` cannot be "0s": expected a span from 1ms to 1h, such as `2s`"#
    );
    for (name, value) in [
        ("deadline", "61m"),
        ("pool_size", "0"),
        ("pool_size", "+8"),
        ("attempts", "11"),
        ("waiters_max", "-1"),
        ("retry_budget", "101%"),
        ("db", "2147483648"),
        ("client_name", "two words"),
        ("client_name", "ünï"),
        ("journal_bytes", "1KiB"),
        ("max_age", "10ms"),
        ("replay", "READS"),
        ("tls_server_name", "a/b"),
    ] {
        assert!(
            matches!(settings.apply(name, value), Err(SettingError::Wrong { .. })),
            "{name}={value}"
        );
    }
    assert_eq!(settings, Settings::default());
}

#[test]
fn an_unknown_name_gets_its_nearest_neighbour() {
    let error = Settings::default().apply("pool-size", "3").unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"there is no setting named "pool-size", did you mean `pool_size`?"#
    );
    let error = Settings::default().apply("banana", "3").unwrap_err();
    assert_eq!(error.to_string(), r#"there is no setting named "banana""#);
    assert!(settings::find("socket_timeout").is_some_and(|setting| setting.name == "deadline"));
    assert!(settings::find("banana").is_none());
}

proptest! {
    #[test]
    fn no_text_makes_a_setting_panic_or_leave_its_range(
        index in 0..TABLE.len(),
        value in prop_oneof![any::<String>(), "[0-9.]{0,20}(ms|s|m|h|d|ns|us|%|MiB|KiB|)"],
    ) {
        let setting = &TABLE[index];
        let mut settings = Settings::default();
        if settings.apply(setting.name, &value).is_ok() {
            let (_, shown) = settings.shown().into_iter().find(|(name, _)| *name == setting.name).unwrap();
            if setting.name != "password" {
                let mut again = Settings::default();
                again.apply(setting.name, &shown.unwrap()).unwrap();
                prop_assert_eq!(again, settings);
            }
        } else {
            prop_assert_eq!(settings, Settings::default());
        }
    }
}
