//! The sources' events laid over one another, the applications' errors beside how the server stood.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::axis::Axis;
use super::{escaped, moment};
use crate::evidence::counted;
use crate::facts::{Failure, bytes};
use crate::finding::Finding;
use crate::judge::Diagnosis;
use crate::stamp::Stamp;
use crate::timeline::{Event, Lane, Sample, Timeline};

/// Columns of a lane: what falls into one is one mark.
const COLUMNS: usize = 160;

/// So many findings have a bar, so many kinds of failure a colour, so many events a row of the table.
const BARS: usize = 8;
const KINDS: usize = 3;
const ROWS: usize = 300;
const SAMPLES: usize = 24;

pub(super) fn write(page: &mut String, diagnosis: &Diagnosis) {
    let timeline = &diagnosis.timeline;
    let samples: Vec<_> = timeline
        .samples
        .iter()
        .filter(|one| one.memory.is_some())
        .collect();
    let axis = Axis::of(diagnosis).filter(|axis| worth_showing(timeline, *axis));
    if axis.is_none() && samples.is_empty() {
        return;
    }
    page.push_str("<section><h2>Timeline</h2>\n");
    match axis {
        Some(axis) => drawn(page, diagnosis, axis),
        None => page.push_str(
            "<p class=\"soft\">No source tells of anything that happened at a known time.</p>\n",
        ),
    }
    standing(page, &samples);
    page.push_str("</section>\n");
}

/// A line of one moment alone shows nothing.
fn worth_showing(timeline: &Timeline, axis: Axis) -> bool {
    let within = |at: &Stamp| axis.place(*at).is_some();
    let mut events = timeline.lanes.iter().flat_map(|lane| &lane.events);
    events.any(|event| within(&event.at)) || timeline.failures.keys().any(|(at, _)| within(at))
}

fn drawn(page: &mut String, diagnosis: &Diagnosis, axis: Axis) {
    let timeline = &diagnosis.timeline;
    let (from, to) = (axis.from.to_string(), axis.to.to_string());
    let _ = writeln!(
        page,
        "<p class=\"soft\">{} to {} UTC; the shaded stretch is when the first cause was seen</p>",
        moment(&from),
        moment(&to)
    );
    let back = background(diagnosis.first(), axis);
    findings(page, diagnosis, axis, &back);
    for lane in &timeline.lanes {
        events(page, lane, axis, &back);
    }
    failures(page, &timeline.failures, axis, &back);
    measures(page, &timeline.samples, axis, &back);
    scale(page, axis);
    table(page, &timeline.lanes, axis);
}

/// The first cause's stretch, and the lines of the scale.
fn background(first: Option<&Finding>, axis: Axis) -> String {
    let mut back = String::new();
    if let Some((from, to)) = first.and_then(|first| first.window) {
        let (left, right) = (axis.clamped(from), axis.clamped(to));
        let _ = write!(
            back,
            "<i class=\"band\" style=\"left:{left:.2}%;width:{:.2}%\"></i>",
            right - left
        );
    }
    for (place, _) in axis.ticks() {
        let _ = write!(back, "<i class=\"grid\" style=\"left:{place:.2}%\"></i>");
    }
    back
}

fn lane(page: &mut String, name: &str, small: &str, class: &str, inside: &str) {
    let small = if small.is_empty() {
        String::new()
    } else {
        format!(" <small>{small}</small>")
    };
    let _ = writeln!(
        page,
        "<div class=\"lane\"><div class=\"name\">{name}{small}</div><div class=\"track{class}\">{inside}</div></div>"
    );
}

/// A row for each code, and on it a bar for each of its findings.
fn findings(page: &mut String, diagnosis: &Diagnosis, axis: Axis, back: &str) {
    let mut rows: Vec<Row<'_>> = Vec::new();
    for (place, finding) in diagnosis.findings.iter().enumerate() {
        let Some((from, to)) = finding.window else {
            continue;
        };
        if to < axis.from || from > axis.to {
            continue;
        }
        let bar = (axis.clamped(from), axis.clamped(to));
        let known = rows.iter_mut().find(|row| row.first.code == finding.code);
        match known {
            Some(row) => row.bars.push(bar),
            None => rows.push(Row {
                place,
                first: finding,
                bars: vec![bar],
            }),
        }
    }
    if rows.is_empty() {
        return;
    }
    let bars: String = rows.iter().take(BARS).map(Row::drawn).collect();
    let more = match rows.len().saturating_sub(BARS) {
        0 => String::new(),
        more => format!("the first {BARS} codes; {more} more below"),
    };
    lane(page, "findings", &more, " bars", &format!("{back}{bars}"));
}

