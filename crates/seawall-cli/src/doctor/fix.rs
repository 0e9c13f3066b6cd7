//! `seawall doctor --fix`: changes settings of live servers, one after another, each after a question.

use std::collections::BTreeSet;
use std::io::{self, BufRead, IsTerminal};
use std::time::Duration;

use seawall_doctor::finding::{Finding, Fix, Verdict};
use seawall_doctor::mend::record::Cabinet;
use seawall_doctor::mend::{self, Change, Hand, Mended};
use seawall_doctor::stamp::Stamp;
use seawall_doctor::{Code, Diagnosis};
use seawall_model::Target;

use super::undo::cabinet;
use crate::{Exit, output};

/// Who says yes to a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consent {
    /// `--yes` did, to all of them.
    Given,
    /// Somebody at a terminal is asked.
    Asked,
    /// Nobody can be asked: changes are shown and not made.
    Nobody,
}

impl Consent {
    pub(super) fn of(yes: bool) -> Self {
        if yes {
            Self::Given
        } else if io::stdin().is_terminal() && io::stderr().is_terminal() {
            Self::Asked
        } else {
            Self::Nobody
        }
    }
}

/// A change that a finding advises, at a server that can be asked.
struct Proposal<'a> {
    code: Code,
    title: &'a str,
    fix: &'a Fix,
    change: &'a Change,
    target: &'a Target,
}

/// What became of the changes.
#[derive(Debug, Default)]
struct Sums {
    left: usize,
    failed: usize,
}

/// Shows what can be changed, asks, and changes it. `None`: there is nothing to change, so that the findings say how it ended.
pub(super) fn mend(
    diagnosis: &Diagnosis,
    targets: &[Target],
    consent: Consent,
    within: Duration,
    now: Stamp,
) -> Option<Exit> {
    let (proposals, rest) = sorted(diagnosis, targets);
    for (code, action) in rest {
        say(&format!("FOR YOU  {code} {action}"));
    }
    if proposals.is_empty() {
        say(
            "FIX      nothing that the doctor advises is a setting that it can change on a server given by its URL",
        );
        return None;
    }
    let mut sums = Sums::default();
    for (place, proposal) in proposals.iter().enumerate() {
        if let Err(stopped) = one(place + 1, proposal, consent, (within, now), &mut sums) {
            return Some(stopped);
        }
    }
    if consent == Consent::Nobody && sums.left > 0 {
        say("nothing was changed: this is no terminal. With --yes the changes are made");
    }
    if sums.failed > 0 {
        Some(Exit::Short)
    } else if sums.left > 0 {
        None
    } else {
        Some(Exit::Well)
    }
}

/// The changes, each once, and what is for a person to do.
fn sorted<'a>(
    diagnosis: &'a Diagnosis,
    targets: &'a [Target],
) -> (Vec<Proposal<'a>>, Vec<(Code, &'a str)>) {
    let mut proposals = Vec::new();
    let mut rest = Vec::new();
    let mut seen = BTreeSet::new();
    let advised = diagnosis
        .findings
        .iter()
        .filter(|finding| finding.verdict != Verdict::RuledOut);
    for finding in advised {
        for fix in &finding.fixes {
            let at = fix
                .change
                .as_ref()
                .and_then(|change| Some((change, target_of(finding, targets)?)));
            let Some((change, target)) = at else {
                rest.push((finding.code, fix.action.as_str()));
                continue;
            };
            if seen.insert((target.endpoint().to_string(), change.label())) {
                proposals.push(Proposal {
                    code: finding.code,
                    title: &finding.title,
                    fix,
                    change,
                    target,
                });
            }
        }
    }
    (proposals, rest)
}

/// The server that the finding is about, if it was given by its URL.
fn target_of<'a>(finding: &Finding, targets: &'a [Target]) -> Option<&'a Target> {
    let about = |target: &&Target| {
        let name = target.endpoint().to_string();
        finding
            .supports
            .iter()
            .any(|evidence| *evidence.place.source == *name)
    };
    match targets {
        [only] => Some(only),
        several => several.iter().find(about),
    }
}

fn one(
    number: usize,
    proposal: &Proposal<'_>,
    consent: Consent,
    (within, now): (Duration, Stamp),
    sums: &mut Sums,
) -> Result<(), Exit> {
    let change = proposal.change;
    say(&format!(
        "FIX {number}    {} {}",
        proposal.code, proposal.title
    ));
    let mut hand = match Hand::reach(proposal.target, within) {
        Ok(hand) => hand,
        Err(trouble) => {
            output::fail(&trouble, trouble.hint());
            sums.failed += 1;
            return Ok(());
        }
    };
    let (old, harm) = match mend::examine(&mut hand, change) {
        Ok(examined) => examined,
        Err(trouble) => {
            output::fail(&trouble, trouble.hint());
            sums.failed += 1;
            return Ok(());
        }
    };
    if change.is_so(&old) {
        say(&format!("         {} is {old} already", change.label()));
        return Ok(());
    }
    shown(&mut hand, proposal, &old);
    if let Some(harm) = harm {
        say(&format!("         not done: {harm}"));
        sums.left += 1;
        return Ok(());
    }
    match consent {
        Consent::Given => {}
        Consent::Asked if asked("         change it? [y/N] ") => {}
        Consent::Asked | Consent::Nobody => {
            sums.left += 1;
            return Ok(());
        }
    }
    let Some(cabinet) = cabinet() else {
        return Err(Exit::Unable);
    };
    made(&mut hand, change, &cabinet, now, &old, sums);
    Ok(())
}

/// The change, whom it meets, what it may cost, and what a restart makes of it.
fn shown(hand: &mut Hand, proposal: &Proposal<'_>, old: &str) {
    let change = proposal.change;
    let server = hand.server().to_owned();
    say(&format!(
        "         {} at {server}; it is {old}",
        change.command()
    ));
    say(&format!("         meets: {}", change.known().scope));
    if !proposal.fix.risk.is_empty() {
        say(&format!("         risk: {}", proposal.fix.risk));
    }
    say("         lost when the server restarts. To keep it:");
    let file = hand.file();
    for way in change.known().kept_by(&change.value(), file.as_deref()) {
        say(&format!("           {way}"));
    }
}

fn made(
    hand: &mut Hand,
    change: &Change,
    cabinet: &Cabinet,
    now: Stamp,
    old: &str,
    sums: &mut Sums,
) {
    match mend::apply(hand, change, cabinet, now) {
        Ok(Mended::AlreadySo) => say("         it is so already"),
        Ok(Mended::Changed { id, now }) => {
            say(&format!(
                "         done: {} was {old} and is {now}",
                change.label()
            ));
            say(&format!(
                "         take it back: seawall doctor --undo {id}"
            ));
        }
        Err(unmended) => {
            sums.failed += 1;
            output::fail(&unmended, super::undo::hint(&unmended));
        }
    }
}

fn asked(question: &str) -> bool {
    output::ask(question);
    let mut answer = String::new();
    let heard = io::stdin().lock().read_line(&mut answer);
    heard.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

/// A standard output that takes nothing stops no change: what was done is in the record.
fn say(words: &str) {
    let clean: String = words
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect();
    let _ = output::out(clean);
}
