use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::baseline::Baseline;
use crate::facts::{Cost, Failure, Place, Spent, Spot, Unseen};
use crate::finding::{Confidence, Finding, Verdict};
use crate::judge::Diagnosis;
use crate::rule::{Code, Need};
use crate::stamp::Stamp;
use crate::timeline::{Event, Lane, Sample, Timeline};
use crate::uptime::Uptime;

/// A diagnosis with something everywhere, and `words` wherever somebody else's words may stand.
fn full(words: &str) -> Diagnosis {
    let place = |spot| Place {
        source: words.into(),
        spot,
    };
    let finding = |code, verdict| {
        Finding::new(
            Code(code),
            format!("title {words}"),
            verdict,
            Confidence::Proved,
        )
        .claims(format!("claimed {words}"))
        .at(Some(Stamp(1_795_402_691_042)))
        .at(Some(Stamp(1_795_402_692_042)))
        .struck(format!("id=1 {words}"))
        .supported(place(Spot::Line(7)), words)
        .supported(place(Spot::Command("INFO")), words)
        .contradicted(place(Spot::Line(9)), words)
        .fix(
            format!("do redis-cli PING, {words}"),
            words,
            format!("undo {words}"),
        )
        .checked_by(&format!("check {words}"))
    };
    let mut after = finding(101, Verdict::Consequence);
    after.behind = Some(Code(301));
    after.more = 3;
    let mut diagnosis = Diagnosis {
        uptime: Uptime::Stayed(format!("yes: {words}")),
        findings: vec![
            finding(301, Verdict::Cause),
            after,
            finding(201, Verdict::Risk),
        ],
        ruled_out: vec![Finding::ruled_out(
            Code(105),
            format!("maxclients {words}"),
            place(Spot::Command("INFO")),
            words,
        )],
        unseen: vec![Unseen {
            what: format!("the kernel's log {words}"),
            why: format!("not given {words}"),
            how: format!("get {words}"),
        }],
        assumed: vec![format!("assumed {words}")],
        failures: 41,
        unexplained: None,
        had: [Need::Server, Need::ServerLog].into(),
        timeline: timeline(words),
        since: None,
        made: Some(Stamp(1_795_402_699_000)),
        costs: vec![("cache:6379".into(), cost())],
    };
    let mut former = diagnosis.clone();
    former.findings[0].verdict = Verdict::Risk;
    former.findings[1].code = Code(402);
    diagnosis.compare(&Baseline::of(&former));
    diagnosis
}

fn timeline(words: &str) -> Timeline {
    let at = Stamp(1_795_402_691_042);
    let place = Place {
        source: words.into(),
        spot: Spot::Line(7),
    };
    let event = |at| Event {
        at,
        says: format!("said {words}"),
        place: place.clone(),
    };
    let sample = |at, memory| Sample {
        at: Some(at),
        source: words.to_owned(),
        memory: Some(memory),
        ..Sample::default()
    };
    Timeline {
        lanes: vec![Lane {
            kind: "server log",
            source: words.to_owned(),
            events: vec![event(at), event(at), event(at.plus_seconds(9))],
        }],
        failures: [((at, Failure::Reset), 3), ((at, Failure::Closed), 1)].into(),
        samples: vec![sample(at, 1e6), sample(at.plus_seconds(5), 3e6)],
    }
}

fn steers(c: char) -> bool {
    (c.is_control() && c != '\n') || matches!(c, '\u{202e}' | '\u{2066}' | '\u{feff}' | '\u{2028}')
}

/// Markup, ends of markup, and what steers a terminal or turns letters about.
fn hostile() -> impl Strategy<Value = String> {
    let parts = prop::sample::select(vec![
        "<script>",
        "</script>",
        "<!--",
        "-->",
        "]]>",
        "<![CDATA[",
        "&",
        "&lt;",
        "\"",
        "'",
        "`",
        "```",
        "\n",
        "\r\n",
        "\n\n# ",
        "\n- ",
        "\n    ",
        "1. ",
        "# ",
        "> ",
        "| ",
        "|",
        "*",
        "**",
        "_",
        "~~",
        "[x](http://e)",
        "![x](y)",
        "http://e.com",
        "www.e.com",
        "@all",
        "\\",
        "\u{1b}[2J",
        "\u{0}",
        "\u{7f}",
        "\u{85}",
        "\u{9b}31m",
        "\u{202e}",
        "\u{2066}",
        "\u{feff}",
        "\u{2028}",
        "\u{fffe}",
        "javascript:",
        "onload=",
        "style=",
        "a",
        " ",
        "é",
        "%",
        "$x$",
        "<a@b.c>",
        "a@b.c",
        "---",
        "===",
    ]);
    prop::collection::vec(parts, 0..8).prop_map(|parts| format!("w{}", parts.concat()))
}

