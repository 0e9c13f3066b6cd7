//! One scenario under one application, from its start to its end.

use super::http::Target;
use super::judge::{Course, judge};
use super::load::{self, Ending};
use super::process::{Application, Launch};
use super::report::AppRun;
use super::{AppError, AppOptions};
use crate::run::{Interrupt, LabError, perform};
use crate::scenario::{Scenario, Stage};
use crate::world::{ServerBinary, clock};
use seawall_model::Moment;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

/// How long nothing is broken before the scenario begins, and after it has ended: long enough that a percentile of some
/// hundred requests means something, and that an application that comes back late is seen to.
const CALM: Duration = Duration::from_secs(3);
/// How long the probe may take to find the fresh server.
const PROBE_READY: Duration = Duration::from_secs(5);
/// Between attempts to get the first answer.
const KNOCK: Duration = Duration::from_millis(100);
/// What the lab itself, and every client's greeting, says to a server.
const NO_USE: [&str; 12] = [
    "ping",
    "info",
    "auth",
    "hello",
    "client",
    "config",
    "command",
    "select",
    "debug",
    "latency",
    "replicaof",
    "slowlog",
];

pub(super) fn run(
    options: &AppOptions<'_>,
    target: &Target,
    scenario: &Scenario,
    binary: &ServerBinary,
) -> Result<AppRun, AppError> {
    let say = |what: &str| (options.progress)(&format!("  ..    {}: {what}", scenario.name));
    for &addr in &target.addrs {
        if TcpStream::connect_timeout(&addr, KNOCK).is_ok() {
            return Err(AppError::Taken {
                url: options.url.clone(),
            });
        }
    }
    let mut stage = Stage::set(scenario, binary).map_err(LabError::stage("set the stage"))?;
    let probe = stage.probe().map_err(LabError::stage("start the probe"))?;
    if !probe.wait_until_serving(PROBE_READY) {
        return Err(LabError::BlindProbe { limit: PROBE_READY }.into());
    }
    let (redis_url, env) = (stage.url(), options.variables());
    let launch = Launch {
        command: &options.command,
        env: &env,
        redis_url: &redis_url,
    };
    say("the application starts");
    let mut app = Application::start(&launch, |words| stage.seclude(words))?;
    let addr = wait_until_ready(&mut app, options, target)?;

    say("users come");
    let course = Course::lay(scenario, clock::now() + KNOCK, CALM);
    let due = course.due(options.rate);
    let (mut requests, mut ended) = (Vec::with_capacity(due.len()), None);
    let interrupt = &options.interrupt;
    let unused = Interrupt::never();
    let (went_on, stepped) = thread::scope(|scope| {
        let steps = scope.spawn(|| -> Result<(), LabError> {
            wait_until(course.play, interrupt)?;
            if !is_used(&stage)? {
                unused.raise();
                return Ok(());
            }
            perform(scenario, &stage, course.play, interrupt)?;
            wait_until(course.play_ends, interrupt)?;
            // What a scenario leaves broken is mended, so that it is seen what comes after.
            let _ = stage.clear_path();
            Ok(())
        });
        let stop = || interrupt.is_raised() || unused.is_raised();
        let went_on = load::drive(target, addr, &due, options.patience, stop, |request| {
            requests.push(request);
            if ended.is_none()
                && let Some(how) = app.ended()
            {
                ended = Some(how.to_owned());
            }
        });
        let stepped = steps.join();
        (
            went_on,
            stepped.unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        )
    });
    stepped?;
    if unused.is_raised() {
        return Err(AppError::Unused {
            url: options.url.clone(),
            requests: requests.iter().filter(|request| request.is_good()).count(),
            redis_url,
            env: env.join(", "),
        });
    }
    if !went_on {
        return Err(LabError::Interrupted.into());
    }
    let last_words = app.last_words_if(ended.is_some());
    drop(app);
    let timeline = probe.finish();
    stage.cut_path();
    let died = ended.map(|how| format!("{how}{last_words}"));
    Ok(AppRun {
        scenario: scenario.name,
        story: scenario.story,
        seen: judge(&course, &requests, &timeline, died),
    })
}

/// Whether anybody asked the server for more than a greeting.
fn is_used(stage: &Stage) -> Result<bool, LabError> {
    let counts = stage
        .server
        .info("commandstats")
        .map_err(LabError::stage("ask the server for its counts"))?;
    let names = counts.keys().filter_map(|key| key.strip_prefix("cmdstat_"));
    let mut used = names.map(|name| name.split('|').next().unwrap_or(name));
    Ok(used.any(|name| !NO_USE.contains(&name)))
}

fn wait_until(moment: Moment, interrupt: &Interrupt) -> Result<(), LabError> {
    while clock::now() < moment {
        if interrupt.is_raised() {
            return Err(LabError::Interrupted);
        }
        clock::sleep_until(moment.min(clock::now() + Duration::from_millis(50)));
    }
    Ok(())
}

/// Asks until a good answer comes; says what comes instead.
fn wait_until_ready(
    app: &mut Application,
    options: &AppOptions<'_>,
    target: &Target,
) -> Result<SocketAddr, AppError> {
    let give_up = clock::now() + options.ready;
    let url = || options.url.clone();
    let mut saw = "did not answer".to_owned();
    loop {
        for &addr in &target.addrs {
            let left = clock::now().until(give_up).min(options.patience);
            let request = load::ask(target, addr, left.max(KNOCK));
            match &request.ending {
                Ending::Answered(answer) if answer.is_good() => return Ok(addr),
                Ending::Answered(answer) if (400..500).contains(&answer.status) => {
                    return Err(AppError::NotFound {
                        url: url(),
                        status: answer.status,
                        hint: if answer.status == 405 {
                            ", and is --method"
                        } else {
                            ""
                        },
                    });
                }
                Ending::Answered(answer) => {
                    let line = match answer.first_line.as_str() {
                        "" => String::new(),
                        line => format!(" ({line})"),
                    };
                    saw = format!("answers {}{line}", answer.status);
                }
                other => saw = silence(other, &saw),
            }
        }
        if let Some(how) = app.ended().map(str::to_owned) {
            return Err(AppError::Ended {
                how,
                url: url(),
                last_words: app.last_words_if(true),
            });
        }
        if options.interrupt.is_raised() {
            return Err(LabError::Interrupted.into());
        }
        if clock::now() >= give_up {
            return Err(AppError::NotReady {
                url: url(),
                saw,
                limit: options.ready,
                last_words: app.last_words_if(true),
            });
        }
        thread::sleep(KNOCK);
    }
}

/// Words for what is no answer. Of two addresses of one name it is often one alone that nobody listens at.
fn silence(ending: &Ending, before: &str) -> String {
    match ending {
        Ending::Refused if before != "did not answer" => before.to_owned(),
        Ending::Refused => "is refused: nobody listens there".to_owned(),
        Ending::TimedOut => "accepts, and does not answer".to_owned(),
        Ending::CutOff => "closes the connection before its answer is whole".to_owned(),
        Ending::Garbled => "answers with something that is no HTTP".to_owned(),
        Ending::NotBegun => "cannot be asked from here: no socket, port or way to it".to_owned(),
        Ending::TurnedAway | Ending::Answered(_) => before.to_owned(),
    }
}

impl Application {
    fn last_words_if(&self, wanted: bool) -> String {
        if wanted {
            self.last_words()
        } else {
            String::new()
        }
    }
}
