//! A breaker under virtual time: callers of a dependency that fails, dawdles and hangs by a seeded schedule, and rules
//! that are checked from outside.

use seawall_model::Moment;
use seawall_policy::backoff::Rng;
use seawall_policy::breaker::{
    Admission, Breaker, BreakerSettings, Change, Outcome, Permit, Slow, State,
};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

const SEEDS: u64 = 2_000;

/// What the harness does wrong on purpose, to prove that the rules would notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    /// Places of trials are given away again while they are taken.
    ForgetsTrials,
    /// An outcome counts for whatever state there is when it comes.
    TakesOldOutcomes,
    /// A trial that hangs is waited for, for ever.
    WaitsForEver,
    /// The time open is not waited for.
    Impatient,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    TrialsAreBounded,
    OpenLetsNothingThrough,
    OnlyTrialsClose,
    ComesBack,
    EachCallIsCountedOnce,
}

#[derive(Clone, Copy, Debug)]
enum Entry {
    /// Somebody calls; abandons it after so long, if the dependency takes longer.
    Call { patience: Duration },
    /// From now on the dependency is like this.
    Turns(Mood),
}

#[derive(Clone, Copy, Debug)]
enum Mood {
    Good,
    Fails,
    Flickers,
    Dawdles,
    Hangs,
}

#[derive(Clone, Debug)]
struct Schedule {
    seed: u64,
    settings: BreakerSettings,
    entries: Vec<(Moment, Entry)>,
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

impl Schedule {
    fn of(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0x6272_6561_6b65_7221);
        let settings = BreakerSettings {
            failures_max: (rng.below(4) > 0).then(|| 1 + rng.below(6) as u32),
            calls_min: 1 + rng.below(20) as u32,
            failed_share: (rng.below(4) > 0).then(|| 0.1 + rng.below(90) as f64 / 100.0),
            slow: (rng.below(2) > 0).then_some(Slow {
                after: millis(400),
                share: 0.5,
            }),
            open_first: millis(100 + rng.below(3_000)),
            open_longest: millis(rng.below(10_000)),
            trials_max: rng.below(4) as u32,
            trials_to_close: rng.below(4) as u32,
            trial_longest: millis(500 + rng.below(5_000)),
            ..BreakerSettings::default()
        };
        let mut at = Moment::ORIGIN + Duration::from_secs(1_000);
        let mut entries = Vec::new();
        for _ in 0..20 + rng.below(200) {
            let pause = [10, 100, 1_000][rng.below(3) as usize];
            at += millis(rng.below(pause));
            let entry = match rng.below(12) {
                0 => Entry::Turns(match rng.below(5) {
                    0 => Mood::Fails,
                    1 => Mood::Flickers,
                    2 => Mood::Dawdles,
                    3 => Mood::Hangs,
                    _ => Mood::Good,
                }),
                1 => Entry::Call {
                    patience: millis(rng.below(300)),
                },
                _ => Entry::Call {
                    patience: Duration::MAX,
                },
            };
            entries.push((at, entry));
        }
        Self {
            seed,
            settings,
            entries,
        }
    }
}

struct Run {
    breaker: Breaker,
    flaw: Flaw,
    rng: Rng,
    mood: Mood,
    /// Calls under way: when and how each ends, in the order of time and then of beginning.
    ends: BTreeMap<(Moment, u64), (Permit, Outcome)>,
    calls: u64,
    hung: u64,
    /// By the account of this harness: the state's end if open, trials under way and good ones if half open.
    open_until: Option<Moment>,
    trials: Vec<Permit>,
    good: u32,
    trace: String,
    opened: usize,
}

type Broken = (Rule, String);

