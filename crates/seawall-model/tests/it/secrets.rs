use proptest::prelude::*;
use seawall_model::{SettingError, Settings, Target};

/// Long enough, and odd enough, to stand in no text by chance.
fn secret() -> impl Strategy<Value = String> {
    "[A-Z]{4}[ -~]{0,6}[A-Z]{4}"
}

/// How people get a password into a URL, right and wrong, encoded and not.
fn url_with(secret: &str) -> impl Strategy<Value = String> + use<> {
    let encoded: String = secret
        .bytes()
        .map(percent_encoding::percent_encode_byte)
        .collect();
    let secret = prop_oneof![Just(secret.to_owned()), Just(encoded)];
    let user = prop_oneof![Just(""), Just("app"), Just("a/p"), Just("a?p"), Just("%FF")];
    let scheme = prop_oneof![
        Just("redis"),
        Just("rediss"),
        Just("unix"),
        Just("http"),
        Just("red is")
    ];
    let rest = prop_oneof![
        Just("h"),
        Just("h:99999/0"),
        Just("h/abc"),
        Just("[::1]:7/1?deadline=2s"),
        Just("h?nope=1"),
        Just("h?deadline=abc"),
        Just("h?client_name=a@b"),
        Just("h#x"),
        Just(""),
        Just("/run/x.sock"),
        Just("a b"),
    ];
    (scheme, user, secret, rest)
        .prop_map(|(scheme, user, secret, rest)| format!("{scheme}://{user}:{secret}@{rest}"))
}

fn leaks(shown: &str, secret: &str) -> bool {
    // The first and last four letters each: a piece is a leak too, and quoting may have changed what is between.
    shown.contains(&secret[..4]) || shown.contains(&secret[secret.len() - 4..])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_piece_of_a_password_is_ever_shown(
        (secret, url) in secret().prop_flat_map(|secret| (Just(secret.clone()), url_with(&secret)))
    ) {
        let shown = match Target::parse(&url) {
            Ok(target) => {
                let settings = Settings::from_target(&target).unwrap();
                let listed = settings.shown();
                format!("{target} {target:?} {target:#?} {settings:?} {settings:#?} {listed:?} {:?}", target.password())
            }
            Err(error) => format!("{error} {error:?} {error:#?} {}", error.hint()),
        };
        prop_assert!(!leaks(&shown, &secret), "{}", shown);
    }

    #[test]
    fn settings_never_show_a_password_however_it_came(secret in secret()) {
        let mut settings = Settings::default();
        settings.apply("password", &secret).unwrap();
        let from_environment = {
            let mut settings = Settings::default();
            let lookup = |name| (name == "SEAWALL_PASSWORD").then(|| secret.clone());
            settings.apply_environment(lookup).unwrap();
            settings
        };
        prop_assert_eq!(&settings, &from_environment);
        let held = settings.password().unwrap();
        prop_assert_eq!(held.reveal(), &secret);
        let shown = format!("{settings:?} {settings:#?} {:?}", settings.shown());
        prop_assert!(!leaks(&shown, &secret), "{}", shown);
    }
}

#[test]
fn a_password_in_the_users_place_is_not_shown() {
    let target = Target::parse("redis://hunter2@h").unwrap();
    let settings = Settings::from_target(&target).unwrap();
    let shown = format!("{target} {target:?} {settings:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
    let mut settings = Settings::default();
    let error = settings.apply("user", "hunter2\n").unwrap_err();
    assert!(matches!(error, SettingError::Wrong { .. }));
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

#[test]
fn of_a_sockets_url_whose_password_may_go_on_in_its_path_nothing_is_repeated() {
    let error = Target::parse("unix://:ABCD@/ELIO@h").unwrap_err();
    let shown = format!("{error} {error:?} {}", error.hint());
    assert!(!leaks(&shown, "ABCD@/ELIO"), "{shown}");
    assert!(Target::parse("unix:///run/a@b.sock").is_ok());
    assert!(Target::parse("unix://:ABCD@/run/a%40b.sock").is_ok());
}
