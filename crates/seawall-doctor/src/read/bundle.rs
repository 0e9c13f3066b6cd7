//! The bundle that the script of `seawall collect` makes: sections, each what a reader of its own knows.

use std::io::{self, BufRead, Cursor};

use seawall_wire::Value;
use seawall_wire::error::ServerError;

use super::info::Pasted;
use super::kernel::Kernel;
use super::redis_log::RedisLog;
use super::{Given, Lines, cli, first_lines, reply, searched};
use crate::facts::{Facts, Host, Reach, TlsTrouble, Unseen};
use crate::managed::Service;
use crate::refusal::{Asked, Why};
use crate::rule::Need;

const MARK: &str = "== seawall ";

/// Of a section that is read as a whole, so much is kept: the script writes 5,000 lines of a log.
const SECTION_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Whether a file begins as a bundle does.
pub(super) fn begins(head: &[u8]) -> bool {
    head.starts_with(b"== seawall bundle ")
}

pub(super) fn read(
    name: &str,
    input: impl BufRead,
    given: Given,
    facts: &mut Facts,
) -> io::Result<()> {
    let mut lines = Lines::new(input);
    let mut bundle = Bundle {
        name: name.to_owned(),
        given,
        pasted: Pasted::new(name, given),
        host: Host::new(name, None),
        zone: None,
        reach: None,
        asked: Asked {
            server: name.to_owned(),
            ..Asked::default()
        },
        address: Address::default(),
        forbidden: Vec::new(),
        some_clients: false,
        whole: false,
        facts,
    };
    let mut title = String::new();
    let mut text = String::new();
    while let Some(line) = lines.next()? {
        if let Some(next) = line.strip_prefix(MARK) {
            bundle.section(&title, &std::mem::take(&mut text))?;
            next.clone_into(&mut title);
        } else if text.len() + line.len() < SECTION_BYTES_MAX {
            text.push_str(line);
            text.push('\n');
        }
    }
    bundle.section(&title, &text)?;
    bundle.end();
    Ok(())
}

struct Bundle<'a> {
    name: String,
    given: Given,
    pasted: Pasted,
    host: Host,
    /// Seconds east of UTC, of the host's clock.
    zone: Option<i64>,
    reach: Option<Reach>,
    /// Who was asked, as whom.
    asked: Asked,
    address: Address,
    /// What the user may not.
    forbidden: Vec<Vec<String>>,
    /// Not all clients are listed.
    some_clients: bool,
    whole: bool,
    facts: &'a mut Facts,
}

/// Where the server was looked for.
#[derive(Default)]
struct Address {
    host: String,
    port: String,
}

impl Address {
    /// `cache:6379`, where the script told both, or the path of a socket.
    fn name(&self) -> Option<String> {
        match (self.host.as_str(), self.port.as_str()) {
            ("", _) => None,
            (host, "") => host.starts_with("unix:").then(|| host.to_owned()),
            (host, port) if host.contains(':') => Some(format!("[{host}]:{port}")),
            (host, port) => Some(format!("{host}:{port}")),
        }
    }
}

