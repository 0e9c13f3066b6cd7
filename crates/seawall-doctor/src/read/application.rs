//! Applications' logs: what Redis clients write into them, alone or inside a traceback.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use super::client_texts::{NAMES, TEXTS, meaning, names_redis};
use super::envelope::{self, Opened};
use super::record::{self, Record};
use super::{Given, Hit, Searcher, call, clock};
use crate::facts::{ClientLine, Fact, Facts, Failure, Kept, Place, Spot};
use crate::rule::Need;
use crate::stamp::Stamp;
use crate::tally::Tally;
use crate::text::{Listened, Said, Text};

/// Whether this is a line of such a log.
pub(super) fn is(text: &str) -> bool {
    listened().search.is_match(text)
}

pub(super) fn listened() -> &'static Listened {
    static LISTENED: OnceLock<Listened> = OnceLock::new();
    let own = TEXTS.iter().map(|known| known.words);
    Listened::once(&LISTENED, Need::ClientLog, own.chain(NAMES.iter().copied()))
}

#[derive(Clone)]
pub(super) struct Application {
    source: Arc<str>,
    given: Given,
    /// What was told last, of which more may come: a traceback tells its failure more than once.
    open: Option<Open>,
    failures: u64,
    tallies: BTreeMap<Failure, Tally>,
    /// Failures in which nothing names Redis, and where the first of them stands.
    strangers: u64,
    first_stranger: Option<u64>,
    found: Kept<Failure, ClientLine>,
    said: Kept<Text, Said>,
    zoneless: bool,
    zoned: bool,
}

/// A failure as far as it has been told.
#[derive(Clone)]
struct Open {
    record: Record,
    at: Option<Stamp>,
    /// Its place in the table: the smallest says most.
    rank: usize,
    failure: Failure,
    number: u64,
    is_redis: bool,
    is_stranger: bool,
    /// What rules heard in it.
    said: Vec<Fact<Said>>,
    what: ClientLine,
}

impl Application {
    pub(super) fn new(name: &str, given: Given) -> Self {
        Self {
            source: name.into(),
            given,
            open: None,
            failures: 0,
            tallies: BTreeMap::new(),
            strangers: 0,
            first_stranger: None,
            found: Kept::default(),
            said: Kept::default(),
            zoneless: false,
            zoned: false,
        }
    }

    /// Takes a line that was opened.
    pub(super) fn take(&mut self, hit: &Hit<'_>, opened: &Opened<'_>) {
        let record = record::around(hit, opened, self.given.now);
        self.zoneless |= record.told.is_some_and(|told| !told.zoned);
        self.zoned |= record.told.is_some_and(|told| told.zoned);
        let at = record.told.map(|told| told.at);
        let (said, besides): (Vec<_>, Vec<_>) = self
            .listened()
            .said(&opened.text, None)
            .map(|what| {
                let place = self.place(hit.number);
                Fact { at, place, what }
            })
            .partition(|fact| fact.what.text.fails);
        for fact in besides {
            self.said.push(fact.what.text, fact);
        }
        let heard_own = said.iter().any(|fact| !fact.what.text.shared);
        let known = meaning(&opened.text);
        let named = names_redis(&opened.text);
        let continues = self.open.as_ref().is_some_and(|open| open.has(&record, at));
        if !continues {
            self.flush();
        }
        let (rank, failure, own) = match known {
            Some((rank, known)) => (rank, known.failure, known.own),
            None if !said.is_empty() => (TEXTS.len(), Failure::Other, heard_own),
            // An exception's name alone says whose the failure around it is, and is none.
            None => (usize::MAX, Failure::Other, false),
        };
        let open = self.open.get_or_insert_with(|| Open {
            at,
            rank: usize::MAX,
            failure,
            number: hit.number,
            is_redis: false,
            is_stranger: false,
            said: Vec::new(),
            what: ClientLine::new(failure),
            record: record.clone(),
        });
        open.said.extend(said);
        open.is_redis |= own || heard_own || named == Some(true) || record.names == Some(true);
        open.is_stranger |= named.is_none() || record.names.is_none();
        if rank < open.rank {
            (open.rank, open.failure) = (rank, failure);
        }
        open.record.last = hit.number;
        open.at = open.at.or(at);
        let what = &mut open.what;
        let text = &*opened.text;
        what.server = what.server.take().or_else(|| call::server(text));
        what.local = what.local.take().or_else(|| call::local(text));
        // A log of records has it in a field of its own, beside the text.
        what.idle = what
            .idle
            .or_else(|| call::idle(text))
            .or_else(|| call::idle(&hit.line));
        what.command = what
            .command
            .take()
            .or_else(|| call::command(text, hit.before));
        what.process = what.process.take().or(record.process);
    }

