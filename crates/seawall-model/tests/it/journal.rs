use core::net::SocketAddr;
use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use seawall_model::journal::{
    AREA_BYTES_MIN, CommandName, ConnectionId, Event, HEADER_BYTES, HealthState, OutagePolicy,
    Reader, Record, Restarted, RetryRefusal, Ring, RingFile, RingHeader, WriteGate, encode,
};
use seawall_model::{Cause, Close, Endpoint, Moment};

fn endpoint() -> impl Strategy<Value = Endpoint> {
    prop_oneof![
        ("[a-z0-9_.-]{1,253}", 1..=u16::MAX)
            .prop_map(|(host, port)| Endpoint::tcp(&host, port).expect("a host")),
        Just(Endpoint::tcp("::1", 6379).expect("an address")),
        "/[^\0]{0,20}".prop_map(|path| Endpoint::unix(&path).expect("a path")),
    ]
}

fn address() -> impl Strategy<Value = Option<SocketAddr>> {
    option::of(prop_oneof![
        any::<([u8; 4], u16)>().prop_map(SocketAddr::from),
        any::<([u8; 16], u16)>().prop_map(SocketAddr::from),
    ])
}

fn cause() -> impl Strategy<Value = Cause> {
    select(Cause::ALL)
}

fn close() -> impl Strategy<Value = Close> {
    prop_oneof![
        select(vec![
            Close::Fin,
            Close::Reset,
            Close::KernelTimeout,
            Close::Abandoned,
            Close::Ours,
            Close::NeverOpen
        ]),
        any::<i32>().prop_map(Close::Other),
    ]
}

fn span() -> impl Strategy<Value = Duration> {
    any::<u64>().prop_map(Duration::from_nanos)
}

fn command() -> impl Strategy<Value = Option<CommandName>> {
    option::of(vec(any::<u8>(), 0..40).prop_map(|name| CommandName::new(&name)))
}

prop_compose! {
    fn opened()(
        connection in any::<u64>().prop_map(ConnectionId), endpoint in endpoint(), local in address(), peer in address(),
        client_id in any::<Option<u64>>(), run_id_hash in any::<Option<u64>>(), took in span(),
    ) -> Event {
        Event::Opened { connection, endpoint, local, peer, client_id, run_id_hash, took }
    }
}

prop_compose! {
    fn closed()(
        connection in any::<u64>().prop_map(ConnectionId), endpoint in endpoint(), cause in option::of(cause()),
        close in close(), idle in span(), age in span(), (bytes_in, bytes_out, replies) in any::<(u64, u64, u64)>(),
        in_flight in any::<u32>(), command in command(),
    ) -> Event {
        Event::Closed { connection, endpoint, cause, close, idle, age, bytes_in, bytes_out, in_flight, replies, command }
    }
}

prop_compose! {
    fn outage_ended()(
        endpoint in endpoint(), lasted in span(), cause in cause(), restarted in select(Restarted::ALL),
        (answered, failed, maybe_ran) in any::<(u64, u64, u64)>(),
    ) -> Event {
        Event::OutageEnded { endpoint, lasted, cause, restarted, answered, failed, maybe_ran }
    }
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        opened(),
        closed(),
        outage_ended(),
        (endpoint(), cause(), span()).prop_map(|(endpoint, cause, took)| Event::DialFailed {
            endpoint,
            cause,
            took
        }),
        (endpoint(), select(HealthState::ALL), option::of(cause())).prop_map(
            |(endpoint, state, cause)| Event::HealthChanged {
                endpoint,
                state,
                cause
            }
        ),
        (endpoint(), select(WriteGate::ALL), option::of(cause())).prop_map(
            |(endpoint, gate, cause)| Event::WritesChanged {
                endpoint,
                gate,
                cause
            }
        ),
        (endpoint(), cause())
            .prop_map(|(endpoint, cause)| Event::OutageStarted { endpoint, cause }),
        (select(OutagePolicy::ALL), any::<u64>())
            .prop_map(|(policy, count)| Event::AnsweredByPolicy { policy, count }),
        (select(RetryRefusal::ALL), cause(), command()).prop_map(|(why, cause, command)| {
            Event::RetryRefused {
                why,
                cause,
                command,
            }
        }),
        (cause(), any::<u32>(), command()).prop_map(|(cause, attempt, command)| Event::Retried {
            cause,
            attempt,
            command
        }),
        any::<u64>().prop_map(|records| Event::Lost { records }),
    ]
}