/// Tags with the names of their attributes, and whether there is text between them.
fn skeleton_of_xml(text: &str) -> Vec<String> {
    let document = roxmltree::Document::parse(text).expect("it is XML");
    let elements = document.descendants().filter(roxmltree::Node::is_element);
    elements
        .map(|node| {
            let names: Vec<_> = node.attributes().map(|one| one.name().to_owned()).collect();
            format!("{} {}", node.tag_name().name(), names.join(" "))
        })
        .collect()
}

/// Tags of HTML, with the names of their attributes: whatever stands between `<` and `>`, without what is in quotes.
fn tags(page: &str) -> Vec<String> {
    let (_, body) = page.split_once("</style>").expect("it has a style");
    let tags = body.split('<').skip(1).map(|rest| {
        let (tag, text) = rest.split_once('>').expect("it is closed");
        assert!(!text.contains(['>', '"']), "{text}");
        let parts: Vec<_> = tag.split('"').step_by(2).collect();
        parts.concat()
    });
    tags.collect()
}

/// Begins and ends of Markdown's blocks and spans.
fn skeleton_of_markdown(text: &str) -> Vec<String> {
    use pulldown_cmark::{Event, Options, Parser};
    let mut skeleton = Vec::new();
    for event in Parser::new_ext(text, Options::all()) {
        match event {
            Event::Text(_) | Event::SoftBreak => {}
            Event::Code(_) => skeleton.push("code".to_owned()),
            other => skeleton.push(format!("{other:?}")),
        }
    }
    skeleton
}

proptest! {
    #[test]
    fn no_words_change_what_a_report_is_made_of(words in hostile()) {
        let (plain, full) = (full("w"), full(&words));
        for long in [false, true] {
            prop_assert!(!text(&full, long).contains(steers));
        }
        let (one, other) = (junit(&plain), junit(&full));
        prop_assert!(!other.contains(steers), "{:?}", other);
        prop_assert_eq!(skeleton_of_xml(&one), skeleton_of_xml(&other));
        let (one, other) = (markdown(&plain), markdown(&full));
        prop_assert!(!other.contains(steers), "{:?}", other);
        prop_assert_eq!(skeleton_of_markdown(&one), skeleton_of_markdown(&other), "{}", other);
        let (one, other) = (html(&plain), html(&full));
        prop_assert!(!other.contains(steers));
        prop_assert_eq!(tags(&one), tags(&other));
        let sarif = sarif(&full).to_string();
        prop_assert!(!sarif.contains("\\u00") && !sarif.contains(steers));
        let json = json(&full).to_string();
        prop_assert!(!json.chars().any(|c| c < ' '), "{}", json);
        let back: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
        prop_assert_eq!(back["findings"][0]["supports"][0]["says"].as_str(), Some(words.as_str()));
    }
}

#[test]
fn a_rule_that_found_a_cause_failed_and_one_without_its_evidence_was_skipped() {
    let text = junit(&full("w"));
    let document = roxmltree::Document::parse(&text).expect("it is XML");
    let of = |code: &str| {
        let case = document
            .descendants()
            .find(|node| {
                node.attribute("name")
                    .is_some_and(|name| name.starts_with(code))
            })
            .expect("each rule has a case");
        let told = case.first_element_child();
        told.map_or("", |told| told.tag_name().name()).to_owned()
    };
    assert_eq!(of("SW301"), "failure");
    assert_eq!(of("SW101"), "failure", "a consequence");
    assert_eq!(of("SW201"), "system-out", "a risk");
    assert_eq!(of("SW105"), "system-out", "ruled out");
    assert_eq!(of("SW402"), "skipped", "no kernel's log");
    assert_eq!(of("SW302"), "", "silent");
    let suite = document.root_element();
    let count = |name: &str| {
        let nodes = suite.descendants().filter(|node| node.has_tag_name(name));
        nodes.count().to_string()
    };
    for (attribute, tag) in [
        ("tests", "testcase"),
        ("failures", "failure"),
        ("skipped", "skipped"),
    ] {
        assert_eq!(
            suite.attribute(attribute),
            Some(count(tag).as_str()),
            "{attribute}"
        );
    }
}