    /// Tells what was open.
    fn flush(&mut self) {
        let Some(open) = self.open.take() else { return };
        if open.rank == usize::MAX {
            return;
        }
        if !open.is_redis {
            self.strangers += 1;
            self.first_stranger.get_or_insert(open.number);
            return;
        }
        for fact in open.said {
            self.said.push(fact.what.text, fact);
        }
        self.failures += 1;
        let mut what = open.what;
        what.failure = open.failure;
        let (at, place) = (open.at, self.place(open.number));
        self.tallies
            .entry(open.failure)
            .or_default()
            .count(at, &what);
        self.found.push(open.failure, Fact { at, place, what });
    }

    fn place(&self, number: u64) -> Place {
        Place {
            source: Arc::clone(&self.source),
            spot: Spot::Line(number),
        }
    }

    /// Whether anything was told.
    pub(super) fn told(&self) -> bool {
        self.failures + self.strangers > 0 || self.open.is_some()
    }
}

impl Open {
    /// Whether a record goes on with it.
    fn has(&self, record: &Record, at: Option<Stamp>) -> bool {
        let near = match (self.at, at) {
            (Some(one), Some(other)) => one.seconds_to(other).abs() < 2.0,
            _ => true,
        };
        record.continues && record.first == self.record.first && near
    }
}

impl Searcher for Application {
    fn source(&self) -> Arc<str> {
        Arc::clone(&self.source)
    }

    fn listened(&self) -> &'static Listened {
        listened()
    }

    fn time(&self, line: &str) -> Option<Stamp> {
        time_of(line, self.given.now)
    }

    fn line(&mut self, hit: &Hit<'_>) {
        let opened = envelope::open(&hit.line, self.given.now);
        self.take(hit, &opened);
    }

    fn at(&mut self, given: Given) {
        self.given = given;
    }

    fn copy(&self) -> Box<dyn Searcher> {
        Box::new(self.clone())
    }

    fn end(&mut self, facts: &mut Facts) {
        self.so_far(true, facts);
    }

    fn so_far(&mut self, quiet: bool, facts: &mut Facts) {
        if quiet {
            self.flush();
        }
        facts.had.insert(Need::ClientLog);
        facts.failures += std::mem::take(&mut self.failures);
        for (failure, tally) in std::mem::take(&mut self.tallies) {
            let key = (Arc::clone(&self.source), failure);
            facts.tallies.insert(key, tally);
        }
        match (self.zoneless, self.zoned) {
            (true, false) => facts.without_zone(&self.source, "they have no zone"),
            // It has no zone that all of it could be moved by.
            (true, true) => {
                facts.assumed.insert(format!(
                    "{}: some of its times have no zone, others do: those without are taken as UTC",
                    self.source
                ));
            }
            (false, _) => {}
        }
        if let Some(first) = self.first_stranger {
            let how_many = match self.strangers {
                1 => "1 failure in which nothing names Redis is not counted, in line".to_owned(),
                many => format!(
                    "{many} failures in which nothing names Redis are not counted, the first in line"
                ),
            };
            facts
                .assumed
                .insert(format!("{}: {how_many} {first}", self.source));
        }
        let found = self.found.end(&self.source, facts);
        facts.client_log.extend(found);
        let said = self.said.end(&self.source, facts);
        facts.said.extend(said);
    }
}