struct Row<'a> {
    place: usize,
    first: &'a Finding,
    bars: Vec<(f64, f64)>,
}

impl Row<'_> {
    fn drawn(&self) -> String {
        let left = self.bars.iter().map(|bar| bar.0).fold(100.0, f64::min);
        let right = self.bars.iter().map(|bar| bar.1).fold(0.0, f64::max);
        // The code stands where there is more room for it; in the middle where there is none.
        let beside = if left < 15.0 && right > 85.0 {
            "left:calc(50% - 3em)".to_owned()
        } else if left + right > 110.0 {
            format!("right:{:.2}%;margin-right:4px", 100.0 - left)
        } else {
            format!("left:{right:.2}%;margin-left:8px")
        };
        let times = match self.bars.len() {
            1 => String::new(),
            times => format!(" &times; {times}"),
        };
        let mut bars = String::new();
        for (left, right) in &self.bars {
            let _ = write!(
                bars,
                "<b style=\"left:min({left:.2}%, 100% - 5px);width:{:.2}%\"></b>",
                right - left
            );
        }
        format!(
            "<div class=\"bar {}\">{bars}<a href=\"#f{}\" style=\"{beside}\">{}{times}</a></div>",
            self.first.verdict.name(),
            self.place,
            self.first.code
        )
    }
}

fn events(page: &mut String, of: &Lane, axis: Axis, back: &str) {
    let mut columns: BTreeMap<usize, Vec<&Event>> = BTreeMap::new();
    for event in &of.events {
        if let Some(column) = axis.column(event.at, COLUMNS) {
            columns.entry(column).or_default().push(event);
        }
    }
    if columns.is_empty() {
        return;
    }
    let shown: usize = columns.values().map(Vec::len).sum();
    let mut marks = back.to_owned();
    for events in columns.values() {
        let place = axis.clamped(events[0].at);
        let many = if events.len() > 1 { " many" } else { "" };
        let more = match events.len() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        let _ = write!(
            marks,
            "<i class=\"mark{many}\" style=\"left:{place:.2}%\" title=\"{} {}{more}\"></i>",
            &moment(&events[0].at.to_string())[11..],
            escaped(&events[0].says)
        );
    }
    let outside = of.events.len() - shown;
    let mut small = escaped(&of.source);
    if outside > 0 {
        let _ = write!(small, " &middot; {outside} outside");
    }
    lane(page, of.kind, &small, "", &marks);
}

/// Failed calls a second, stacked by kind.
fn failures(page: &mut String, all: &BTreeMap<(Stamp, Failure), u64>, axis: Axis, back: &str) {
    let mut totals: BTreeMap<Failure, u64> = BTreeMap::new();
    for ((at, kind), count) in all {
        if axis.place(*at).is_some() {
            *totals.entry(*kind).or_default() += count;
        }
    }
    if totals.is_empty() {
        return;
    }
    let mut kinds: Vec<_> = totals.into_iter().collect();
    kinds.sort_by_key(|(kind, count)| (std::cmp::Reverse(*count), *kind));
    let place_of = |kind: &Failure| {
        let place = kinds.iter().position(|(known, _)| known == kind);
        place.unwrap_or(KINDS).min(KINDS)
    };
    // A column is a second, or as many whole ones as a column has room for.
    let whole = axis.millis().unsigned_abs() / 1_000;
    let seconds = whole / COLUMNS as u64 + 1;
    let mut counts: BTreeMap<u64, [u64; KINDS + 1]> = BTreeMap::new();
    for ((at, kind), count) in all {
        if axis.place(*at).is_some() {
            let column = at.0.abs_diff(axis.from.0) / 1_000 / seconds;
            counts.entry(column).or_default()[place_of(kind)] += count;
        }
    }
    let most = counts.values().map(|column| column.iter().sum()).max();
    let most: u64 = most.unwrap_or(1).max(1);
    let wide = seconds as f64 * 1_000.0 / axis.millis() as f64 * 1_000.0;
    let mut bars = format!(
        "{back}<svg viewBox=\"0 0 1000 100\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
    );
    for (column, counts) in counts {
        let mut top = 100.0;
        for (kind, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            // One among hundreds is still to be seen.
            let high = (*count as f64 / most as f64 * 92.0).max(1.5);
            top -= high;
            let _ = write!(
                bars,
                "<rect x=\"{:.2}\" y=\"{top:.2}\" width=\"{:.2}\" height=\"{high:.2}\" fill=\"var(--s{kind})\"/>",
                column as f64 * wide,
                (wide * 0.86).max(1.0)
            );
        }
    }
    bars.push_str("</svg>");
    let rate = most as f64 / seconds as f64;
    let small = format!("up to {} a second", number(rate));
    lane(page, "application errors", &small, " tall", &bars);
    key(page, &kinds);
}

