//! Two looks at one trouble, some time apart: what is new, what is still there, what is gone.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::finding::{Finding, Verdict};
use crate::judge::Diagnosis;
use crate::report::SCHEMA;

/// What one diagnosis found, as far as another one is held against it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Baseline {
    /// When it was made.
    pub made: Option<String>,
    /// By their fingerprints; of several with the same one the gravest.
    findings: BTreeMap<String, Known>,
}

/// A finding of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// See [`Finding::fingerprint`].
    pub fingerprint: String,
    /// The rule's code; empty for failed calls without a cause.
    pub code: String,
    /// What happened.
    pub title: String,
    /// Its part, by the verdict's name.
    pub verdict: String,
    /// How sure it was, by the word for it.
    pub confidence: String,
}

impl Known {
    fn of(finding: &Finding) -> Self {
        Self {
            fingerprint: finding.fingerprint(),
            code: finding.code.to_string(),
            title: finding.title.clone(),
            verdict: finding.verdict.name().to_owned(),
            confidence: finding.confidence.name().to_owned(),
        }
    }

    /// Failed calls of which nobody knows why are a trouble of their own.
    fn unexplained() -> Self {
        Self {
            fingerprint: "unexplained".to_owned(),
            code: String::new(),
            title: "calls fail, and nothing tells why".to_owned(),
            verdict: Verdict::Cause.name().to_owned(),
            confidence: String::new(),
        }
    }

    fn is_risk(&self) -> bool {
        self.verdict == Verdict::Risk.name()
    }
}

/// Why a file is no former report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// It ends before its time.
    #[error("it is cut off after line {0}")]
    CutOff(usize),
    /// It is not JSON.
    #[error("it is no JSON (line {line}, column {column})")]
    NotJson {
        /// Where it stops being JSON, from 1.
        line: usize,
        /// And in which column.
        column: usize,
    },
    /// It is JSON of something else.
    #[error("it is JSON, but no report of seawall doctor --json")]
    Foreign,
    /// Another version wrote it.
    #[error("its schema is {0}, and this seawall reads schema {SCHEMA}")]
    OtherSchema(u64),
    /// A field that must be there is not, or is of another kind.
    #[error("finding {number} of it has no {field}")]
    Field {
        /// Which finding, from 1.
        number: usize,
        /// Which field.
        field: &'static str,
    },
}

impl Baseline {
    /// Of a diagnosis.
    pub fn of(diagnosis: &Diagnosis) -> Self {
        let unexplained = diagnosis.unexplained.is_some();
        let findings = diagnosis.findings.iter().map(Known::of);
        Self {
            made: diagnosis.made.map(|made| made.to_string()),
            findings: gravest(findings.chain(unexplained.then(Known::unexplained))),
        }
    }

    /// Of what `--json` printed.
    pub fn parse(text: &str) -> Result<Self, Unreadable> {
        if text.trim().is_empty() {
            return Err(Unreadable::Empty);
        }
        let value: Value = serde_json::from_str(text).map_err(|error| {
            if error.is_eof() {
                Unreadable::CutOff(error.line())
            } else {
                Unreadable::NotJson {
                    line: error.line(),
                    column: error.column(),
                }
            }
        })?;
        let schema = value["schema"].as_u64().ok_or(Unreadable::Foreign)?;
        if schema != u64::from(SCHEMA) {
            return Err(Unreadable::OtherSchema(schema));
        }
        let rows = value["findings"].as_array().ok_or(Unreadable::Foreign)?;
        let mut all = Vec::new();
        for (place, row) in rows.iter().enumerate() {
            let field = |field: &'static str| -> Result<String, Unreadable> {
                let number = place + 1;
                let text = row[field].as_str();
                text.map(str::to_owned)
                    .ok_or(Unreadable::Field { number, field })
            };
            all.push(Known {
                fingerprint: field("fingerprint")?,
                code: field("code")?,
                title: field("title")?,
                verdict: field("verdict")?,
                confidence: field("confidence")?,
            });
        }
        if value["unexplained"].is_string() {
            all.push(Known::unexplained());
        }
        Ok(Self {
            made: value["made"].as_str().map(str::to_owned),
            findings: gravest(all),
        })
    }

    /// What became of it by the time of a later one.
    pub fn compared(&self, later: &Self) -> Comparison {
        let mut comparison = Comparison {
            made: self.made.clone(),
            ..Comparison::default()
        };
        for (print, now) in &later.findings {
            let list = match self.findings.get(print) {
                None => &mut comparison.new,
                Some(then) if then.is_risk() && !now.is_risk() => &mut comparison.worse,
                Some(_) => &mut comparison.same,
            };
            list.push(now.clone());
        }
        let gone = self.findings.iter();
        let gone = gone.filter(|(print, _)| !later.findings.contains_key(*print));
        comparison.gone = gone.map(|(_, then)| then.clone()).collect();
        comparison
    }
}

fn gravest(all: impl IntoIterator<Item = Known>) -> BTreeMap<String, Known> {
    let mut by_print: BTreeMap<String, Known> = BTreeMap::new();
    for known in all {
        match by_print.get(&known.fingerprint) {
            Some(before) if !before.is_risk() || known.is_risk() => {}
            _ => {
                by_print.insert(known.fingerprint.clone(), known);
            }
        }
    }
    by_print
}

/// How a finding stands to a former report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It was not there.
    New,
    /// It was a risk only.
    Worse,
    /// It was there.
    Same,
}

