//! URL options of other clients that stand for nothing here: some are harmless to pass over, some are not.

/// Options that concern a client library above the connection, or that Seawall has no use for, with what it does
/// instead. They are accepted, kept for the library they are meant for, and change nothing here.
pub(crate) const PASSED_OVER: [(&str, &str); 12] = [
    ("decode_responses", "decides how Python sees replies"),
    ("encoding", "decides how Python sees replies"),
    ("encoding_errors", "decides how Python sees replies"),
    ("legacy_responses", "decides how Python sees replies"),
    (
        "health_check_interval",
        "no request of the application is spent on probing",
    ),
    (
        "retry_on_timeout",
        "`replay`, `attempts` and `retry_budget` decide",
    ),
    (
        "retry_on_error",
        "`replay`, `attempts` and `retry_budget` decide",
    ),
    (
        "timeout",
        "the wait for a connection ends with the `deadline`",
    ),
    ("socket_read_size", "buffers grow with what comes"),
    ("socket_type", "follows from the endpoint"),
    ("single_connection_client", "connections come from the pool"),
    (
        "auto_close_connection_pool",
        "the pool closes with its client",
    ),
];

/// Options whose wish would be broken in silence if they were passed over, with what to do instead.
pub(crate) const REFUSED: [(&str, &str); 17] = [
    ("ssl", "use the scheme rediss:// for TLS"),
    ("host", "name the host before the path: redis://host:6379/0"),
    ("port", "name the port behind the host: redis://host:6379/0"),
    (
        "path",
        "name the socket in the URL's path: unix:///run/redis.sock",
    ),
    (
        "ssl_ca_path",
        "put the authorities into one PEM file: tls_ca_file=/path/ca.pem",
    ),
    (
        "ssl_ca_data",
        "put the authorities into a PEM file: tls_ca_file=/path/ca.pem",
    ),
    (
        "ssl_password",
        "store the key without a password, readable by this user alone",
    ),
    (
        "ssl_ciphers",
        "leave it out: TLS 1.2 and 1.3 are spoken with modern ciphers alone",
    ),
    (
        "ssl_min_version",
        "leave it out: TLS 1.2 is the lowest version spoken",
    ),
    (
        "ssl_include_verify_flags",
        "leave it out: certificates are checked by `tls_verify`",
    ),
    (
        "ssl_exclude_verify_flags",
        "leave it out: certificates are checked by `tls_verify`",
    ),
    (
        "ssl_validate_ocsp",
        "leave it out: revocation is not checked",
    ),
    (
        "ssl_validate_ocsp_stapled",
        "leave it out: revocation is not checked",
    ),
    (
        "ssl_ocsp_context",
        "leave it out: revocation is not checked",
    ),
    (
        "credential_provider",
        "put user and password into the URL or the environment",
    ),
    (
        "socket_keepalive_options",
        "use keepalive, keepalive_interval and keepalive_count",
    ),
    ("retry", "use attempts, retry_budget and replay"),
];
