//! What was measured, as tables for people and as JSON.

use std::fmt::{self, Write as _};

use serde::Serialize;

use crate::measure::{Measured, Series, Spread};

/// In what a table counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Unit {
    /// Nanoseconds of processor time: for what stays in the processor.
    Ns,
    /// Microseconds on the wall, with calls a second and processor time: for what goes over a socket.
    Us,
}

impl Unit {
    fn of(self, measured: &Measured) -> &Series {
        match self {
            Self::Ns => &measured.client,
            Self::Us => &measured.wall,
        }
    }
}

/// Contenders side by side.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Table {
    title: String,
    placement: String,
    unit: Unit,
    base: String,
    rows: Vec<Row>,
    figures: Vec<Figure>,
}

#[derive(Clone, Debug, Serialize)]
struct Row {
    name: String,
    call_ns: Spread,
    client_cpu_ns: f64,
    server_cpu_ns: f64,
    times_base: Spread,
}

/// A number that was promised, and how it stands.
#[derive(Clone, Debug, Serialize)]
struct Figure {
    who: String,
    beside: String,
    at_most: f64,
    is: f64,
}

impl Table {
    /// A table whose first contender is what the others are compared with.
    pub(crate) fn new(
        title: impl Into<String>,
        placement: impl Into<String>,
        unit: Unit,
        measured: &[Measured],
    ) -> Self {
        let rows = measured.iter().map(|each| Row {
            name: each.name.clone(),
            call_ns: unit.of(each).spread(),
            client_cpu_ns: each.client.spread().median,
            server_cpu_ns: each.server.spread().median,
            times_base: unit.of(each).times(unit.of(&measured[0])),
        });
        Self {
            title: title.into(),
            placement: placement.into(),
            unit,
            base: measured[0].name.clone(),
            rows: rows.collect(),
            figures: Vec::new(),
        }
    }

    /// States a figure: `who` takes at most so many times the time of `beside`. Says how it is; judges nobody.
    #[must_use]
    pub(crate) fn figure(
        mut self,
        measured: &[Measured],
        who: &str,
        beside: &str,
        at_most: f64,
    ) -> Self {
        let find = |name: &str| measured.iter().find(|each| each.name == name);
        if let (Some(a), Some(b)) = (find(who), find(beside)) {
            self.figures.push(Figure {
                who: who.to_owned(),
                beside: beside.to_owned(),
                at_most,
                is: self.unit.of(a).times(self.unit.of(b)).median,
            });
        }
        self
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, {}", self.title, self.placement)?;
        match self.unit {
            Unit::Ns => writeln!(
                f,
                "  {:38} {:>10} {:>19} {:>7} {:>15}",
                "", "ns a call", "middle half", "times", "middle half"
            )?,
            Unit::Us => writeln!(
                f,
                "  {:22} {:>9} {:>15} {:>8} {:>6} {:>13} {:>8} {:>8}",
                "",
                "us a call",
                "middle half",
                "calls/s",
                "times",
                "middle half",
                "client",
                "server"
            )?,
        }
        for row in &self.rows {
            writeln!(f, "  {}", row.line(self.unit))?;
        }
        for figure in &self.figures {
            writeln!(f, "  {figure}")?;
        }
        Ok(())
    }
}

impl Row {
    fn line(&self, unit: Unit) -> String {
        let Self {
            name,
            call_ns: call,
            client_cpu_ns: client,
            server_cpu_ns: server,
            times_base: times,
        } = self;
        let mut line = String::new();
        // Writing to a string does not fail.
        let _ = match unit {
            Unit::Ns => write!(
                line,
                "{name:38} {:>10.1} {:>19} {:>7.2} {:>15}",
                call.median,
                format!("{:.1} - {:.1}", call.low, call.high),
                times.median,
                format!("{:.2} - {:.2}", times.low, times.high),
            ),
            Unit::Us => write!(
                line,
                "{name:22} {:>9.2} {:>15} {:>8.0} {:>6.2} {:>13} {:>8.2} {:>8.2}",
                call.median / 1e3,
                format!("{:.2} - {:.2}", call.low / 1e3, call.high / 1e3),
                1e9 / call.median,
                times.median,
                format!("{:.2} - {:.2}", times.low, times.high),
                client / 1e3,
                server / 1e3,
            ),
        };
        line
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            who,
            beside,
            at_most,
            is,
        } = self;
        let verdict = if is <= at_most { "holds" } else { "missed" };
        write!(
            f,
            "figure {verdict}: {who} takes {is:.2} times {beside}, {at_most:.2} wanted"
        )
    }
}

/// Everything of one run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    /// What it ran on.
    pub(crate) machine: Machine,
    /// In the order of measuring.
    pub(crate) tables: Vec<Table>,
}

/// What it ran on.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    processor: String,
    cores: usize,
    kernel: String,
    /// How many processes wanted a processor in the last minute, before this run: above 1 the figures are noise.
    load_before: f64,
}

impl Machine {
    /// Reads what the kernel says of itself.
    pub(crate) fn look() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let processor = read("/proc/cpuinfo")
            .lines()
            .find_map(|line| line.strip_prefix("model name"))
            .map_or("unknown", |rest| rest.trim_start_matches([' ', '\t', ':']))
            .to_owned();
        let load = read("/proc/loadavg");
        Self {
            processor,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load_before: load
                .split(' ')
                .next()
                .and_then(|first| first.parse().ok())
                .unwrap_or(0.0),
        }
    }

    /// What to say where the machine was not quiet.
    pub(crate) fn warning(&self) -> Option<String> {
        (self.load_before >= 1.5).then(|| {
            format!(
                "the load average is {:.1}: other processes are running, expect the middle half to be wide; \
                 run this again when the machine is quiet",
                self.load_before
            )
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            processor,
            cores,
            kernel,
            load_before,
        } = self;
        write!(
            f,
            "{processor}, {cores} cores, Linux {kernel}, load {load_before:.1} before the run"
        )
    }
}

impl Serialize for Spread {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        [self.low, self.median, self.high].serialize(serializer)
    }
}
