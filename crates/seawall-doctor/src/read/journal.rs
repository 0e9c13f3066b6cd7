//! Seawall's own journal: the client's account of its connections.

use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::Arc;

use seawall_model::Cause;
use seawall_model::journal::{
    AREA_BYTES_MAX, ConnectionId, Event, HEADER_BYTES, Reader, Record, RingFile, WriteGate,
};

use crate::facts::{ClientLine, Connection, Fact, Facts, Failure, Kept, Place, Spot, Unseen};
use crate::rule::Need;
use crate::stamp::Stamp;

/// Where the second copy of what a journal begins with stands.
const SECOND_COPY: usize = 1_536;

/// Whether a file begins as a journal does, though one copy of its beginning be damaged.
pub(super) fn begins(head: &[u8]) -> bool {
    let is = |at: usize| {
        head.get(at..)
            .is_some_and(|rest| rest.starts_with(b"SEAWALLJ"))
    };
    is(0) || is(SECOND_COPY)
}

pub(super) fn read(name: &str, input: impl Read, facts: &mut Facts) -> io::Result<()> {
    let mut bytes = Vec::new();
    input
        .take(HEADER_BYTES as u64 + AREA_BYTES_MAX)
        .read_to_end(&mut bytes)?;
    let (process, records, damaged) = if let Ok(ring) = RingFile::open(&bytes) {
        let contents = ring.read();
        let process = Some(ring.header().process);
        (process, contents.records, contents.damaged_bytes)
    } else {
        let mut reader = Reader::new(bytes.get(HEADER_BYTES..).unwrap_or_default());
        let records: Vec<_> = reader.by_ref().flatten().collect();
        (None, records, reader.skipped_bytes().max(1))
    };
    if damaged > 0 {
        facts.unseen.push(Unseen {
            what: format!("a part of {name}"),
            why: format!("{damaged} bytes of it are damaged"),
            how: format!("seawall journal {name}"),
        });
    }
    let mut account = Account {
        source: name.into(),
        process: process.map(|process| process.to_string()),
        offset: offset(&records),
        open: HashMap::new(),
        failures: 0,
        found: Kept::default(),
        says: Kept::default(),
    };
    for (place, record) in records.iter().enumerate() {
        account.take(place as u64 + 1, record);
    }
    facts.had.insert(Need::ClientLog);
    facts.failures += account.failures;
    let span = [records.first(), records.last()].map(|end| end.and_then(|end| account.at(end)));
    if let [Some(from), Some(to)] = span {
        facts.spans.insert(Arc::clone(&account.source), (from, to));
    }
    let found = account.found.end(name, facts);
    facts.client_log.extend(found);
    let told = account.says.end(name, facts);
    facts.journal.extend(told);
    Ok(())
}

/// From the boot clock to the wall clock, in milliseconds, as the last record that knows both says.
fn offset(records: &[Record]) -> Option<i64> {
    records.iter().rev().find_map(|record| {
        let wall = i64::try_from(record.wall_unix_ms?).ok()?;
        Some(wall - millis(record))
    })
}

fn millis(record: &Record) -> i64 {
    (record.at.as_nanos() / 1_000_000).cast_signed()
}

struct Account {
    source: Arc<str>,
    process: Option<String>,
    offset: Option<i64>,
    open: HashMap<ConnectionId, Ends>,
    failures: u64,
    found: Kept<Failure, ClientLine>,
    /// By the kind of event.
    says: Kept<u8, String>,
}

#[derive(Clone, Default)]
struct Ends {
    local: Option<String>,
    connection: Option<Connection>,
}

impl Account {
    fn place(&self, number: u64) -> Place {
        Place {
            source: Arc::clone(&self.source),
            spot: Spot::Line(number),
        }
    }

    fn at(&self, record: &Record) -> Option<Stamp> {
        Some(Stamp(millis(record).checked_add(self.offset?)?))
    }

