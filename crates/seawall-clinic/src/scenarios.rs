//! The laboratory's scenarios as cases: the client is Seawall itself, and its journal is all that it tells.

use std::fs::{self, File};
use std::sync::OnceLock;

use seawall_doctor::read::{self, Given};
use seawall_doctor::{Code, Facts};
use seawall_lab::run::{Contender, Interrupt, LabError, watched};
use seawall_lab::scenario::{self, Scenario};
use seawall_lab::world::{Seclusion, ServerBinary};
use seawall_model::Security;

use crate::bed::{looked, now, server_log};
use crate::case::{Case, Trouble};

/// Those whose root cause is in the catalogue, by the order of the laboratory's lists.
pub(crate) fn all() -> &'static [Case] {
    static ALL: OnceLock<Vec<Case>> = OnceLock::new();
    ALL.get_or_init(|| scenario::list().iter().filter_map(of).collect())
}

/// A scenario that names a code. Names and codes are made once and kept for good.
fn of(scenario: &Scenario) -> Option<Case> {
    let truth: Vec<Code> = scenario.diagnosis.iter().map(|code| parsed(code)).collect();
    (!truth.is_empty()).then(|| Case {
        name: Box::leak(format!("lab-{}", scenario.name).into_boxed_str()),
        story: scenario.story,
        truth: Box::leak(truth.into_boxed_slice()),
        // Whoever looks while it is down finds nothing that listens.
        also: &[Code(101)],
        scenario: Some(scenario.name),
        ..Case::PLAIN
    })
}

/// `SW308`
fn parsed(code: &str) -> Code {
    let number = code
        .strip_prefix("SW")
        .and_then(|number| number.parse().ok());
    Code(number.expect("a scenario names codes as the doctor writes them"))
}

/// Runs it: what the server told before and after, its log, and the client's journals.
pub(crate) fn collected(
    name: &str,
    binary: &ServerBinary,
    contenders: &[Contender],
    interrupt: &Interrupt,
) -> Result<Facts, Trouble> {
    let mut all = scenario::list().into_iter();
    let scenario = all
        .find(|scenario| scenario.name == name)
        .expect("a case is made of a scenario that there is");
    can_run(&scenario, binary)?;
    let mut result = Err(Trouble::LeftOut(
        "there is no client of Seawall's to run it with".to_owned(),
    ));
    for contender in contenders {
        result = with(&scenario, contender, binary, interrupt);
        if !matches!(result, Err(Trouble::Lab(LabError::Lacks { .. }))) {
            return result;
        }
    }
    match result {
        Err(Trouble::Lab(lacks @ LabError::Lacks { .. })) => Err(Trouble::LeftOut(
            lacks.to_string().replace("left out: ", ""),
        )),
        other => other,
    }
}

fn with(
    scenario: &Scenario,
    contender: &Contender,
    binary: &ServerBinary,
    interrupt: &Interrupt,
) -> Result<Facts, Trouble> {
    let journals = tempfile::Builder::new()
        .prefix("seawall-clinic-")
        .tempdir()?;
    let mut facts = Facts::default();
    let mut log = None;
    watched(
        scenario,
        &writing_to(contender, journals.path()),
        binary,
        interrupt,
        &mut |stage| {
            facts.add(looked(&stage.server));
            // The last time it is whole.
            log = Some(server_log(&stage.server));
        },
    )?;
    if let Some(log) = log {
        facts.add(log?);
    }
    for entry in fs::read_dir(journals.path())? {
        let path = entry?.path();
        if path.extension().is_some_and(|ext| ext == "journal") {
            let file = File::open(&path)?;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            facts.add(read::file(&name, file, Given { now: now() })?.1);
        }
    }
    Ok(facts)
}

/// What other clients fall into and ours does not, and why.
const SPARED: (&str, &str) = (
    "slow-subscriber",
    "Seawall's own subscriber reads on: the server never has to close it (the case slow-subscriber does not read)",
);

/// Whether this machine and this server can.
fn can_run(scenario: &Scenario, binary: &ServerBinary) -> Result<(), Trouble> {
    if scenario.name == SPARED.0 {
        return Err(Trouble::LeftOut(SPARED.1.to_owned()));
    }
    if scenario.security == Security::Tls && !binary.speaks_tls() {
        let why = "this server was built without TLS";
        return Err(Trouble::LeftOut(why.to_owned()));
    }
    if scenario.name_says.is_some()
        && let Err(why) = Seclusion::try_out()
    {
        let why = format!("a name service of our own takes root: {why}");
        return Err(Trouble::LeftOut(why));
    }
    Ok(())
}

/// The same client, with a place for its journal.
fn writing_to(contender: &Contender, dir: &std::path::Path) -> Contender {
    let set = format!("SEAWALL_STATE_DIR={}", dir.display());
    let words = ["env".to_owned(), set];
    let command = words.into_iter().chain(contender.command.iter().cloned());
    Contender::judged(contender.name.clone(), command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_names_codes_of_the_catalogue() {
        assert!(all().len() >= 15, "{}", all().len());
        for case in all() {
            for code in case.truth {
                let known = seawall_doctor::rules()
                    .iter()
                    .any(|rule| rule.code == *code);
                assert!(known, "{}: {code}", case.name);
            }
        }
    }
}
