use proptest::collection::vec;
use proptest::prelude::*;
use seawall_model::target::URL_BYTES_MAX;
use seawall_model::{
    Endpoint, EndpointError, Secret, Security, SettingError, Settings, Target, TargetError,
};

fn parsed(url: &str) -> Target {
    Target::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"))
}

fn refused(url: &str) -> TargetError {
    Target::parse(url).expect_err(url)
}

#[test]
fn urls_that_users_write_are_understood() {
    for (url, shown) in [
        ("redis://localhost", "redis://localhost:6379"),
        ("redis://", "redis://localhost:6379"),
        ("redis:///3", "redis://localhost:6379/3"),
        ("redis://localhost:6380/0", "redis://localhost:6380/0"),
        ("redis://localhost//", "redis://localhost:6379"),
        ("redis://localhost/2/", "redis://localhost:6379/2"),
        ("redis://h?db=4", "redis://h:6379/4"),
        ("redis://h/1?db=4", "redis://h:6379/4"),
        ("redis://h?virtual_host=4", "redis://h:6379/4"),
        (
            "REDIS://Cache.Example.COM",
            "redis://cache.example.com:6379",
        ),
        ("valkey://h", "redis://h:6379"),
        ("rediss://h", "rediss://h:6379"),
        ("valkeys://h", "rediss://h:6379"),
        ("redis+tls://h", "rediss://h:6379"),
        ("redis://[::1]:7/1", "redis://[::1]:7/1"),
        ("redis://[2001:DB8::0:7]", "redis://[2001:db8::7]:6379"),
        ("redis://10.0.0.7:", "redis://10.0.0.7:6379"),
        ("redis://:pw@h", "redis://:***@h:6379"),
        ("redis://app:pw@h", "redis://app:***@h:6379"),
        ("redis://app:@h", "redis://***@h:6379"),
        ("redis://@h", "redis://h:6379"),
        ("redis://:@h", "redis://h:6379"),
        (
            "redis://h?username=app&password=pw",
            "redis://app:***@h:6379",
        ),
        ("redis://h#", "redis://h:6379"),
        ("rediss://h/#insecure", "rediss://h:6379?tls_verify=none"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock"),
        ("unix:///run/redis.sock?db=2", "unix:///run/redis.sock?db=2"),
        (
            "unix://app:pw@/run/a%20b%3F.sock",
            "unix://app:***@/run/a%20b%3F.sock",
        ),
        ("unix:///run/@cache.sock", "unix:///run/%40cache.sock"),
        (
            "redis+socket:///run/redis.sock?virtual_host=1",
            "unix:///run/redis.sock?db=1",
        ),
        (
            "redis+unix:///run/x?user=%25j%25&pass=%26%3F",
            "unix://%25j%25:***@/run/x",
        ),
        ("  redis://h/0\r\n", "redis://h:6379/0"),
        (
            "redis://h?&socket_timeout=5&",
            "redis://h:6379?socket_timeout=5",
        ),
        (
            "redis://h?decode_responses=True",
            "redis://h:6379?decode_responses=True",
        ),
        (
            "redis://h?client_name=me@here",
            "redis://h:6379?client_name=me%40here",
        ),
        (
            "redis://h?replay=reads+overwrites",
            "redis://h:6379?replay=reads%20overwrites",
        ),
    ] {
        let target = parsed(url);
        assert_eq!(target.to_string(), shown, "{url}");
        assert_eq!(format!("{target:?}"), format!("Target({shown})"));
        assert_eq!(parsed(&target.reveal_url()), target, "{url}");
        Settings::from_target(&target).unwrap();
    }
}

#[test]
fn passwords_with_every_special_character_arrive_as_they_are() {
    let every: String = (0x21..=0x7e_u8)
        .map(char::from)
        .chain("äß漢🌊 \t".chars())
        .collect();
    let encoded: String = every
        .bytes()
        .map(percent_encoding::percent_encode_byte)
        .collect();
    let target = parsed(&format!("redis://:{encoded}@h"));
    assert_eq!(target.password().map(Secret::reveal), Some(every.as_str()));
    // These may stand there as they are, and a lone percent sign is itself, as redis-py has it.
    let raw = "a:b@c%zz[]!$&'()*+,;=~\"<>\\^`{|}100%";
    let target = parsed(&format!("redis://me:{raw}@h:1/0"));
    assert_eq!(target.password().map(Secret::reveal), Some(raw));
    assert_eq!(target.user(), Some("me"));
    assert_eq!(target.endpoint(), &Endpoint::tcp("h", 1).unwrap());
}

#[test]
fn a_password_with_a_raw_separator_is_named_without_being_repeated() {
    for url in [
        "redis://:hunter/2@h",
        "redis://me:hunter#2@h:6379/0",
        "redis://me:hunter?2@h:6379/0",
        "redis://:12/hunter@h",
        "redis://:a@b/hunter@h",
        "redis://me:12?hunter=5@h",
        "redis://me:12?deadline=hunter@h",
        "redis://me:12#hunter@h",
        "rediss://:1234?hunter@h/0",
        "unix://:hunter?2@/run/x",
    ] {
        let error = refused(url);
        let text = format!("{error} {error:?} {}", error.hint());
        assert_eq!(error, TargetError::StrayAt, "{url}");
        assert!(!text.contains("hunter"), "{url}: {text}");
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    use EndpointError as E;
    use TargetError as T;
    for (url, error) in [
        ("", T::Empty),
        (" \n", T::Empty),
        ("redis:// h", T::Blank { at: 8, found: ' ' }),
        ("redis://h/0 x", T::Blank { at: 11, found: ' ' }),
        ("redis://h\n/0", T::Blank { at: 9, found: '\n' }),
        ("redis://h\0", T::Blank { at: 9, found: '\0' }),
        (
            "http://h",
            T::UnknownScheme {
                scheme: "http".into(),
            },
        ),
        (
            "rdis://h",
            T::UnknownScheme {
                scheme: "rdis".into(),
            },
        ),
        (":pw@h?x=a://b", T::NoScheme { guess: None }),
        ("redis:localhost", T::NoScheme { guess: None }),
        ("redis://:secret", T::Address(E::PortNotANumber)),
        ("redis://:6379", T::Address(E::NoHost)),
        ("redis://:pw@", T::Address(E::NoHost)),
        ("redis://:pw@:6379/0", T::Address(E::NoHost)),
        ("redis://:pw@/0", T::Address(E::NoHost)),
        ("redis://h:0", T::Address(E::PortOutOfRange { port: 0 })),
        (
            "redis://h:99999",
            T::Address(E::PortOutOfRange { port: 99_999 }),
        ),
        ("redis://h:-1", T::Address(E::PortNotANumber)),
        ("redis://h:6379:6380", T::Address(E::BareColons)),
        ("redis://::1", T::Address(E::BareColons)),
        ("redis://[::1", T::Address(E::BadIpv6)),
        ("redis://[fe80::1%25eth0]", T::Address(E::BadIpv6)),
        (
            "redis://a,b",
            T::Address(E::BadHostCharacter { found: ',' }),
        ),
        (
            "redis://h%2Fx",
            T::Address(E::BadHostCharacter { found: '/' }),
        ),
        ("redis://:%FF@h", T::NotUtf8 { part: "password" }),
        ("redis://%FF@h", T::NotUtf8 { part: "user" }),
        ("redis://h?client_name=%FF", T::NotUtf8 { part: "options" }),
        ("redis://h#x", T::Fragment),
        ("redis://h#insecure", T::Fragment),
        ("unix://", T::Address(E::PathNotAbsolute)),
        ("unix://run/redis.sock", T::HostBesideSocket),
        ("unix:///a%00b", T::Address(E::PathHasZero)),
        (
            "redis://h?ssl_ca_certs=/x",
            T::NeedsTls {
                name: "ssl_ca_certs",
            },
        ),
        (
            "redis://h?db=1&db=1",
            T::Twice {
                first: "db",
                second: "db",
            },
        ),
        (
            "redis://h?deadline=1s&socket_timeout=1",
            T::Twice {
                first: "deadline",
                second: "socket_timeout",
            },
        ),
        (
            "redis://:a@h?password=b",
            T::Twice {
                first: "password before the @",
                second: "password",
            },
        ),
        (
            "redis://h?deadline",
            T::Option(SettingError::Empty { name: "deadline" }),
        ),
        (
            "rediss://h?tls_cert_file=/x",
            T::Option(SettingError::Needs {
                name: "tls_cert_file",
                needs: "tls_key_file",
            }),
        ),
    ] {
        assert_eq!(refused(url), error, "{url}");
        assert!(!error.hint().is_empty());
        let text = error.to_string();
        assert!(!text.ends_with('.') && !text.contains('\n'), "{text}");
    }
    let long = format!("redis://h?client_name={}", "x".repeat(URL_BYTES_MAX));
    assert!(matches!(refused(&long), TargetError::TooLong { .. }));
}

#[test]
fn an_error_says_what_to_write_instead() {
    for (url, message, hint) in [
        (
            "localhost:6379",
            "the URL does not begin with a scheme such as redis://",
            "write redis://localhost:6379",
        ),
        (
            "10.0.0.7",
            "the URL does not begin with a scheme such as redis://",
            "write redis://10.0.0.7:6379",
        ),
        (
            "cache:6380/2",
            "the URL does not begin with a scheme such as redis://",
            "write redis://cache:6380/2",
        ),
        (
            "/run/redis.sock",
            "the URL does not begin with a scheme such as redis://",
            "write unix:///run/redis.sock",
        ),
        (
            "https://h",
            "the scheme https:// is not one of Redis",
            "that is a web address; Redis speaks a protocol of its own: redis://host:6379/0",
        ),
        (
            "reddis://h",
            "the scheme reddis:// is not one of Redis",
            "did you mean redis://?",
        ),
        (
            "redis+sentinel://h/mymaster",
            "the scheme redis+sentinel:// is not one of Redis",
            "a URL names one server: give the address of the primary, or of a name that follows it",
        ),
        (
            "redis://h/abc",
            r#"the URL's path is not a database: `db` cannot be "abc": expected a whole number from 0 to 2147483647, such as `0`"#,
            "a database is a number: redis://host:6379/0",
        ),
        (
            "redis://h?db=-1",
            r#"the URL's options: `db` cannot be "-1": expected a whole number from 0 to 2147483647, such as `0`"#,
            "write db=0",
        ),
        (
            "redis://h?db=1e9",
            r#"the URL's options: `db` cannot be "1e9": expected a whole number from 0 to 2147483647, such as `0`"#,
            "write db=0",
        ),
        (
            "redis://h?socket_timout=1",
            r#"the URL's options: there is no setting named "socket_timout", did you mean `socket_timeout`?"#,
            "write `socket_timeout`",
        ),
        (
            "redis://h?socket_timeout=soon",
            r#"the URL's options: `socket_timeout` cannot be "soon": expected seconds from 0.001 to 3600, such as `2`"#,
            "write socket_timeout=2",
        ),
        (
            "redis://h?deadline=5",
            r#"the URL's options: `deadline` cannot be "5": expected a span from 1ms to 1h, such as `2s`"#,
            "write deadline=2s",
        ),
        (
            "redis://h?ssl=true",
            "the URL's options: the option `ssl` is not supported",
            "use the scheme rediss:// for TLS",
        ),
        (
            "redis://h?protocol=4",
            r#"the URL's options: `protocol` cannot be "4": expected `auto`, `2`, `3`, such as `2`"#,
            "write protocol=2",
        ),
    ] {
        let error = refused(url);
        assert_eq!(
            (error.to_string().as_str(), error.hint().as_str()),
            (message, hint),
            "{url}"
        );
    }
}

#[test]
fn the_scheme_decides_on_tls_and_options_of_other_clients_are_kept_for_them() {
    assert_eq!(parsed("redis://h").security(), Security::Plain);
    assert_eq!(parsed("rediss://h").security(), Security::Tls);
    let target =
        parsed("redis://h?decode_responses=True&health_check_interval=30&max_connections=20");
    let passed_over: Vec<_> = target.passed_over().collect();
    assert_eq!(
        passed_over,
        [
            ("decode_responses", "True"),
            ("health_check_interval", "30")
        ]
    );
    assert_eq!(
        target.options().collect::<Vec<_>>(),
        [("max_connections", "20")]
    );
}

/// Texts that look enough like a URL to reach every branch.
fn almost_a_url() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("redis://".to_owned()),
        Just("unix://".to_owned()),
        Just("rediss://".to_owned()),
        Just("://".to_owned()),
        Just("deadline=".to_owned()),
        Just("ssl_cert_reqs=none".to_owned()),
        Just("db=1".to_owned()),
        Just("#insecure".to_owned()),
        Just("[::1]".to_owned()),
        Just("%".to_owned()),
        "[:/?#@&=%\\[\\] ]",
        "[a-z0-9]{1,6}",
        "\\PC{1,3}",
        any::<char>().prop_map(String::from),
    ];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    prop_oneof![
        ("[a-z0-9][a-z0-9_.-]{0,20}", 1..=u16::MAX)
            .prop_map(|(host, port)| Endpoint::tcp(&host, port).expect("made to fit")),
        (any::<[u16; 8]>(), 1..=u16::MAX).prop_map(|(parts, port)| {
            Endpoint::tcp(&core::net::Ipv6Addr::from(parts).to_string(), port).expect("made to fit")
        }),
        (any::<[u8; 4]>(), 1..=u16::MAX).prop_map(|(parts, port)| Endpoint::tcp(
            &core::net::Ipv4Addr::from(parts).to_string(),
            port
        )
        .expect("made to fit")),
        "/[^\0]{0,20}".prop_map(|path| Endpoint::unix(&path).expect("made to fit")),
    ]
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(url in prop_oneof![any::<String>(), almost_a_url()]) {
        match Target::parse(&url) {
            Ok(target) => {
                prop_assert_eq!(&parsed(&target.reveal_url()), &target);
                prop_assert!(Settings::from_target(&target).is_ok());
            }
            Err(error) => prop_assert!(!error.to_string().is_empty() && !error.hint().is_empty()),
        }
    }

    #[test]
    fn an_endpoint_survives_its_text(endpoint in endpoint()) {
        prop_assert_eq!(endpoint.to_string().parse::<Endpoint>(), Ok(endpoint));
    }

    #[test]
    fn a_target_survives_its_url(
        endpoint in endpoint(),
        user in "\\PC{0,8}",
        password in any::<String>(),
        db in proptest::option::of(0..=2_147_483_647_u32),
        deadline in 1..3_600_000_u64,
        name in "[!-~]{1,20}",
    ) {
        let encode = |text: &str| text.bytes().map(percent_encoding::percent_encode_byte).collect::<String>();
        let (before, after) = match &endpoint {
            Endpoint::Tcp { .. } => (String::new(), endpoint.to_string()),
            Endpoint::Unix { path } => ("+unix".to_owned(), encode(&path.to_string_lossy()).replacen("%2F", "/", 1)),
        };
        let db_option = db.map(|db| format!("&db={db}")).unwrap_or_default();
        let url = format!(
            "redis{before}://{}:{}@{after}?deadline={deadline}ms{db_option}&client_name={}",
            encode(&user), encode(&password), encode(&name),
        );
        let target = parsed(&url);
        prop_assert_eq!(target.endpoint(), &endpoint);
        prop_assert_eq!(target.user().unwrap_or_default(), &user);
        prop_assert_eq!(target.password().map_or("", Secret::reveal), &password);
        prop_assert_eq!(target.db(), db);
        let settings = Settings::from_target(&target).unwrap();
        prop_assert_eq!(settings.deadline().as_millis(), u128::from(deadline));
        let held = settings.client_name();
        prop_assert_eq!(held.as_deref(), Some(name.as_str()));
        prop_assert_eq!(parsed(&target.reveal_url()), target);
    }
}
