//! The XML of `JUnit`, as CI systems read it: a test case for each rule.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::words::{clean, explained_by, headline, page_of, shown};
use crate::finding::{Finding, Verdict};
use crate::judge::Diagnosis;
use crate::rule::{Code, Rule};

/// A diagnosis as a suite: a rule that found something that broke has failed, one whose evidence is missing was skipped,
/// and all others passed; a risk is told beside its rule, which passed.
pub fn junit(diagnosis: &Diagnosis) -> String {
    let ruled_out: BTreeSet<_> = diagnosis.ruled_out.iter().map(|out| out.code).collect();
    let mut cases = String::new();
    let (mut failed, mut skipped) = (0, 0);
    for rule in crate::rules() {
        let _ = write!(
            cases,
            "    <testcase classname=\"seawall.doctor\" name=\"{}\" time=\"0\"",
            escaped(&format!("{} {}", rule.code, rule.title))
        );
        match outcome(rule, diagnosis, &ruled_out) {
            Outcome::Failed(findings) => {
                failed += 1;
                let _ = write!(
                    cases,
                    ">\n      <failure type=\"{}\" message=\"{}\">{}</failure>\n    </testcase>\n",
                    findings[0].verdict.name(),
                    escaped(&clean(&headline(findings[0]))),
                    escaped(&findings.iter().map(|one| whole(one)).collect::<String>()),
                );
            }
            Outcome::Skipped(why) => {
                skipped += 1;
                let _ = write!(
                    cases,
                    ">\n      <skipped message=\"{}\"/>\n    </testcase>\n",
                    escaped(&clean(&why))
                );
            }
            Outcome::Passed(said) if said.is_empty() => cases.push_str("/>\n"),
            Outcome::Passed(said) => {
                let _ = write!(
                    cases,
                    ">\n      <system-out>{}</system-out>\n    </testcase>\n",
                    escaped(&said)
                );
            }
        }
    }
    cases.push_str("    <testcase classname=\"seawall.doctor\" name=\"every failed call has a cause\" time=\"0\"");
    if let Some(words) = &diagnosis.unexplained {
        failed += 1;
        let _ = write!(
            cases,
            ">\n      <failure type=\"unexplained\" message=\"{}\"/>\n    </testcase>\n",
            escaped(&clean(words))
        );
    } else {
        cases.push_str("/>\n");
    }
    let counts = format!(
        "tests=\"{}\" failures=\"{failed}\" errors=\"0\" skipped=\"{skipped}\" time=\"0\"",
        crate::rules().len() + 1
    );
    let made = diagnosis.made.map_or_else(String::new, |made| {
        format!(" timestamp=\"{}\"", &made.to_string()[..19])
    });
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts}>\n  \
         <testsuite name=\"seawall doctor\" {counts}{made}>\n{cases}  </testsuite>\n</testsuites>\n"
    )
}

enum Outcome<'a> {
    Failed(Vec<&'a Finding>),
    Skipped(String),
    Passed(String),
}

fn outcome<'a>(rule: &Rule, diagnosis: &'a Diagnosis, ruled_out: &BTreeSet<Code>) -> Outcome<'a> {
    let (risks, broke): (Vec<_>, Vec<_>) = diagnosis
        .findings
        .iter()
        .filter(|finding| finding.code == rule.code)
        .partition(|finding| finding.verdict == Verdict::Risk);
    if !broke.is_empty() {
        return Outcome::Failed(broke);
    }
    if !risks.is_empty() {
        return Outcome::Passed(risks.into_iter().map(whole).collect());
    }
    if ruled_out.contains(&rule.code) {
        let out = diagnosis.ruled_out.iter();
        let said = out.filter(|out| out.code == rule.code).map(whole);
        return Outcome::Passed(said.collect());
    }
    match rule.needs.first() {
        Some(need) if !diagnosis.had.contains(need) => {
            let (what, how) = need.words();
            Outcome::Skipped(format!("{what} was not given; get it: {how}"))
        }
        _ => Outcome::Passed(String::new()),
    }
}

fn whole(finding: &Finding) -> String {
    let mut text = format!(
        "{}: {}\n",
        finding.verdict.name().replace('_', " "),
        headline(finding)
    );
    let mut line = |label: &str, words: &str| {
        if !words.is_empty() {
            let _ = writeln!(text, "{label}{}", clean(words));
        }
    };
    line("", &finding.claim);
    for evidence in &finding.supports {
        line("  ", &shown(evidence));
    }
    if finding.more > 0 {
        line("  ", &format!("and {} more", finding.more));
    }
    for evidence in &finding.contradicts {
        line("  against it: ", &shown(evidence));
    }
    for fix in &finding.fixes {
        line("do: ", &fix.action);
        line("  risk: ", &fix.risk);
        line("  undo: ", &fix.undo);
    }
    line("check: ", &finding.check);
    let see = page_of(finding.code).unwrap_or_else(|| explained_by(finding.code));
    line("see: ", &see);
    text
}

/// For text and for attributes; what XML forbids is a question mark, and only our own line breaks stay.
fn escaped(words: &str) -> String {
    let mut out = String::with_capacity(words.len());
    for line in words.split_inclusive('\n') {
        let (line, end) = match line.strip_suffix('\n') {
            Some(line) => (line, "\n"),
            None => (line, ""),
        };
        for c in clean(line).chars() {
            match c {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '"' => out.push_str("&quot;"),
                '\'' => out.push_str("&apos;"),
                c => out.push(c),
            }
        }
        out.push_str(end);
    }
    out
}