/// Records in the order of their moments, as one process writes them.
fn records(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Record>> {
    vec((event(), any::<Option<u64>>()), count).prop_map(|events| {
        let record = |(at, (event, wall_unix_ms))| Record {
            at: Moment::from_nanos(at),
            wall_unix_ms,
            event,
        };
        (1..).zip(events).map(record).collect()
    })
}

/// The records' bytes, and where each one stands.
fn encoded(records: &[Record]) -> (Vec<u8>, Vec<std::ops::Range<usize>>) {
    let mut bytes = Vec::new();
    let mut places = Vec::new();
    for record in records {
        let start = bytes.len();
        encode(record, &mut bytes);
        places.push(start..bytes.len());
    }
    (bytes, places)
}

/// The bytes of a ring after these records, and which bytes of the file each record that is still there takes.
fn ring_file(records: &[Record], commit_every: usize) -> (Vec<u8>, Vec<(Record, Vec<usize>)>) {
    let header = RingHeader {
        area_bytes: AREA_BYTES_MIN,
        boot_id: [3; 16],
        process: 7,
        started_unix_ms: 1,
    };
    let mut ring = Ring::new(&header).expect("a size in range");
    let mut file = ring.image().to_vec();
    let mut standing = Vec::new();
    for (index, record) in records.iter().enumerate() {
        let start = ring.written_bytes();
        ring.append(record);
        let places =
            (start..ring.written_bytes()).map(|at| HEADER_BYTES + (at % AREA_BYTES_MIN) as usize);
        standing.push((start, record.clone(), places.collect()));
        if index % commit_every == 0 || index + 1 == records.len() {
            for range in ring.commit() {
                file[range.clone()].copy_from_slice(&ring.image()[range]);
            }
        }
    }
    let oldest = ring.written_bytes().saturating_sub(AREA_BYTES_MIN);
    let standing = standing.into_iter().filter(|(start, ..)| *start >= oldest);
    (
        file,
        standing
            .map(|(_, record, places)| (record, places))
            .collect(),
    )
}

fn survivors(standing: &[(Record, Vec<usize>)], hit: impl Fn(usize) -> bool) -> Vec<Record> {
    let whole = standing
        .iter()
        .filter(|(_, places)| !places.iter().any(|place| hit(*place)));
    whole.map(|(record, _)| record.clone()).collect()
}

proptest! {
    #[test]
    fn records_survive_being_written(records in records(0..12)) {
        let (bytes, _) = encoded(&records);
        let mut reader = Reader::new(&bytes);
        let read: Vec<_> = reader.by_ref().collect();
        prop_assert_eq!(read, records.into_iter().map(Ok).collect::<Vec<_>>());
        prop_assert_eq!((reader.skipped_bytes(), reader.unknown_records(), reader.newer_bytes()), (0, 0, 0));
    }

    #[test]
    fn a_cut_loses_what_it_cuts_and_nothing_else(records in records(1..8), from: usize, to: usize) {
        let (bytes, places) = encoded(&records);
        let (from, to) = (from % bytes.len(), to % (bytes.len() + 1));
        let (from, to) = (from.min(to), from.max(to));
        let read: Vec<_> = Reader::new(&bytes[from..to]).flatten().collect();
        let whole = records.iter().zip(&places).filter(|(_, place)| from <= place.start && place.end <= to);
        prop_assert_eq!(read, whole.map(|(record, _)| record.clone()).collect::<Vec<_>>());
    }

    #[test]
    fn a_damaged_byte_loses_the_record_it_is_in_and_nothing_else(
        records in records(1..8), at: usize, flip in 1..=u8::MAX,
    ) {
        let (mut bytes, places) = encoded(&records);
        let at = at % bytes.len();
        bytes[at] ^= flip;
        let read: Vec<_> = Reader::new(&bytes).flatten().collect();
        let whole = records.iter().zip(&places).filter(|(_, place)| !place.contains(&at));
        prop_assert_eq!(read, whole.map(|(record, _)| record.clone()).collect::<Vec<_>>());
    }

    #[test]
    fn a_stretch_of_garbage_is_passed_over(
        records in records(1..6), garbage in vec(any::<u8>(), 0..200), at: usize,
    ) {
        let (mut bytes, places) = encoded(&records);
        let boundary = places[at % places.len()].start;
        bytes.splice(boundary..boundary, garbage);
        let read: Vec<_> = Reader::new(&bytes).flatten().collect();
        prop_assert_eq!(read, records);
    }

    #[test]
    fn no_bytes_make_a_reader_panic_or_stand_still(
        bytes in prop_oneof![
            vec(any::<u8>(), 0..4000),
            vec(select(vec![0xb5_u8, 1, 0, 11, 4]), 0..4000),
        ],
    ) {
        let mut reader = Reader::new(&bytes);
        let mut before = 0;
        while reader.next().is_some() {
            prop_assert!(reader.position() > before);
            before = reader.position();
        }
        prop_assert_eq!(reader.position(), bytes.len());
        prop_assert!(RingFile::open(&bytes).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_ring_gives_back_what_still_stands_in_it(records in records(1..300), commit_every in 1..40_usize) {
        let (file, standing) = ring_file(&records, commit_every);
        let contents = RingFile::open(&file).unwrap().read();
        prop_assert_eq!(contents.records, survivors(&standing, |_| false));
        prop_assert_eq!((contents.damaged_bytes, contents.unknown_records), (0, 0));
    }

    #[test]
    fn a_ring_that_is_cut_loses_what_it_cuts_and_nothing_else(
        records in records(1..300), commit_every in 1..40_usize, len: usize,
    ) {
        let (file, standing) = ring_file(&records, commit_every);
        let len = len % (file.len() + 1);
        match RingFile::open(&file[..len]) {
            Ok(ring) => prop_assert_eq!(ring.read().records, survivors(&standing, |place| place >= len)),
            Err(_) => prop_assert!(len < HEADER_BYTES),
        }
    }

    #[test]
    fn a_damaged_byte_in_a_ring_loses_the_record_it_is_in_and_nothing_else(
        records in records(1..300), commit_every in 1..40_usize, at: usize, in_header: bool, flip in 1..=u8::MAX,
    ) {
        let (mut file, standing) = ring_file(&records, commit_every);
        let at = at % if in_header { HEADER_BYTES } else { file.len() };
        file[at] ^= flip;
        let contents = RingFile::open(&file).unwrap().read();
        prop_assert_eq!(contents.records, survivors(&standing, |place| place == at));
    }

    #[test]
    fn no_damage_makes_a_ring_panic(
        records in records(1..40), damage in vec((any::<usize>(), any::<u8>()), 0..200), len: usize,
    ) {
        let (mut file, _) = ring_file(&records, 5);
        file.truncate(len % (file.len() + 1));
        for (at, byte) in damage {
            let end = file.len().clamp(1, 2048);
            if let Some(place) = file.get_mut(at % end) {
                *place = byte;
            }
        }
        if let Ok(ring) = RingFile::open(&file) {
            prop_assert!(ring.read().records.len() <= records.len());
        }
    }
}

#[test]
fn every_byte_of_the_header_may_be_damaged_without_a_loss() {
    let lost = |at| Record {
        at: Moment::from_nanos(at),
        wall_unix_ms: None,
        event: Event::Lost { records: at },
    };
    let records: Vec<_> = (1..=2000).map(lost).collect();
    let (file, standing) = ring_file(&records, 3);
    let all = survivors(&standing, |_| false);
    for at in 0..2048 {
        let mut file = file.clone();
        file[at] ^= 0x55;
        assert_eq!(
            RingFile::open(&file).unwrap().read().records,
            all,
            "byte {at}"
        );
    }
}

#[test]
fn a_journal_holds_no_text_that_is_not_an_address_or_a_commands_name() {
    // A key in a command's place, and a value behind it.
    let record = Record {
        at: Moment::ORIGIN,
        wall_unix_ms: None,
        event: Event::RetryRefused {
            why: RetryRefusal::MayHaveRun,
            cause: Cause::ReplyTimeout,
            command: Some(CommandName::from("session:17 hunter2")),
        },
    };
    let mut bytes = Vec::new();
    encode(&record, &mut bytes);
    assert!(
        !bytes
            .windows(7)
            .any(|window| window == b"hunter2" || window == b"session")
    );
    assert_eq!(Reader::new(&bytes).next(), Some(Ok(record)));
}