impl Bundle<'_> {
    fn section(&mut self, title: &str, text: &str) -> io::Result<()> {
        match title.split(' ').next().unwrap_or_default() {
            "bundle" => self.head(text),
            "ping" => self.reach = reach(text.trim()),
            "host" => text.lines().for_each(|line| self.host.take(line)),
            "log" => self.log(title, text)?,
            "kernel" => self.kernel(text)?,
            "end" => self.whole = true,
            "" => {}
            "SENTINEL" if title != "SENTINEL MASTERS" => self.sentinel(title, text),
            _ => self.answer(title, text),
        }
        Ok(())
    }

    fn head(&mut self, text: &str) {
        for line in text.lines() {
            if let Some(zone) = line.strip_prefix("zone: ") {
                self.zone = east_of_utc(zone);
            } else if let Some(host) = line.strip_prefix("host: ") {
                self.asked.service = Service::named(host);
                host.clone_into(&mut self.address.host);
            } else if let Some(port) = line.strip_prefix("port: ") {
                port.clone_into(&mut self.address.port);
            } else if let Some(user) = line.strip_prefix("user: ") {
                self.asked.user = Some(user.to_owned());
            }
        }
    }

    /// What the server answered, or why it did not.
    fn answer(&mut self, title: &str, text: &str) {
        let first = text.lines().next().unwrap_or_default();
        let first = first.trim_start_matches("(error) ");
        let word = first.split(' ').next().unwrap_or_default();
        if ["NOPERM", "NOAUTH", "ERR", "LOADING", "BUSY", "MASTERDOWN"].contains(&word) {
            self.refused(title, &Why::of(word, first));
            return;
        }
        match title {
            "SLOWLOG GET" => {
                self.pasted.look().answered.insert("SLOWLOG GET");
            }
            "CLIENT LIST TYPE" => self.some_clients = true,
            _ => {}
        }
        text.lines().for_each(|line| self.pasted.line(line));
        self.pasted.pause();
        if title == "INFO" {
            let look = self.pasted.look();
            self.asked.service = self.asked.service.or_else(|| Service::of(look));
            self.asked.major = look.major();
        }
    }

    fn refused(&mut self, title: &str, why: &Why) {
        let words: Vec<_> = title.split(' ').take(2).collect();
        if *why == Why::NotPermitted {
            let owned = words.iter().map(|word| (*word).to_owned()).collect();
            if !self.forbidden.contains(&owned) {
                self.forbidden.push(owned);
            }
        }
        self.facts.unseen.extend(self.asked.unseen(&words, why));
    }

    /// `SENTINEL REPLICAS shop`
    fn sentinel(&mut self, title: &str, text: &str) {
        let words: Vec<_> = title.splitn(3, ' ').collect();
        let [_, what, name] = words[..] else { return };
        let Some(answer) = cli::replies(text).into_iter().next() else {
            return;
        };
        let look = self.pasted.look();
        let Some(watched) = look.watched.iter_mut().find(|one| one.name == name) else {
            return;
        };
        let instances = answer.as_elements().unwrap_or_default().iter();
        match what {
            "REPLICAS" => watched.replicas = instances.map(reply::instance).collect(),
            "SENTINELS" => watched.sentinels = instances.map(reply::instance).collect(),
            "CKQUORUM" => watched.quorum = quorum(&answer),
            _ => {}
        }
    }

    fn log(&mut self, title: &str, text: &str) -> io::Result<()> {
        // Nothing at all: it is elsewhere.
        if text.is_empty() {
            return Ok(());
        }
        let path = title.strip_prefix("log of ").unwrap_or("the log");
        let file = path.rsplit('/').next().unwrap_or(path);
        let source = format!("{} ({file})", self.name);
        let mut part = Facts::default();
        let first = first_lines(text.as_bytes())?;
        let log = RedisLog::new(&source, self.given);
        searched(
            Box::new(log),
            &first,
            Cursor::new(text),
            self.given,
            &mut part,
        )?;
        if let Some(zone) = self.zone {
            part.in_zone(zone);
        }
        self.facts.add(part);
        Ok(())
    }

    fn kernel(&mut self, text: &str) -> io::Result<()> {
        // Nothing at all: it could not be read.
        if text.is_empty() {
            return Ok(());
        }
        let source = format!("{} (kernel)", self.name);
        let first = first_lines(text.as_bytes())?;
        let log = Kernel::new(&source, self.given);
        searched(
            Box::new(log),
            &first,
            Cursor::new(text),
            self.given,
            self.facts,
        )
    }

    fn end(mut self) {
        if !self.whole {
            self.facts.unseen.push(Unseen {
                what: format!("the rest of {}", self.name),
                why: "it ends before its end: it was cut off, or the script was".to_owned(),
                how: "run the script again: seawall collect --script > collect.sh; sh collect.sh"
                    .to_owned(),
            });
        }
        self.facts
            .unseen
            .extend(self.asked.together(&self.forbidden));
        if self.some_clients {
            self.pasted.look().answered.remove("CLIENT LIST");
        }
        if !self.host.values.is_empty() {
            self.facts.had.insert(Need::Host);
            self.facts.hosts.push(self.host);
        }
        // Who told of itself afterwards did answer.
        if let Some(reach) = self.reach
            && self.pasted.look().info.is_empty()
        {
            let look = self.pasted.look();
            look.reach = reach;
            if let Some(address) = self.address.name() {
                look.source = format!("{address} ({})", self.name).into();
            }
        }
        self.pasted.end(self.facts);
    }
}

fn quorum(answer: &Value) -> Option<Result<String, String>> {
    match answer {
        Value::Error(error) => Some(Err(error.message.to_string())),
        other => Some(Ok(other.as_str()?.to_owned())),
    }
}

/// `+0130`
fn east_of_utc(zone: &str) -> Option<i64> {
    let zone = zone.trim();
    let (sign, digits) = match zone.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let hours: i64 = digits.get(..2)?.parse().ok()?;
    let minutes: i64 = digits.get(2..4)?.parse().ok()?;
    Some(sign * (hours * 3_600 + minutes * 60))
}