fn key(page: &mut String, kinds: &[(Failure, u64)]) {
    let mut words = String::new();
    for (place, (kind, count)) in kinds.iter().take(KINDS).enumerate() {
        let _ = write!(
            words,
            "<span><b style=\"background:var(--s{place})\"></b>{} {count}</span>",
            kind.words()
        );
    }
    let others: u64 = kinds.iter().skip(KINDS).map(|(_, count)| count).sum();
    if others > 0 {
        let _ = write!(
            words,
            "<span><b style=\"background:var(--s{KINDS})\"></b>others {others}</span>"
        );
    }
    let _ = writeln!(
        page,
        "<div class=\"lane\"><div class=\"name\"></div><div class=\"key\">{words}</div></div>"
    );
}

type Measure = (&'static str, fn(&Sample) -> Option<f64>, fn(f64) -> String);

const MEASURES: &[Measure] = &[
    ("memory", |one| one.memory, size),
    ("connections", |one| one.clients, number),
    ("processor", |one| one.cpu, hundredths),
    ("bytes in", |one| one.received, rate),
    ("bytes out", |one| one.sent, rate),
    ("commands a second", |one| one.commands, number),
];

/// How the servers stood, where there are two looks or more inside the stretch that is shown: a dot for each, and a line
/// between those at one process.
fn measures(page: &mut String, samples: &[Sample], axis: Axis, back: &str) {
    for (name, of, said) in MEASURES {
        let mut runs: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
        for sample in samples {
            let place = sample.at.and_then(|at| axis.place(at));
            if let (Some(place), Some(value)) = (place, of(sample)) {
                let run = if sample.run.is_empty() {
                    &sample.source
                } else {
                    &sample.run
                };
                runs.entry(run).or_default().push((place, value));
            }
        }
        let values = || runs.values().flatten().map(|(_, value)| *value);
        if values().count() < 2 {
            continue;
        }
        let most = values().fold(0.0, f64::max);
        let marks: String = runs
            .into_values()
            .enumerate()
            .map(|(run, points)| plotted(points, most, (run + 2) % (KINDS + 1)))
            .collect();
        let small = format!("up to {}", said(most));
        lane(page, name, &small, " mid", &format!("{back}{marks}"));
    }
}

fn plotted(mut points: Vec<(f64, f64)>, most: f64, colour: usize) -> String {
    points.sort_by(|left, right| left.0.total_cmp(&right.0));
    // In hundredths of the lane's height, with room for a dot above and below.
    let high = |value: f64| 12.0 + if most > 0.0 { value / most * 74.0 } else { 0.0 };
    let path: Vec<_> = points
        .iter()
        .map(|(place, value)| format!("{:.2},{:.2}", place * 10.0, 100.0 - high(*value)))
        .collect();
    let mut marks = format!(
        "<svg viewBox=\"0 0 1000 100\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><polyline points=\"{}\" fill=\"none\" \
         stroke=\"var(--s{colour})\" stroke-width=\"2\" vector-effect=\"non-scaling-stroke\"/></svg>",
        path.join(" ")
    );
    for (place, value) in points {
        let _ = write!(
            marks,
            "<i class=\"dot\" style=\"left:{place:.2}%;bottom:{:.2}%;background:var(--s{colour})\"></i>",
            high(value)
        );
    }
    marks
}

fn scale(page: &mut String, axis: Axis) {
    let mut words = String::new();
    for (place, text) in axis.ticks() {
        // The first and the last stand inside the edges.
        let _ = write!(words, "<span style=\"left:{place:.2}%\">{text}</span>");
    }
    let _ = writeln!(
        page,
        "<div class=\"lane axis\"><div class=\"name\"></div><div class=\"track\">{words}</div></div>"
    );
}

/// The same events in words, for who reads and does not point.
fn table(page: &mut String, lanes: &[Lane], axis: Axis) {
    let mut all: Vec<_> = lanes
        .iter()
        .flat_map(|lane| lane.events.iter().map(move |event| (event, lane.kind)))
        .filter(|(event, _)| axis.place(event.at).is_some())
        .collect();
    if all.is_empty() {
        return;
    }
    all.sort();
    let open = if all.len() <= 12 { " open" } else { "" };
    let _ = writeln!(
        page,
        "<details{open}><summary>{} in words</summary><table>\
         <tr><th>time</th><th>source</th><th>what</th><th>where</th></tr>",
        counted(all.len(), "event", "events")
    );
    for (event, kind) in all.iter().take(ROWS) {
        let at = event.at.to_string();
        let _ = writeln!(
            page,
            "<tr><td class=\"when\">{}</td><td class=\"kind\">{kind}</td><td>{}</td><td><code>{}</code></td></tr>",
            at.trim_end_matches('Z').replace('T', " "),
            escaped(&event.says),
            escaped(&event.place.to_string())
        );
    }
    page.push_str("</table>");
    if all.len() > ROWS {
        let _ = write!(page, "<p class=\"soft\">and {} more</p>", all.len() - ROWS);
    }
    page.push_str("</details>\n");
}

/// Each look as a row: what a lane cannot show, since it is outside, or alone.
fn standing(page: &mut String, samples: &[&Sample]) {
    if samples.is_empty() {
        return;
    }
    page.push_str(
        "<details open><summary>Redis when it was looked at</summary><table>\
         <tr><th>time</th><th>server</th><th>memory</th><th>connections</th><th>processor</th>\
         <th>bytes in, out</th><th>commands</th></tr>\n",
    );
    for one in samples.iter().take(SAMPLES) {
        let at = one
            .at
            .map_or_else(|| "not known".to_owned(), |at| moment(&at.to_string()));
        let of = |value: Option<f64>, max: Option<f64>, said: fn(f64) -> String| match (value, max)
        {
            (Some(value), Some(max)) => format!("{} of {}", said(value), said(max)),
            (Some(value), None) => said(value),
            _ => "-".to_owned(),
        };
        let _ = writeln!(
            page,
            "<tr><td class=\"when\">{at}</td><td>{}</td><td data-of=\"memory\">{}</td><td data-of=\"connections\">{}</td>\
             <td data-of=\"processor\">{}</td><td data-of=\"bytes in, out\">{}, {}</td><td data-of=\"commands\">{}</td></tr>",
            escaped(&one.source),
            of(one.memory, one.memory_max, size),
            of(one.clients, one.clients_max, number),
            of(one.cpu, None, hundredths),
            of(one.received, None, rate),
            of(one.sent, None, rate),
            of(one.commands, None, |value| format!(
                "{} a second",
                number(value)
            )),
        );
    }
    page.push_str("</table>");
    if samples.len() > SAMPLES {
        let _ = write!(
            page,
            "<p class=\"soft\">and {} more looks</p>",
            samples.len() - SAMPLES
        );
    }
    page.push_str("</details>\n");
}

#[expect(clippy::cast_sign_loss, reason = "what is below nothing is nothing")]
fn size(value: f64) -> String {
    bytes(value as u64)
}

fn rate(value: f64) -> String {
    format!("{}/s", size(value))
}

fn hundredths(value: f64) -> String {
    format!("{value:.0} %")
}

fn number(value: f64) -> String {
    if value >= 10.0 || value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    }
}
