//! The one table of settings: parsing, defaults, accessors and the reference page come from it.

use std::fmt;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::choices::{NameCheck, ProtocolChoice, ReplayLimit, ServerHints, TlsVerify};
use super::error::SettingError;
use super::forms::{
    Allows, Bytes, Choice, Count, CountFromOne, Described, FilePath, Form, Hidden, Percent,
    Reading, Share, Span, SpanOrOff, Text, Unfit,
};
use crate::secret::Secret;

/// One row of the table: what a setting means and how it is written.
pub struct Setting {
    /// Its name, in URLs, configuration files and calls.
    pub name: &'static str,
    /// What it decides.
    pub means: &'static str,
    /// What one gives up by raising or lowering it.
    pub trades: &'static str,
    /// Its value if nobody sets it, as it would be written; `None` for nothing.
    pub default: Option<&'static str>,
    /// A value that it takes.
    pub example: &'static str,
    /// Names of URL options that other clients have for it, and how their values are read.
    pub aliases: &'static [(&'static str, Reading)],
    /// The environment variable that sets it.
    pub env: &'static str,
    form: &'static dyn Described,
}

impl Setting {
    /// The form and the range of its values, in words.
    pub fn range(&self) -> String {
        self.form.describe(Reading::Own)
    }

    pub(super) fn expected(&self, reading: Reading) -> String {
        self.form.describe(reading)
    }
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Setting({})", self.name)
    }
}

macro_rules! settings {
    ($(
        $name:ident, $set:ident: $type:ty = $value:expr, $form:expr;
        $env:literal, default $default:expr, like $example:literal, also [$($alias:literal as $reading:ident),*];
        $means:literal;
        $trades:literal;
    )+) => {
        /// Every setting, in the order of the reference page.
        pub static TABLE: &[Setting] = &[$(Setting {
            name: stringify!($name),
            means: $means,
            trades: $trades,
            default: $default,
            example: $example,
            aliases: &[$(($alias, Reading::$reading)),*],
            env: $env,
            form: &$form,
        },)+];

        /// How a link behaves: every setting with a value that is in its range.
        ///
        /// Begin with [`Settings::default`] or [`Settings::from_target`], change single ones by their setters (typed)
        /// or by [`apply`](Self::apply) (text). There is no way to hold a value that is out of range.
        #[derive(Clone, PartialEq)]
        pub struct Settings {
            $($name: $type,)+
        }

        impl Default for Settings {
            fn default() -> Self {
                Self { $($name: $value,)+ }
            }
        }

        impl Settings {
            $(
                #[doc = $means]
                #[doc = ""]
                #[doc = $trades]
                pub fn $name(&self) -> $type {
                    self.$name.clone()
                }

                #[doc = concat!("Sets [`", stringify!($name), "`](Self::", stringify!($name), "), if the value is in its range.")]
                pub fn $set(&mut self, value: $type) -> Result<(), SettingError> {
                    let form = $form;
                    if form.fits(&value) {
                        self.$name = value;
                        return Ok(());
                    }
                    Err(SettingError::Wrong {
                        name: stringify!($name),
                        value: super::typed(stringify!($name), &form.show(&value).unwrap_or_default()),
                        expected: Form::describe(&form, Reading::Own),
                        example: $example.to_owned(),
                    })
                }
            )+

            /// Reads `text` into the setting of this name.
            pub(super) fn read(&mut self, name: &str, text: &str, reading: Reading) -> Result<(), Unfit> {
                $(if name == stringify!($name) {
                    let form = $form;
                    let value = form.read(text, reading)?;
                    if !form.fits(&value) {
                        return Err(Unfit);
                    }
                    self.$name = value;
                    return Ok(());
                })+
                Err(Unfit)
            }

            /// Each setting with its present value, as it would be written; secrets are masked.
            pub fn shown(&self) -> Vec<(&'static str, Option<String>)> {
                vec![$((stringify!($name), $form.show(&self.$name)),)+]
            }
        }
    };
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const HOUR: Duration = secs(3600);
const DAY: Duration = secs(86_400);
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

const fn count(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).expect("a default of at least one")
}

const fn text(bytes_max: usize, allows: Allows) -> Text {
    Text { bytes_max, allows }
}

const fn span(min: Duration, max: Duration) -> Span {
    Span { min, max }
}