#[test]
fn sarif_names_the_rule_the_line_and_how_bad_it_is() {
    let log = sarif(&full("my app.log"));
    let run = &log["runs"][0];
    let result = &run["results"][0];
    assert_eq!(result["ruleId"], "SW301");
    assert_eq!(result["level"], "error");
    let place = usize::try_from(result["ruleIndex"].as_u64().expect("a number")).expect("small");
    let rule = &run["tool"]["driver"]["rules"][place];
    assert_eq!(rule["id"], "SW301");
    let help = &rule["help"];
    let page = help["markdown"].as_str().expect("a page");
    assert!(
        page.starts_with("**Redis closed a slow subscriber.** "),
        "{page}"
    );
    assert!(page.contains("- Looks at: the server's log"), "{page}");
    let text = help["text"].as_str().expect("words");
    assert!(text.ends_with("seawall explain SW301"), "{text}");
    // Where it is, it leads somewhere from everywhere.
    let uri = rule["helpUri"].as_str();
    assert!(uri.is_none_or(|uri| uri.starts_with("https://")), "{uri:?}");
    let at = &result["locations"][0]["physicalLocation"];
    assert_eq!(at["artifactLocation"]["uri"], "my%20app.log");
    assert_eq!(at["region"]["startLine"], 7);
    let related = &result["relatedLocations"][0];
    assert_eq!(
        related["logicalLocations"][0]["fullyQualifiedName"],
        "my app.log INFO"
    );
    let levels: Vec<_> = run["results"]
        .as_array()
        .expect("results")
        .iter()
        .map(|one| one["level"].clone())
        .collect();
    assert_eq!(levels, ["error", "note", "warning", "none"]);
    let results = run["results"].as_array().expect("results").iter();
    let states: Vec<_> = results.map(|one| one["baselineState"].clone()).collect();
    assert_eq!(states, ["updated", "new", "unchanged", "absent"]);
}

#[test]
fn a_command_to_copy_is_broken_nowhere() {
    let long = "redis-cli CONFIG SET client-output-buffer-limit 'normal 0 0 0 replica 268435456 67108864 60 pubsub 33554432 8388608 60'";
    let mut diagnosis = full("w");
    diagnosis.findings[0] = diagnosis.findings[0].clone().fix(
        format!("words before it, of some length: {long}; and words behind it"),
        "",
        "",
    );
    let text = text(&diagnosis, true);
    assert!(text.contains(long), "{text}");
    let page = markdown(&diagnosis);
    assert!(page.contains(&format!("```sh\n{long}\n```")), "{page}");
}

#[test]
fn the_first_screen_is_one_screen_however_much_was_found() {
    let words = "words enough to fill a line and some more of them, so that nothing fits into one row of a terminal at all ";
    let mut diagnosis = full(words);
    diagnosis.findings = diagnosis
        .findings
        .iter()
        .flat_map(|one| vec![one.clone(); 40])
        .collect();
    let out = diagnosis.ruled_out[0].clone();
    diagnosis.ruled_out = (0..40)
        .map(|number| Finding {
            title: format!("{number} {}", out.title),
            ..out.clone()
        })
        .collect();
    diagnosis.unseen = vec![diagnosis.unseen[0].clone(); 40];
    diagnosis.assumed = vec![diagnosis.assumed[0].clone(); 40];
    let text = text(&diagnosis, false);
    assert!(text.lines().count() <= 52, "{text}");
    assert!(text.contains("and 76 more findings (--long)"), "{text}");
    assert!(
        text.lines().all(|line| line.chars().count() <= 100),
        "{text}"
    );
}

/// Whether it is one screen of a terminal, in which nothing but a command is wider than 100 columns.
fn is_a_screen(text: &str, lines: std::ops::RangeInclusive<usize>) {
    assert!(lines.contains(&text.lines().count()), "{text}");
    for line in text.lines().filter(|line| line.chars().count() > 100) {
        assert!(line.contains("redis-cli "), "{line}");
    }
}