impl Run {
    fn new(schedule: &Schedule, flaw: Flaw) -> Self {
        let mut settings = schedule.settings.clone();
        if flaw == Flaw::WaitsForEver {
            settings.trial_longest = Duration::MAX;
        }
        Self {
            breaker: Breaker::new(settings, schedule.seed),
            flaw,
            rng: Rng::new(schedule.seed),
            mood: Mood::Good,
            ends: BTreeMap::new(),
            calls: 0,
            hung: 0,
            open_until: None,
            trials: Vec::new(),
            good: 0,
            trace: String::new(),
            opened: 0,
        }
    }

    fn play(&mut self, schedule: &Schedule) -> Result<(), Broken> {
        let mut last = Moment::ORIGIN;
        for &(at, entry) in &schedule.entries {
            self.end_until(at)?;
            last = at;
            match entry {
                Entry::Turns(mood) => self.mood = mood,
                Entry::Call { patience } => self.call(at, patience)?,
            }
        }
        // All is well from now on, and somebody goes on calling: it must find its way back.
        self.mood = Mood::Good;
        for turn in 1..=600 {
            let at = last + millis(100 * turn);
            self.end_until(at)?;
            self.call(at, Duration::MAX)?;
        }
        self.end_until(Moment::NEVER)?;
        if self.breaker.state() != State::Closed {
            let state = self.breaker.state();
            return Err((Rule::ComesBack, format!("after a minute it is {state:?}")));
        }
        let counts = self.breaker.counts();
        let told = counts.succeeded + counts.failed + counts.abandoned + counts.refused;
        if told + self.hung != self.calls {
            let text = format!("{counts:?} and {} hung, of {}", self.hung, self.calls);
            return Err((Rule::EachCallIsCountedOnce, text));
        }
        Ok(())
    }

    fn call(&mut self, now: Moment, patience: Duration) -> Result<(), Broken> {
        self.calls += 1;
        match self.flaw {
            Flaw::ForgetsTrials => self.breaker.forget_trials(),
            Flaw::Impatient if self.open_until.is_some() => {
                self.breaker.close(now);
            }
            _ => {}
        }
        let (admission, change) = self.breaker.admit(now);
        let Admission::Pass(permit) = admission else {
            let _ = writeln!(self.trace, "{now} refused");
            return self.changed(now, change);
        };
        let _ = writeln!(self.trace, "{now} call {}", self.calls);
        if let Some(until) = self.open_until
            && now < until
        {
            let text = format!("a call at {now} though it is open until {until}");
            return Err((Rule::OpenLetsNothingThrough, text));
        }
        self.changed(now, change)?;
        if self.breaker.state() == State::HalfOpen {
            self.trials.push(permit);
            let max = self.breaker.settings().trials_max.max(1) as usize;
            if self.trials.len() > max {
                let text = format!("{} at once of {max}", self.trials.len());
                return Err((Rule::TrialsAreBounded, text));
            }
        }
        let quick = millis(1 + self.rng.below(50));
        let (takes, outcome) = match self.mood {
            Mood::Fails => (quick, Outcome::Failed),
            Mood::Flickers if self.rng.below(2) == 0 => (quick, Outcome::Failed),
            Mood::Good | Mood::Flickers => (quick, Outcome::Good),
            Mood::Dawdles => (millis(400 + self.rng.below(2_000)), Outcome::Good),
            Mood::Hangs => (Duration::MAX, Outcome::Good),
        };
        let (takes, outcome) = if takes > patience {
            (patience, Outcome::Abandoned)
        } else {
            (takes, outcome)
        };
        if takes == Duration::MAX {
            self.hung += 1;
        } else {
            self.ends
                .insert((now + takes, self.calls), (permit, outcome));
        }
        Ok(())
    }

    fn end_until(&mut self, now: Moment) -> Result<(), Broken> {
        while let Some(entry) = self.ends.first_entry()
            && entry.key().0 <= now
        {
            let ((at, number), (mut permit, outcome)) = entry.remove_entry();
            if self.flaw == Flaw::TakesOldOutcomes {
                permit.epoch = self.breaker.epoch();
            }
            let was_trial = self.trials.iter().position(|trial| *trial == permit);
            if let Some(index) = was_trial {
                self.trials.remove(index);
                self.good += u32::from(outcome == Outcome::Good);
            }
            let _ = writeln!(self.trace, "{at} end {number} {outcome:?}");
            let change = self.breaker.ended(at, permit, outcome);
            self.changed(at, change)?;
        }
        Ok(())
    }