const fn span_or_off(min: Duration, max: Duration, on: Option<Duration>) -> SpanOrOff {
    SpanOrOff {
        span: Span { min, max },
        on,
    }
}

settings! {
    // -- how long a call may take --
    deadline, set_deadline: Duration = secs(1), span(ms(1), HOUR);
    "SEAWALL_DEADLINE", default Some("1s"), like "2s", also ["socket_timeout" as Seconds];
    "How long a call may take in all: waiting for a connection, name service, dialling, TLS, AUTH and retries are in it. A blocking command has its own timeout on top.";
    "Longer hides more of an outage from the caller, and keeps a worker longer in it. A second fits web requests.";

    connect_timeout, set_connect_timeout: Duration = secs(1), span(ms(1), secs(300));
    "SEAWALL_CONNECT_TIMEOUT", default Some("1s"), like "500ms", also ["socket_connect_timeout" as Seconds];
    "How long one attempt to connect may take, TLS and HELLO included. The deadline ends it earlier.";
    "Shorter tries the next address sooner, and gives up on slow networks that would have answered.";

    ride_out, set_ride_out: Duration = ms(500), span(Duration::ZERO, secs(60));
    "SEAWALL_RIDE_OUT", default Some("500ms"), like "300ms", also [];
    "How long a call that was not sent waits for the endpoint to come back, counted from the start of an outage and within the deadline. Afterwards it is answered at once.";
    "Longer hides longer blips, and holds more callers at the start of a real outage. 0 answers at once.";

    // -- what is tried again --
    replay, set_replay: ReplayLimit = ReplayLimit::ReadsAndOverwrites, Choice { all: ReplayLimit::ALL, name: ReplayLimit::name, also: &[] };
    "SEAWALL_REPLAY", default Some("reads+overwrites"), like "reads", also [];
    "Which commands may be sent again after they may have run: `reads` alone; also plain overwrites that this client has not written over since; or also those that leave the same state though their reply differs (DEL, SADD, HSET).";
    "`reads+overwrites` may put an older value over one that another client wrote within the deadline; `same-state` may delete a lock that its next holder has just taken.";

    attempts, set_attempts: NonZeroU32 = count(3), CountFromOne { max: 10 };
    "SEAWALL_ATTEMPTS", default Some("3"), like "2", also [];
    "How often a call may be sent in all, the first time included. A read or overwrite on a connection that many calls share and that is lost under another one is carried over to the next without counting, up to 8 times; with `1` nothing is sent again.";
    "More answers more calls through a flapping network, and loads a struggling server more.";

    retry_budget, set_retry_budget: Percent = Percent::fixed(20), Share;
    "SEAWALL_RETRY_BUDGET", default Some("20%"), like "10%", also [];
    "How many calls may be sent again, as a share of the calls of the last 10 s; ten a second are always allowed. Calls that a lost shared connection took along count as one together; no more of them are sent again than were answered in the last 10 s.";
    "A larger share answers more calls in a bad network, and multiplies the load of a server that fails under load.";

    // -- connections --
    pool_size, set_pool_size: NonZeroU32 = count(8), CountFromOne { max: 65_535 };
    "SEAWALL_POOL_SIZE", default Some("8"), like "16", also ["max_connections" as Own];
    "How many connections one process opens to one endpoint; connections of blocking commands, leases and subscriptions come on top, as many again and at least 256.";
    "More serve more threads at once; processes times this number must stay below the server's `maxclients`.";

    waiters_max, set_waiters_max: u32 = 4096, Count { min: 0, max: 1_000_000 };
    "SEAWALL_WAITERS_MAX", default Some("4096"), like "256", also [];
    "How many calls may wait for a connection, first come first served; the next is refused at once with cause `too-many-waiting`.";
    "More rides out longer bursts, and lets more work pile up that will miss its deadline anyway.";

    max_idle, set_max_idle: Option<Duration> = None, span_or_off(ms(100), DAY, None);
    "SEAWALL_MAX_IDLE", default Some("off"), like "240s", also [];
    "A connection that was idle this long is closed instead of used. `off`: only the server's own `timeout` and what was learned count.";
    "Below the idle limit of server, balancer and firewall no call meets a dead connection; too short dials anew all the time.";

    max_age, set_max_age: Option<Duration> = None, span_or_off(secs(1), DAY, None);
    "SEAWALL_MAX_AGE", default Some("off"), like "30m", also [];
    "A connection of this age is replaced when it is next free.";
    "Spreads connections over the addresses of a name again after a change; costs a dial per connection and age.";

    keepalive, set_keepalive: Option<Duration> = Some(secs(30)), span_or_off(secs(1), HOUR, Some(secs(30)));
    "SEAWALL_KEEPALIVE", default Some("30s"), like "60s", also ["socket_keepalive" as Switch];
    "After how much silence the kernel asks whether the peer is still there. `off` sends no such probes.";
    "Below the idle limit of a firewall it keeps flows alive; each probe is a packet.";

    keepalive_interval, set_keepalive_interval: Duration = secs(5), span(secs(1), HOUR);
    "SEAWALL_KEEPALIVE_INTERVAL", default Some("5s"), like "10s", also [];
    "How far apart the kernel's probes are once one was not answered.";
    "Shorter notices a vanished peer sooner, and mistakes a short partition for one.";

    keepalive_count, set_keepalive_count: NonZeroU32 = count(3), CountFromOne { max: 127 };
    "SEAWALL_KEEPALIVE_COUNT", default Some("3"), like "5", also [];
    "After how many unanswered probes the kernel gives the connection up.";
    "As for the interval.";

    tcp_user_timeout, set_tcp_user_timeout: Option<Duration> = Some(secs(20)), span_or_off(ms(100), HOUR, None);
    "SEAWALL_TCP_USER_TIMEOUT", default Some("20s"), like "30s", also [];
    "How long what was written may stay unacknowledged before the kernel gives the connection up; never below the deadline of a write. `off` leaves it to the kernel: about 15 minutes.";
    "Too short cuts off a server that is only stopped for a moment while a large value is on its way to it.";

    // -- who we are to the server --
    user, set_user: Option<Arc<str>> = None, text(1024, Allows::Printable);
    "SEAWALL_USER", default None, like "app", also ["username" as Own];
    "The ACL user. A password without a user is that of the user `default`.";
    "None; a user of its own makes ACL LOG and CLIENT LIST readable.";

    password, set_password: Option<Secret> = None, Hidden;
    "SEAWALL_PASSWORD", default None, like "***", also ["pass" as Own];
    "The password. It is shown nowhere.";
    "In a URL it may end up in process lists and logs of others; the environment variable does not.";

    db, set_db: u32 = 0, Count { min: 0, max: i32::MAX.unsigned_abs() };
    "SEAWALL_DB", default Some("0"), like "0", also ["virtual_host" as Own];
    "The database, selected on each new connection. In a URL it is the path: `redis://host/0`.";
    "None; a cluster has database 0 alone.";

    client_name, set_client_name: Option<Arc<str>> = None, text(128, Allows::Graphic);
    "SEAWALL_CLIENT_NAME", default None, like "checkout:web-3:812", also [];
    "The name of our connections in CLIENT LIST. If none is set, it is made from service, host and process.";
    "None; the doctor joins accounts of client and server by it.";

    lib_name, set_lib_name: Option<Arc<str>> = None, text(512, Allows::Graphic);
    "SEAWALL_LIB_NAME", default None, like "shop(seawall)", also [];
    "What CLIENT LIST shows as the library of our connections (`lib-name`), where the server knows that: Redis 7.2, Valkey. If none is set, `seawall`; `off` says nothing.";
    "None; it goes out with the login. A server that refuses it is not told again.";

    lib_version, set_lib_version: Option<Arc<str>> = None, text(128, Allows::Graphic);
    "SEAWALL_LIB_VERSION", default None, like "1.2.3", also [];
    "The version that goes with it (`lib-ver`). If none is set, Seawall's; `off` says nothing.";
    "As `lib_name`.";

    protocol, set_protocol: ProtocolChoice = ProtocolChoice::Auto, Choice { all: ProtocolChoice::ALL, name: ProtocolChoice::name, also: &[] };
    "SEAWALL_PROTOCOL", default Some("auto"), like "2", also [];
    "RESP3 where the server speaks it (`auto`), or one of both.";
    "RESP3 tells the server's own client id, and brings pushes; some proxies speak RESP2 alone.";

    server_hints, set_server_hints: ServerHints = ServerHints::Auto, Choice { all: ServerHints::ALL, name: ServerHints::name, also: &[] };
    "SEAWALL_SERVER_HINTS", default Some("auto"), like "off", also [];
    "Whether the server is asked for its `timeout`, so that connections retire before it closes them.";
    "Asking needs CONFIG GET; where the user may not run it, each refusal counts as an ACL denial.";

    // -- TLS --
    tls_ca_file, set_tls_ca_file: Option<Arc<Path>> = None, FilePath;
    "SEAWALL_TLS_CA_FILE", default None, like "/etc/ssl/redis-ca.pem", also ["ssl_ca_certs" as Own];
    "The authorities that may sign the server's certificate, as PEM. If none is set, those of the system.";
    "A file of one's own trusts nobody else; it must be renewed with the authority.";

    tls_cert_file, set_tls_cert_file: Option<Arc<Path>> = None, FilePath;
    "SEAWALL_TLS_CERT_FILE", default None, like "/etc/ssl/app.pem", also ["ssl_certfile" as Own];
    "Our own certificate with its chain, as PEM, for servers with `tls-auth-clients yes`. Needs `tls_key_file`.";
    "None; it must be renewed in time.";

    tls_key_file, set_tls_key_file: Option<Arc<Path>> = None, FilePath;
    "SEAWALL_TLS_KEY_FILE", default None, like "/etc/ssl/app.key", also ["ssl_keyfile" as Own];
    "The key of our certificate, as PEM without a password. Needs `tls_cert_file`.";
    "Whoever reads the file can pose as this application.";

    tls_server_name, set_tls_server_name: Option<Arc<str>> = None, text(253, Allows::Host);
    "SEAWALL_TLS_SERVER_NAME", default None, like "cache.example.com", also [];
    "The name that is sent to the server and looked for in its certificate, where it is not the URL's host.";
    "None; for tunnels and addresses without a name.";

    tls_verify, set_tls_verify: TlsVerify = TlsVerify::Required, Choice { all: TlsVerify::ALL, name: TlsVerify::name, also: &[
        ("CERT_REQUIRED", TlsVerify::Required), ("optional", TlsVerify::Required), ("CERT_OPTIONAL", TlsVerify::Required), ("CERT_NONE", TlsVerify::Nothing),
    ] };
    "SEAWALL_TLS_VERIFY", default Some("required"), like "required", also ["ssl_cert_reqs" as Own];
    "Whether the server's certificate must be signed by a trusted authority.";
    "`none` encrypts without knowing to whom: anyone between can read passwords and data.";

    tls_check_name, set_tls_check_name: NameCheck = NameCheck::On, Choice { all: NameCheck::ALL, name: NameCheck::name, also: &[
        ("true", NameCheck::On), ("yes", NameCheck::On), ("1", NameCheck::On), ("false", NameCheck::Off), ("no", NameCheck::Off), ("0", NameCheck::Off),
    ] };
    "SEAWALL_TLS_CHECK_NAME", default Some("on"), like "on", also ["ssl_check_hostname" as Own];
    "Whether the server's certificate must carry the host's name.";
    "`off` accepts every server that the same authority signed for.";

    // -- limits, and what is kept --
    reply_bytes_max, set_reply_bytes_max: u64 = GIB, Bytes { min: KIB, max: 64 * GIB };
    "SEAWALL_REPLY_BYTES_MAX", default Some("1GiB"), like "64MiB", also [];
    "The largest reply that is taken; a larger one closes its connection with cause `reply-too-large`. Redis's own limit for one value is 512 MiB.";
    "Smaller protects this process's memory from one careless LRANGE.";

    journal_bytes, set_journal_bytes: u64 = MIB, Bytes { min: 16 * KIB, max: GIB };
    "SEAWALL_JOURNAL_BYTES", default Some("1MiB"), like "4MiB", also [];
    "How much of what happened to connections is kept; the oldest is overwritten.";
    "More looks further back: 1 MiB holds some ten thousand events. Keys and values are never in it.";

    state_dir, set_state_dir: Option<Arc<Path>> = None, FilePath;
    "SEAWALL_STATE_DIR", default None, like "/var/lib/seawall", also [];
    "Where the journal and other state are kept on disk. If none is set, in memory alone.";
    "On disk it survives the process, and the doctor can read it afterwards.";
}