    fn take(&mut self, number: u64, record: &Record) {
        if let Some(says) = says(&record.event) {
            let (at, place) = (self.at(record), self.place(number));
            let fact = Fact {
                at,
                place,
                what: says,
            };
            self.says.push(record.event.kind(), fact);
        }
        let line = match &record.event {
            Event::Opened {
                connection,
                local,
                client_id,
                run_id_hash,
                ..
            } => {
                let ends = Ends {
                    local: local.map(|local| local.to_string()),
                    connection: client_id.map(|id| Connection {
                        id,
                        run: *run_id_hash,
                    }),
                };
                self.open.insert(*connection, ends);
                return;
            }
            Event::Closed {
                connection,
                endpoint,
                cause,
                idle,
                in_flight,
                command,
                ..
            } => {
                let ends = self.open.remove(connection).unwrap_or_default();
                let Some(failure) = cause.and_then(failure) else {
                    return;
                };
                let rested = *in_flight == 0
                    || matches!(
                        cause,
                        Some(Cause::IdleClosed | Cause::IdleReset | Cause::IdleSwallowed)
                    );
                ClientLine {
                    server: Some(endpoint.to_string()),
                    local: ends.local,
                    connection: ends.connection,
                    idle: rested.then(|| u64::try_from(idle.as_millis()).unwrap_or(u64::MAX)),
                    command: command.map(|command| command.as_str().to_owned()),
                    process: self.process.clone(),
                    ..ClientLine::new(failure)
                }
            }
            Event::DialFailed {
                endpoint, cause, ..
            }
            // What a server answers instead of a reply, and its silence, need not end a connection.
            | Event::WritesChanged {
                endpoint,
                gate: WriteGate::Closed,
                cause: Some(cause),
            }
            | Event::OutageStarted {
                endpoint,
                cause:
                    cause @ (Cause::Loading
                    | Cause::Busy
                    | Cause::ClusterDown
                    | Cause::MasterDown
                    | Cause::ServerUnresponsive),
            } => {
                let Some(failure) = failure(*cause) else {
                    return;
                };
                ClientLine {
                    server: Some(endpoint.to_string()),
                    process: self.process.clone(),
                    ..ClientLine::new(failure)
                }
            }
            _ => return,
        };
        self.failures += 1;
        let (at, place) = (self.at(record), self.place(number));
        self.found.push(
            line.failure,
            Fact {
                at,
                place,
                what: line,
            },
        );
    }
}

/// What it is, in words: of connections only how they ended, of calls nothing one by one.
fn says(event: &Event) -> Option<String> {
    let because = |cause: &Option<Cause>| {
        cause.map_or_else(String::new, |cause| format!(": {}", cause.name()))
    };
    Some(match event {
        Event::Closed {
            endpoint,
            cause: cause @ Some(_),
            ..
        } => format!("lost a connection to {endpoint}{}", because(cause)),
        Event::HealthChanged {
            endpoint,
            state,
            cause,
        } => format!("{endpoint} is {}{}", state.name(), because(cause)),
        Event::WritesChanged {
            endpoint,
            gate: WriteGate::Closed,
            cause,
        } => format!("{endpoint} refuses writes{}", because(cause)),
        Event::WritesChanged { endpoint, .. } => format!("{endpoint} takes writes again"),
        Event::OutageStarted { endpoint, cause } => {
            format!("an outage of {endpoint} begins: {}", cause.name())
        }
        Event::OutageEnded {
            endpoint,
            lasted,
            cause,
            answered,
            failed,
            maybe_ran,
            ..
        } => format!(
            "an outage of {endpoint} ends after {:.1} s: {}; {answered} calls were answered in spite of it, {} failed",
            lasted.as_secs_f64(),
            cause.name(),
            failed + maybe_ran
        ),
        Event::AnsweredByPolicy { policy, count } => {
            format!(
                "{count} calls were answered without Redis ({})",
                policy.name()
            )
        }
        Event::Lost { records } => format!("{records} records were not kept: too many at once"),
        _ => return None,
    })
}

