//! A hand-made report for the tests of its three forms.

use super::{Entrant, Report, Run};
use crate::contender::Ability;
use crate::oracle::{
    Availability, Defect, Effects, Harm, Hearing, Naming, Score, ServerCounts, Share, Timing,
};
use crate::run::{LabError, Role};
use seawall_model::Cause;
use std::collections::BTreeMap;
use std::time::Duration;

const REFUSED: &str = "the server is killed (kill -9) and comes back with its data after 6 s";
const SWALLOWED: &str =
    "something between drops the packets of flows idle for 0.8 s, and says nothing";

const SLOW: &str = "a subscriber stops for 1.2 s, and a call in five is given up";

pub(crate) fn sample() -> Report {
    let run = |scenario, story, cause, contender: &str, role, result| Run {
        scenario,
        story,
        causes: vec![cause],
        contender: contender.to_owned(),
        version: "1.0".to_owned(),
        role,
        result,
    };
    let (refused, swallowed) = (Cause::ConnectionRefused, Cause::IdleSwallowed);
    Report {
        server: "Redis 7.0.15 (/usr/bin/redis-server)".to_owned(),
        seed: 1,
        cores: 2,
        took: Duration::from_millis(21_340),
        contenders: vec![
            Entrant {
                name: "seawall".to_owned(),
                role: Role::Judged,
            },
            Entrant {
                name: "other".to_owned(),
                role: Role::Beside,
            },
        ],
        runs: vec![
            run(
                "outage",
                REFUSED,
                refused,
                "seawall",
                Role::Judged,
                Ok(good(refused)),
            ),
            run(
                "outage",
                REFUSED,
                refused,
                "other",
                Role::Beside,
                Ok(bad(Cause::ReplyTimeout)),
            ),
            run(
                "idle-swallowed",
                SWALLOWED,
                swallowed,
                "seawall",
                Role::Judged,
                Ok(good(swallowed)),
            ),
            run(
                "idle-swallowed",
                SWALLOWED,
                swallowed,
                "other",
                Role::Beside,
                Err(LabError::Interrupted),
            ),
            run(
                "slow-subscriber",
                SLOW,
                Cause::SubscriberSlow,
                "seawall",
                Role::Judged,
                Ok(heard(Cause::SubscriberSlow)),
            ),
            run(
                "slow-subscriber",
                SLOW,
                Cause::SubscriberSlow,
                "other",
                Role::Beside,
                Err(LabError::Lacks {
                    ability: Ability::Subscribe,
                }),
            ),
        ],
    }
}

fn good(cause: Cause) -> Score {
    let timing = Timing {
        hung: 0,
        worst: Duration::from_millis(512),
        median: Duration::from_micros(812),
        p99: Duration::from_millis(4),
        first_good: vec![Duration::from_millis(23)],
    };
    let naming = Naming {
        verdict: Some(cause),
        outages: 1,
        lost_connections: 8,
        tally: BTreeMap::from([(cause, 11)]),
        failed: 11,
        unnamed: 0,
        first_message: None,
    };
    Score {
        calls: 16_000,
        availability: Availability {
            all: Share {
                possible: 5212,
                answered: 5212,
            },
            reads: Share {
                possible: 3100,
                answered: 3100,
            },
            in_doubt: 3,
            excepted: 10_100,
            refused: 10_120,
            impossible: 688,
            given_up: 0,
        },
        timing,
        naming,
        stats: vec![("dials".to_owned(), 40)],
        lab_late: Duration::from_millis(3),
        ..Score::default()
    }
}

fn heard(cause: Cause) -> Score {
    let mut score = good(cause);
    score.availability.given_up = 512;
    score.hearing = Some(Hearing {
        published: 1800,
        heard: 1455,
        told: 345,
        gaps: 1,
        ..Hearing::default()
    });
    score
}

fn bad(cause: Cause) -> Score {
    let defect = Defect {
        harm: Harm::Doubled,
        call: 812,
        command: "INCR",
        what: "ran 3 times, and was answered once".to_owned(),
    };
    let mut score = good(cause);
    score.availability.all.answered = 2399;
    score.availability.refused = 0;
    score.effects = Effects {
        doubled: 12,
        lost: 0,
        mismatched: 1,
        defects: vec![defect],
    };
    score.timing.worst = Duration::from_millis(8031);
    score.timing.first_good = vec![Duration::from_millis(3500)];
    score.counts = ServerCounts {
        commands: BTreeMap::from([("incr".to_owned(), 812)]),
        errors: BTreeMap::new(),
        connections: 35,
    };
    score.shortfalls = vec![
        "answered 46.02 % of what was possible, 99.5 % must be: 2813 calls missed".to_owned(),
        "12 doubled, the first: INCR (call 812) ran 3 times, and was answered once".to_owned(),
        "1 mismatched, the first: GET (call 9) got a reply that is not its own: nil".to_owned(),
        "named reply-timeout, it was connection-refused".to_owned(),
    ];
    score
}