/// When a line was written, as it says itself or as what carries it does.
pub(super) fn time_of(line: &str, now: Stamp) -> Option<Stamp> {
    let opened = envelope::open(line, now);
    let told = opened.told.or_else(|| clock::find(&opened.text, now));
    told.map(|told| told.at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::application;

    fn told(text: &str) -> Vec<(Failure, Option<String>)> {
        let facts = application(text);
        let all = facts.client_log.into_iter();
        all.map(|fact| (fact.what.failure, fact.what.server))
            .collect()
    }

    #[test]
    fn every_text_means_what_its_client_means() {
        for (number, known) in TEXTS.iter().enumerate() {
            let (first, _) = meaning(known.words).expect("it is in the table");
            let told = TEXTS[first].failure;
            assert!(
                first == number || told == known.failure,
                "{} is hidden by {}",
                known.words,
                TEXTS[first].words
            );
        }
        assert_eq!(names_redis("nothing"), Some(false));
    }

    /// As an application of FastAPI's on Seawall wrote it when its server was killed, and frozen.
    #[test]
    fn what_our_own_clients_write_is_a_failed_call() {
        let log = "\
            2026-11-29 15:28:52,418 4354 INFO seawall: outage.suspected endpoint=127.0.0.1:7802 cause=connection-reset\n\
            2026-11-29 15:28:52,419 4354 ERROR seawall.contrib: request.unavailable cause=connection-refused request='GET /incr' suppressed=0: INCRBY may have run: the host is there, but no process listens on that port (127.0.0.1:7802)\n\
            2026-11-29 15:28:53,439 4354 WARNING seawall: outage.start endpoint=127.0.0.1:7802 cause=connection-refused fails=3\n\
            2026-11-29 15:28:54,026 4354 INFO api: profile of user 7 is shown\n\
            2026-11-29 15:28:55,872 4354 ERROR api: get: GET may have run: the reply did not come in time (127.0.0.1:7802)\n\
            2026-11-29 15:28:56,536 4354 WARNING seawall: outage.end endpoint=127.0.0.1:7802 cause=connection-refused lasted=3.118s answered=0 failed=309 maybe_ran=0 restarted=yes\n";
        let server = Some("127.0.0.1:7802".to_owned());
        assert_eq!(
            told(log),
            [
                (Failure::Refused, server.clone()),
                (Failure::Refused, server.clone()),
                (Failure::ReadTimeout, server),
            ]
        );
    }

    #[test]
    fn another_databases_failure_is_none_of_redis() {
        for line in [
            "2026-11-23T02:58:11Z psycopg2.OperationalError: connection to server at \"db\", port 5432 failed: Connection refused\n",
            "2026-11-23T02:58:11Z pymysql.err.OperationalError: (1040, 'Too many connections')\n",
            "2026-11-23T02:58:11Z requests.exceptions.ReadTimeout: HTTPConnectionPool(host='api'): Read timed out. (read timeout=3)\n",
            "2026-11-23T02:58:11Z dial tcp 10.0.0.9:5432: connect: connection refused\n",
            "2026-11-23T02:58:11Z Connection refused\n",
            "2026-11-23T02:58:11Z smtp: Connection closed by server\n",
        ] {
            let facts = application(line);
            assert_eq!(facts.client_log, [], "{line}");
            assert!(
                facts
                    .assumed
                    .iter()
                    .any(|words| words.contains("1 failure in which nothing names Redis")),
                "{line}: {:?}",
                facts.assumed
            );
        }
        let with_port =
            "2026-11-23T02:58:11Z dial tcp 10.0.0.9:6379: connect: connection refused\n";
        assert_eq!(
            told(with_port),
            [(Failure::Refused, Some("10.0.0.9:6379".to_owned()))]
        );
    }

    const CHAINED: &str = "2026-11-23 02:58:11,042 ERROR django.request: Internal Server Error: /cart
Traceback (most recent call last):
  File \"/v/redis/connection.py\", line 707, in connect
    sock = self.retry.call_with_retry(
ConnectionRefusedError: [Errno 111] Connection refused

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File \"/v/django/core/handlers/exception.py\", line 55, in inner
redis.exceptions.ConnectionError: Error 111 connecting to cache:6379. Connection refused.

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File \"/v/django_redis/cache.py\", line 28, in _decorator
django_redis.exceptions.ConnectionInterrupted: Redis ConnectionError: Error 111 connecting to cache:6379. Connection refused.
";

    #[test]
    fn chained_exceptions_are_one_failure_and_two_of_them_are_two() {
        let one = (Failure::Refused, Some("cache:6379".to_owned()));
        assert_eq!(told(CHAINED), std::slice::from_ref(&one));
        assert_eq!(told(&CHAINED.repeat(2)), [one.clone(), one.clone()]);
        // On standard error, without a line of a log in front of each.
        let (_, bare) = CHAINED.split_once('\n').expect("lines");
        assert_eq!(
            told(&bare.repeat(3)),
            [one.clone(), one.clone(), one.clone()]
        );
        // As a container's file has them: every line with a time of its own.
        let carried: Vec<_> = bare
            .lines()
            .zip(10..)
            .map(|(line, at)| format!("2026-11-23T02:58:11.0420{at}123Z stderr F {line}\n"))
            .collect();
        assert_eq!(told(&carried.concat()), [one]);
    }

    #[test]
    fn a_libraries_name_anywhere_in_a_traceback_is_enough() {
        let text = "2026-11-23 02:58:11,042 ERROR in task
Traceback (most recent call last):
  File \"/v/redis/asyncio/connection.py\", line 500, in read_response
    async with timeout(read_timeout):
asyncio.exceptions.TimeoutError
";
        assert_eq!(told(text), [(Failure::ReadTimeout, None)]);
        let other = text.replace("/redis/", "/aiohttp/");
        assert_eq!(told(&other), []);
    }

    #[test]
    fn who_wrote_it_is_told_where_the_line_does() {
        for (line, process) in [
            (
                "[2026-11-23 02:58:11,042: ERROR/ForkPoolWorker-3] redis.exceptions.ConnectionError: Connection closed by server.\n",
                "ForkPoolWorker-3",
            ),
            (
                "[2026-11-23 02:58:11 +0000] [9] [ERROR] redis.exceptions.ConnectionError: Connection closed by server.\n",
                "9",
            ),
            (
                "web-1  | 2026-11-23 02:58:11,042 ERROR Connection closed by server.\n",
                "web-1",
            ),
            (
                "Nov 23 02:58:11 host gunicorn[77]: ERROR Connection closed by server.\n",
                "gunicorn[77]",
            ),
            (
                "{\"time\":\"2026-11-23T02:58:11Z\",\"pid\":12,\"msg\":\"Connection closed by server.\"}\n",
                "12",
            ),
        ] {
            let facts = application(line);
            let told: Vec<_> = facts
                .client_log
                .iter()
                .map(|fact| fact.what.process.as_deref())
                .collect();
            assert_eq!(told, [Some(process)], "{line}");
            assert!(facts.client_log[0].at.is_some(), "{line}");
        }
    }

    #[test]
    fn a_log_in_which_some_times_have_a_zone_is_not_moved_as_a_whole() {
        let line = "2026-11-23 02:58:11,042 ERROR Connection closed by server.\n";
        let other = "2026-11-23T03:58:12+01:00 ERROR Connection closed by server.\n";
        assert_eq!(application(line).zoneless.len(), 1);
        let facts = application(&[line, other].concat());
        assert!(facts.zoneless.is_empty());
        let times: Vec<_> = facts.client_log.iter().map(|fact| fact.at).collect();
        let second = |at: Option<Stamp>| at.expect("a time").to_string()[11..19].to_owned();
        assert_eq!(
            times.into_iter().map(second).collect::<Vec<_>>(),
            ["02:58:11", "02:58:12"]
        );
        assert!(
            facts
                .assumed
                .iter()
                .any(|words| words.contains("some of its times have no zone"))
        );
    }

    #[test]
    fn a_password_in_a_url_stays_in_the_log() {
        let line = "[2026-11-23 02:58:11,042: ERROR/MainProcess] consumer: Cannot connect to redis://user:planted-4711@cache:6379/0: Error 111 connecting to cache:6379. Connection refused..\n";
        let facts = application(line);
        assert_eq!(
            facts.client_log[0].what.server.as_deref(),
            Some("cache:6379")
        );
        assert!(!format!("{facts:?}").contains("planted"), "{facts:?}");
    }
}