/// What became of PING, by the words that the script lets through.
fn reach(words: &str) -> Option<Reach> {
    let why = words.strip_prefix("Could not connect to Redis: ");
    Some(match (words, why) {
        ("PONG" | "LOADING" | "MASTERDOWN" | "NOPERM", _) => return None,
        ("" | "no answer", _) => Reach::Silent { connected: true },
        (_, Some("Connection refused")) => Reach::Refused,
        (_, Some(why)) if why.contains("timed out") => Reach::Silent { connected: false },
        (_, Some(why)) if why.contains("Name or service") || why.contains("name resolution") => {
            Reach::NameUnknown(why.to_owned())
        }
        (_, Some(why)) => Reach::Unreachable(why.to_owned()),
        ("max number of clients", _) => {
            Reach::TurnedAway("max number of clients reached".to_owned())
        }
        ("SSL_connect failed", _) => Reach::Tls(TlsTrouble::Other(words.to_owned())),
        ("Server closed the connection", _) => {
            Reach::TurnedAway("closed without a word".to_owned())
        }
        (word, _) => Reach::TurnedAway(ServerError::parse(word.as_bytes()).kind.word().to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::read::{Kind, file};
    use crate::stamp::Stamp;

    const BUNDLE: &str = "== seawall bundle 1\ntime: 1795911742\nzone: +0100\n== seawall ping\nPONG\n== seawall INFO\n\
# Server\nrun_id:a\nuptime_in_seconds:10\nrejected_connections:1\n== seawall CONFIG GET\n1) \"timeout\"\n2) \"30\"\n\
== seawall ACL LOG\n(error) NOPERM this user has no permissions\n== seawall INFO\nrun_id:a\nuptime_in_seconds:15\n\
rejected_connections:4\n== seawall host\nsomaxconn: 128\n== seawall log of /var/log/redis/redis.log\n\
9:M 23 Nov 2026 02:58:11.042 * Ready to accept connections\n== seawall kernel\n== seawall end\n";

    fn given() -> Given {
        Given {
            now: Stamp::of((2026, 11, 24), (0, 0, 0), 0).expect("a date"),
        }
    }

    fn read(text: &str) -> Facts {
        let (kind, mut facts) = file("bundle.txt", text.as_bytes(), given()).expect("in memory");
        assert_eq!(kind, Kind::Bundle);
        facts.sort();
        facts
    }

    #[test]
    fn each_section_is_told_as_its_source_would_tell_it() {
        let facts = read(BUNDLE);
        let look = &facts.looks[0];
        assert_eq!(facts.looks.len(), 1);
        assert_eq!(look.rose("rejected_connections"), Some(3));
        assert_eq!(look.setting("timeout"), Some(30));
        assert_eq!(facts.hosts[0].number("somaxconn"), Some(128));
        let ready = &facts.server_log[0];
        assert_eq!(
            ready.at.expect("a time").to_string(),
            "2026-11-23T01:58:11.042Z"
        );
        assert!(facts.zoneless.is_empty());
        assert!(!facts.had.contains(&Need::Kernel));
        assert_eq!(facts.unseen.len(), 1, "{:?}", facts.unseen);
        assert!(facts.unseen[0].how.contains("+acl|log"));
    }

    #[test]
    fn a_bundle_that_was_cut_off_tells_what_it_has_and_that_it_was() {
        for end in (40..BUNDLE.len() - 12).filter(|end| BUNDLE.is_char_boundary(*end)) {
            let facts = read(&BUNDLE[..end]);
            let cut = facts
                .unseen
                .iter()
                .any(|one| one.what.contains("the rest of"));
            assert!(cut, "{end}");
        }
        assert_eq!(
            read(&BUNDLE[..BUNDLE.len() / 2]).looks[0].setting("timeout"),
            Some(30)
        );
    }

    #[test]
    fn a_server_that_let_nobody_in_is_told_so() {
        let text = "== seawall bundle 1\n== seawall ping\nCould not connect to Redis: Connection refused\n== seawall end\n";
        assert_eq!(read(text).looks[0].reach, Reach::Refused);
        let text = "== seawall bundle 1\n== seawall ping\nWRONGPASS\n== seawall end\n";
        assert_eq!(
            read(text).looks[0].reach,
            Reach::TurnedAway("WRONGPASS".to_owned())
        );
        let text = "== seawall bundle 1\nhost: cache\nport: 6379\n== seawall ping\nno answer\n== seawall end\n";
        let look = &read(text).looks[0];
        assert_eq!(look.reach, Reach::Silent { connected: true });
        assert_eq!(&*look.source, "cache:6379 (bundle.txt)");
    }

    #[test]
    fn a_server_that_told_of_itself_did_answer() {
        let text = BUNDLE.replace("PONG\n", "\n");
        assert_eq!(read(&text).looks[0].reach, Reach::Pasted);
    }

    proptest! {
        #[test]
        fn no_sections_make_it_panic(
            parts in "(== seawall (INFO|host|log of|SENTINEL REPLICAS|ping|kernel|ROLE|end)?|1\\) |\"|a:1|zone: [+-][0-9\u{e9}]{0,4}|\n| ){0,40}",
        ) {
            let text = format!("== seawall bundle 1\n{parts}");
            let _ = file("any", text.as_bytes(), given());
        }
    }
}