/// What a cause looks like to whoever has no engine; `None` where it was the client's own doing.
fn failure(cause: Cause) -> Option<Failure> {
    use Cause as C;
    Some(match cause {
        C::ConnectionRefused => Failure::Refused,
        C::ConnectTimeout => Failure::ConnectTimeout,
        C::Unreachable | C::ConnectForbidden => Failure::Unreachable,
        C::NameUnknown | C::NameService => Failure::NameUnknown,
        C::NotRedis | C::ProtocolError => Failure::Protocol,
        C::TlsHandshake | C::TlsCertificate => Failure::Tls,
        C::AuthFailed | C::AuthRequired => Failure::Auth,
        C::PermissionDenied => Failure::Denied,
        C::MaxClients => Failure::MaxClients,
        C::Loading => Failure::Loading,
        C::ClusterDown => Failure::Cluster,
        C::Busy => Failure::Busy,
        C::ReadOnly => Failure::ReadOnly,
        C::SaveFailed => Failure::SaveFailed,
        C::OutOfMemory => Failure::OutOfMemory,
        C::ConnectionReset | C::IdleReset => Failure::Reset,
        C::ClosedByServer
        | C::OutputLimit
        | C::IdleClosed
        | C::ClosedMidReply
        | C::ServerRestarted
        | C::SubscriberSlow => Failure::Closed,
        C::ServerUnresponsive | C::IdleSwallowed | C::ReplyTimeout | C::PeerVanished => {
            Failure::ReadTimeout
        }
        C::PoolExhausted | C::TooManyWaiting => Failure::PoolExhausted,
        C::LocalLimit | C::ProtectedMode | C::MasterDown | C::NoReplicas | C::Redirected => {
            Failure::Other
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use seawall_model::Close;
    use seawall_model::Moment;
    use seawall_model::journal::{CommandName, Ring, RingHeader, run_id_hash};

    use super::*;
    use crate::read::{Given, Kind, file};
    use crate::testing::{log, pasted};

    fn ring() -> Ring {
        let header = RingHeader {
            area_bytes: 16 << 10,
            boot_id: [7; 16],
            process: 4_711,
            started_unix_ms: 1_795_402_000_000,
        };
        Ring::new(&header).expect("a size that is allowed")
    }

    /// What a client keeps whose connection, known to the server as 8821, was lost at rest.
    fn journal(local: &str) -> Vec<u8> {
        let mut ring = ring();
        let endpoint = "cache:6379".parse().expect("an endpoint");
        let opened = Event::Opened {
            connection: ConnectionId(1),
            endpoint,
            local: Some(local.parse().expect("an address")),
            peer: Some("10.0.0.1:6379".parse().expect("an address")),
            client_id: Some(8_821),
            run_id_hash: Some(run_id_hash("3f2a")),
            took: Duration::from_millis(1),
        };
        let endpoint = "cache:6379".parse().expect("an endpoint");
        let closed = Event::Closed {
            connection: ConnectionId(1),
            endpoint,
            cause: Some(Cause::SubscriberSlow),
            close: Close::Fin,
            idle: Duration::from_millis(20),
            age: Duration::from_secs(60),
            bytes_in: 1,
            bytes_out: 1,
            in_flight: 1,
            replies: 0,
            command: Some(CommandName::new(b"SUBSCRIBE")),
        };
        for (event, second) in [(opened, 1), (closed, 61)] {
            let record = Record {
                at: Moment::from_nanos(second * 1_000_000_000),
                wall_unix_ms: Some(1_795_402_631_042 + second * 1_000),
                event,
            };
            ring.append(&record);
        }
        ring.image().to_vec()
    }

    fn read(bytes: &[u8]) -> Facts {
        let now = Stamp::of((2026, 11, 24), (0, 0, 0), 0).expect("a date");
        let (kind, facts) = file("shop.journal", bytes, Given { now }).expect("in memory");
        assert_eq!(kind, Kind::Journal);
        facts
    }

    #[test]
    fn a_lost_connection_is_told_with_the_servers_own_number() {
        let facts = read(&journal("10.0.0.7:51234"));
        let lost = &facts.client_log[0];
        assert_eq!(
            lost.at.expect("a time").to_string(),
            "2026-11-23T02:58:12.042Z"
        );
        assert_eq!(lost.what.failure, Failure::Closed);
        assert_eq!(lost.what.connection.map(|one| one.id), Some(8_821));
        assert_eq!(lost.what.command.as_deref(), Some("SUBSCRIBE"));
        assert_eq!(lost.what.process.as_deref(), Some("4711"));
        let lanes = crate::timeline::lanes(&facts);
        assert_eq!(
            (lanes[0].kind, &*lanes[0].source),
            ("journal", "shop.journal")
        );
        let says: Vec<_> = lanes[0].events.iter().map(|event| &*event.says).collect();
        assert_eq!(says, ["lost a connection to cache:6379: subscriber-slow"]);
        assert_eq!(facts.failures, 1);
    }

    #[test]
    fn refused_writes_and_a_server_that_loads_are_told_though_no_connection_ended() {
        let mut ring = ring();
        let endpoint = || "cache:6379".parse().expect("an endpoint");
        let gate = |gate, cause| Event::WritesChanged {
            endpoint: endpoint(),
            gate,
            cause,
        };
        let outage = |cause| Event::OutageStarted {
            endpoint: endpoint(),
            cause,
        };
        for event in [
            gate(WriteGate::Closed, Some(Cause::SaveFailed)),
            gate(WriteGate::Open, None),
            outage(Cause::Loading),
            // Connections that ended tell of this one.
            outage(Cause::ConnectionReset),
        ] {
            ring.append(&Record {
                at: Moment::from_nanos(1_000_000_000),
                wall_unix_ms: Some(1_795_402_631_042),
                event,
            });
        }
        let facts = read(ring.image());
        let mut told: Vec<_> = facts
            .client_log
            .iter()
            .map(|fact| fact.what.failure)
            .collect();
        told.sort();
        assert_eq!(told, [Failure::Loading, Failure::SaveFailed]);
    }

    const LOG: &str = "9:M 23 Nov 2026 02:58:11.042 # Client id=8821 addr=192.168.0.1:40000 name= flags=P cmd=subscribe omem=33600000 scheduled to be closed ASAP for overcoming of output buffer limits.\n";
    const INFO: &str =
        "# Server\nredis_version:7.0.15\nprocess_id:9\nrun_id:3f2a\nuptime_in_seconds:90\n";

    /// Whether the finding knows that the client told of the same connection.
    fn is_joined(parts: Vec<Facts>) -> bool {
        let mut facts = Facts::default();
        for part in parts {
            facts.add(part);
        }
        let diagnosis = crate::diagnose(facts);
        let first = diagnosis.first().expect("a cause");
        first
            .supports
            .iter()
            .any(|one| one.says.contains("id=8821 in its journal"))
    }

    #[test]
    fn it_is_joined_to_the_servers_line_by_process_and_number_whatever_lies_between() {
        // A balancer between the two: the addresses differ.
        let of_client = || read(&journal("10.0.0.7:51234"));
        assert!(is_joined(vec![log(LOG), pasted(INFO), of_client()]));
        // Another process gave that number to somebody else.
        let other = INFO.replace("3f2a", "77aa");
        assert!(!is_joined(vec![log(LOG), pasted(&other), of_client()]));
        // Without a run id the address has to be the same as well.
        assert!(!is_joined(vec![log(LOG), of_client()]));
        assert!(is_joined(vec![
            log(LOG),
            read(&journal("192.168.0.1:40000"))
        ]));
    }

    #[test]
    fn what_is_cut_or_damaged_is_said_and_the_rest_is_told() {
        let mut bytes = journal("10.0.0.7:51234");
        bytes[3] ^= 0xff;
        assert_eq!(read(&bytes).failures, 1);
        let end = bytes.len() - 100;
        let _ = read(&bytes[..end]);
        let _ = read(&bytes[..2_000]);
    }

    proptest! {
        #[test]
        fn no_bytes_in_a_journal_make_it_panic(
            flips in proptest::collection::vec((0_usize..6_000, any::<u8>()), 1..40),
        ) {
            let mut bytes = journal("10.0.0.7:51234");
            for (at, byte) in flips {
                if at > 8 && let Some(one) = bytes.get_mut(at) {
                    *one = byte;
                }
            }
            let _ = read(&bytes);
        }
    }
}