impl Standing {
    /// Its name in every output.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Worse => "worse",
            Self::Same => "same",
        }
    }

    /// For who reads it.
    pub fn words(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Worse => "worse: it was a risk",
            Self::Same => "still there",
        }
    }
}

/// What changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// When the former one was made.
    pub made: Option<String>,
    /// What was not there.
    pub new: Vec<Known>,
    /// What was a risk only.
    pub worse: Vec<Known>,
    /// What is still there.
    pub same: Vec<Known>,
    /// What is there no more.
    pub gone: Vec<Known>,
}

impl Comparison {
    /// How a finding of the later one stands.
    pub fn standing(&self, finding: &Finding) -> Standing {
        let print = finding.fingerprint();
        let among = |list: &[Known]| list.iter().any(|known| known.fingerprint == print);
        if among(&self.new) {
            Standing::New
        } else if among(&self.worse) {
            Standing::Worse
        } else {
            Standing::Same
        }
    }

    /// Whether anything is new, or worse.
    pub fn is_news(&self) -> bool {
        !self.new.is_empty() || !self.worse.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::facts::Facts;
    use crate::judge::diagnose;
    use crate::report;
    use crate::testing::{application, kernel, log};

    fn closed(day: u32, id: u64, addr: &str, name: &str) -> String {
        format!(
            "9:M {day} Nov 2026 02:58:11.042 # Client id={id} addr={addr} name={name} flags=P omem=33600000 cmd=subscribe \
             scheduled to be closed ASAP for overcoming of output buffer limits.\n"
        )
    }

    fn found(facts: Facts) -> Baseline {
        Baseline::of(&diagnose(facts))
    }

    #[test]
    fn the_same_trouble_on_another_day_has_the_same_print() {
        let before = log(&closed(22, 8821, "10.0.0.7:51234", "metrics:pod-7:12"));
        let after = log(&(closed(23, 99, "10.0.3.9:40001", "metrics:pod-9:4711")
            + &closed(23, 100, "[fd00::1]:60123", "metrics:pod-2:1")));
        let changes = found(before).compared(&found(after));
        assert_eq!(
            (changes.new, changes.worse, changes.gone),
            Default::default()
        );
        assert_eq!(changes.same.len(), 1);

        let killed = |pid| {
            kernel(&format!(
                "2026-11-23T02:58:11+0000 host kernel: Out of memory: Killed process {pid} (redis-server) total-vm:9kB\n"
            ))
        };
        let changes = found(killed(4711)).compared(&found(killed(9)));
        assert_eq!((changes.new.len(), changes.same.len()), (0, 1));
    }

    #[test]
    fn another_client_and_another_server_are_another_trouble() {
        let metrics = log(&closed(22, 1, "10.0.0.7:51234", "metrics"));
        let chat = log(&closed(22, 1, "10.0.0.7:51234", "chat"));
        let changes = found(metrics).compared(&found(chat));
        assert_eq!((changes.new.len(), changes.gone.len()), (1, 1));
        let refused = |server: &str| {
            application(&format!("2026-11-23T02:58:11Z redis.exceptions.ConnectionError: Error 111 connecting to {server}. Connection refused.\n").repeat(3))
        };
        let changes = found(refused("cache:6379")).compared(&found(refused("queue:6379")));
        assert!(changes.is_news());
    }

    #[test]
    fn what_was_printed_is_read_back() {
        let facts = log(&closed(22, 8821, "10.0.0.7:51234", "metrics"));
        let diagnosis = diagnose(facts);
        let text = report::json(&diagnosis).to_string();
        assert_eq!(Baseline::parse(&text), Ok(Baseline::of(&diagnosis)));
    }

    #[test]
    fn what_is_no_former_report_is_told_apart() {
        let text = report::json(&diagnose(log(&closed(22, 1, "10.0.0.7:1", "m")))).to_string();
        let told = |text: &str| Baseline::parse(text).expect_err("it is none").to_string();
        assert_eq!(told(" \n"), "it is empty");
        assert_eq!(told(&text[..text.len() / 2]), "it is cut off after line 1");
        assert_eq!(
            told("DID REDIS STAY UP?"),
            "it is no JSON (line 1, column 1)"
        );
        for foreign in [
            "[]",
            "{}",
            "7",
            "{\"schema\": \"1\"}",
            "{\"schema\": 1, \"findings\": 7}",
        ] {
            assert_eq!(
                told(foreign),
                "it is JSON, but no report of seawall doctor --json"
            );
        }
        let other = text.replace("\"schema\":1", "\"schema\":9");
        assert_eq!(
            told(&other),
            "its schema is 9, and this seawall reads schema 1"
        );
        let without = text.replace("\"fingerprint\":", "\"fingermark\":");
        assert_eq!(told(&without), "finding 1 of it has no fingerprint");
    }

    #[test]
    fn a_risk_that_struck_is_worse_and_a_cause_that_is_a_risk_again_is_no_news() {
        let known = |verdict: Verdict| Baseline {
            made: None,
            findings: gravest([Known {
                verdict: verdict.name().to_owned(),
                ..Known::unexplained()
            }]),
        };
        let changes = known(Verdict::Risk).compared(&known(Verdict::Cause));
        assert_eq!((changes.worse.len(), changes.is_news()), (1, true));
        let changes = known(Verdict::Cause).compared(&known(Verdict::Risk));
        assert_eq!((changes.same.len(), changes.is_news()), (1, false));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(
            text in "(\\{|\\}|\\[|\\]|\"schema\": ?1|\"findings\"|\"code\"|\"SW301\"|:|,|null|1|[^ ]){0,40}",
        ) {
            let _ = Baseline::parse(&text);
        }
    }
}