    fn changed(&mut self, now: Moment, change: Option<Change>) -> Result<(), Broken> {
        let Some(change) = change else {
            return Ok(());
        };
        let _ = writeln!(self.trace, "{now} {change:?}");
        let good = std::mem::take(&mut self.good);
        self.trials.clear();
        match change {
            Change::Opened { until, .. } => {
                self.opened += 1;
                self.open_until = Some(until);
            }
            Change::Closed { .. } => {
                self.open_until = None;
                let wanted = self.breaker.settings().trials_to_close.max(1);
                if good != wanted {
                    let text = format!("closed at {now} after {good} good trials of {wanted}");
                    return Err((Rule::OnlyTrialsClose, text));
                }
            }
            _ => self.open_until = None,
        }
        Ok(())
    }
}

fn run(schedule: &Schedule, flaw: Flaw) -> (Run, Option<Broken>) {
    let mut run = Run::new(schedule, flaw);
    let broken = run.play(schedule).err();
    (run, broken)
}

/// Entries are taken out one by one for as long as the rule stays broken.
fn shortest(schedule: &Schedule, flaw: Flaw, rule: Rule) -> Schedule {
    let mut best = schedule.clone();
    let mut index = 0;
    while index < best.entries.len() {
        let mut candidate = best.clone();
        candidate.entries.remove(index);
        match run(&candidate, flaw).1 {
            Some((broken, _)) if broken == rule => (best, index) = (candidate, 0),
            _ => index += 1,
        }
    }
    best
}

#[test]
fn whatever_the_dependency_does_the_rules_hold() {
    let mut opened = 0;
    for seed in 0..SEEDS {
        let schedule = Schedule::of(seed);
        let (run, broken) = run(&schedule, Flaw::None);
        opened += run.opened;
        if let Some((rule, what)) = broken {
            let short = shortest(&schedule, Flaw::None, rule);
            panic!("seed {seed} breaks {rule:?}: {what}\nthe shortest schedule: {short:?}");
        }
    }
    assert!(
        opened > SEEDS as usize,
        "the simulation has to open breakers: {opened} times"
    );
}

#[test]
fn the_same_seed_gives_the_same_course_and_another_seed_another() {
    let courses = |_| {
        (0..60)
            .map(|seed| run(&Schedule::of(seed), Flaw::None).0.trace)
            .collect::<Vec<_>>()
    };
    let [once, twice] = [0, 1].map(courses);
    assert_eq!(once, twice);
    let different: std::collections::HashSet<_> = once.iter().collect();
    assert_eq!(different.len(), once.len());
}

#[test]
fn every_flaw_is_caught_by_its_rule_and_shrunk() {
    for (flaw, rule, entries_max) in [
        (Flaw::ForgetsTrials, Rule::TrialsAreBounded, 40),
        (Flaw::TakesOldOutcomes, Rule::OnlyTrialsClose, 40),
        (Flaw::WaitsForEver, Rule::ComesBack, 40),
        (Flaw::Impatient, Rule::OpenLetsNothingThrough, 40),
    ] {
        let caught = (0..SEEDS).map(Schedule::of).find(|schedule| {
            let broken = run(schedule, flaw).1;
            broken.is_some_and(|(broken, _)| broken == rule)
        });
        let whole = caught.unwrap_or_else(|| panic!("{flaw:?} went by unnoticed"));
        let short = shortest(&whole, flaw, rule);
        println!("{flaw:?}: {short:?}");
        assert!(short.entries.len() <= entries_max, "{flaw:?}: {short:?}");
        assert!(run(&short, Flaw::None).1.is_none(), "{flaw:?}: {short:?}");
    }
}