#[test]
fn an_incident_and_a_healthy_server_are_a_screen_each() {
    use crate::testing::{application, kernel, log, pasted};
    let info = |run: &str, up: u32| {
        pasted(&format!(
            "# Server\nredis_version:7.2.5\nrun_id:{run}\nuptime_in_seconds:{up}\ntcp_port:6379\n# Clients\nconnected_clients:520\n\
             maxclients:10000\n# Memory\nused_memory:15100000000\nmaxmemory:0\n# Stats\nrejected_connections:0\n\
             evicted_clients:0\nclient_output_buffer_limit_disconnections:0\n# Replication\nrole:master\n"
        ))
    };
    let healthy = crate::diagnose(info("aaaaaaaaaaaaaaaa", 86_400 * 41));
    is_a_screen(&text(&healthy, false), 5..=40);

    let mut facts = log(
        "4711:M 23 Nov 2026 01:12:00.042 * Ready to accept connections\n\
4711:M 23 Nov 2026 02:53:20.241 # Client id=8821 addr=10.0.0.7:51234 name=metrics flags=P omem=33600000 cmd=subscribe scheduled \
to be closed ASAP for overcoming of output buffer limits.\n\
4711:M 23 Nov 2026 02:55:00.310 * Asynchronous AOF fsync is taking too long (disk is busy?). Writing the AOF buffer without \
waiting for fsync to complete, this may slow down Redis.\n\
5120:C 23 Nov 2026 02:58:17.158 * oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo\n\
5120:M 23 Nov 2026 02:58:51.092 * DB loaded from append only file: 33.482 seconds\n",
    );
    facts.add(kernel(
        "2026-11-23T02:58:00+0000 db1 kernel: TCP: request_sock_TCP: Possible SYN flooding on port 6379. Sending cookies.\n\
         2026-11-23T02:58:11+0000 db1 kernel: Out of memory: Killed process 4711 (redis-server) total-vm:9kB, anon-rss:8kB\n",
    ));
    let told = [
        (
            11,
            "redis.exceptions.ConnectionError: Connection closed by server.",
        ),
        (
            12,
            "redis.exceptions.ConnectionError: Error 111 connecting to cache:6379. Connection refused.",
        ),
        (
            20,
            "redis.exceptions.BusyLoadingError: Redis is loading the dataset in memory",
        ),
    ];
    let told = told.map(|(second, words)| {
        format!("2026-11-23T02:58:{second}.042Z ERROR {words}\n").repeat(40)
    });
    facts.add(application(&told.concat()));
    facts.add(info("bbbbbbbbbbbbbbbb", 90));
    is_a_screen(&text(&crate::diagnose(facts), false), 20..=40);
}

#[test]
fn colour_is_the_only_thing_that_colour_adds() {
    let diagnosis = full("w");
    let mut plain = String::new();
    let coloured = coloured(&diagnosis, false);
    let mut rest = coloured.as_str();
    while let Some(start) = rest.find('\u{1b}') {
        plain.push_str(&rest[..start]);
        let end = rest[start..].find('m').expect("it ends") + start;
        rest = &rest[end + 1..];
    }
    plain.push_str(rest);
    let trimmed = |text: &str| {
        text.lines()
            .map(str::trim_end)
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_eq!(trimmed(&plain), trimmed(&text(&diagnosis, false)));
    assert!(coloured.contains('\u{1b}'));
}

/// `findings[].fixes[].undo` of every field there is.
fn fields(of: &serde_json::Value, path: &str, all: &mut std::collections::BTreeSet<String>) {
    match of {
        serde_json::Value::Object(fields_of) => {
            for (name, value) in fields_of {
                let path = format!("{path}{}{name}", if path.is_empty() { "" } else { "." });
                fields(value, &path, all);
                all.insert(path);
            }
        }
        serde_json::Value::Array(items) => {
            for item in items {
                fields(item, &format!("{path}[]"), all);
            }
        }
        _ => {}
    }
}

fn cost() -> Cost {
    Cost {
        commands: 12,
        lasted: Duration::from_millis(400),
        spent: vec![Spent {
            command: "client|list".to_owned(),
            calls: 1,
            took: Duration::from_millis(2),
        }],
        ..Cost::default()
    }
}

#[test]
fn the_page_on_the_json_names_every_field_and_no_other() {
    let page = include_str!("../../../../docs/doctor-json.md");
    let mut there = std::collections::BTreeSet::new();
    let mut diagnosis = full("w");
    diagnosis.findings[0].fixes[0].change = crate::mend::Change::new("timeout", "0");
    fields(&json(&diagnosis), "", &mut there);
    // What was ruled out is told like what was found.
    there.retain(|field| !field.starts_with("ruled_out[]"));
    let named: std::collections::BTreeSet<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .map(str::to_owned)
        .collect();
    assert_eq!(named, there);
}
