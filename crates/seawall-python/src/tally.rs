//! What was counted on links that are gone: sums over a process must not fall when a client is let go of.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use seawall::{ByCause, Cause, Histogram, Stats};

/// Endpoints that are remembered one by one; what comes after is counted under the name `other`.
const ENDPOINTS_MAX: usize = 1_024;

static GONE: ArcSwapOption<Gone> = ArcSwapOption::const_empty();

/// Of one process: a forked child counts anew.
struct Gone {
    process: u32,
    sums: Mutex<BTreeMap<Box<str>, Sums>>,
}

impl Gone {
    fn current() -> Arc<Self> {
        let process = std::process::id();
        let known = GONE.load();
        if let Some(known) = &*known
            && known.process == process
        {
            return Arc::clone(known);
        }
        let made = Arc::new(Self {
            process,
            sums: Mutex::default(),
        });
        let before = GONE.compare_and_swap(&*known, Some(Arc::clone(&made)));
        let ours = match &*before {
            Some(other) if other.process == process => Arc::clone(other),
            _ => made,
        };
        // A parent's lock may be held for ever.
        std::mem::forget((known, before));
        ours
    }
}

#[derive(Clone, Default)]
struct Sums {
    single: BTreeMap<&'static str, u64>,
    by_cause: BTreeMap<&'static str, BTreeMap<Cause, u64>>,
    times: BTreeMap<&'static str, Histogram>,
}

/// What only grows, by its name in `stats()`.
pub(crate) fn singles(stats: &Stats) -> [(&'static str, u64); 8] {
    [
        ("outages", stats.outages),
        ("calls", stats.calls),
        ("answered", stats.answered),
        ("refused", stats.refused),
        ("may_have_run", stats.may_have_run),
        ("retried", stats.retried),
        ("retries_refused", stats.retries_refused),
        ("dialled", stats.dialled),
    ]
}

/// The same, of what is counted by cause.
pub(crate) fn by_cause(stats: &Stats) -> [(&'static str, &ByCause); 3] {
    [
        ("failed", &stats.failed),
        ("lost", &stats.lost),
        ("dials_failed", &stats.dials_failed),
    ]
}

/// The same, of what is measured.
pub(crate) fn times(stats: &Stats) -> [(&'static str, &Histogram); 3] {
    [
        ("create_time", &stats.create_time),
        ("wait_time", &stats.wait_time),
        ("use_time", &stats.use_time),
    ]
}

/// A histogram as Python shows it: buckets by their upper bounds, as Prometheus writes them; those alone that are not
/// empty, each with how often and how many seconds.
pub(crate) fn histogram_as_dict<'py>(
    py: Python<'py>,
    times: &Histogram,
) -> PyResult<Bound<'py, PyDict>> {
    let buckets = PyDict::new(py);
    for (bound, count, sum) in times.buckets().filter(|&(_, count, _)| count > 0) {
        let bound = bound.map_or_else(|| "+Inf".to_owned(), |b| b.as_secs_f64().to_string());
        buckets.set_item(bound, (count, sum.as_secs_f64()))?;
    }
    let dict = PyDict::new(py);
    dict.set_item("count", times.count())?;
    dict.set_item("sum", times.sum().as_secs_f64())?;
    dict.set_item("buckets", buckets)?;
    Ok(dict)
}

/// The upper bounds of a histogram's buckets, all but the last one's.
#[pyfunction]
pub(crate) fn histogram_bounds() -> Vec<f64> {
    let none = Histogram::default();
    let bounds = none.buckets().filter_map(|(bound, ..)| bound);
    bounds.map(|bound| bound.as_secs_f64()).collect()
}

/// A link is gone: what it counted stays.
pub(crate) fn keep(stats: Option<Stats>) {
    let Some(stats) = stats else { return };
    if stats.calls + stats.dialled + stats.dials_failed.total() == 0 {
        return;
    }
    let gone = Gone::current();
    let mut sums = gone.sums.lock().unwrap_or_else(PoisonError::into_inner);
    let name = if sums.len() < ENDPOINTS_MAX || sums.contains_key(&stats.endpoint) {
        stats.endpoint.clone()
    } else {
        "other".into()
    };
    let sums = sums.entry(name).or_default();
    for (name, count) in singles(&stats) {
        *sums.single.entry(name).or_default() += count;
    }
    for (name, counts) in by_cause(&stats) {
        let kept = sums.by_cause.entry(name).or_default();
        for (cause, count) in counts.iter() {
            *kept.entry(cause).or_default() += count;
        }
    }
    for (name, counted) in times(&stats) {
        sums.times.entry(name).or_default().add(counted);
    }
}

/// What was counted on links that are gone, by endpoint.
#[pyfunction]
pub(crate) fn gone(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let sums = Gone::current();
    // Copied: nothing of Python's is made under the lock.
    let sums = sums
        .sums
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let gone = PyDict::new(py);
    for (endpoint, sums) in sums {
        let dict = PyDict::new(py);
        for (name, count) in sums.single {
            dict.set_item(name, count)?;
        }
        for (name, counts) in sums.by_cause {
            let of = PyDict::new(py);
            for (cause, count) in counts {
                of.set_item(cause.name(), count)?;
            }
            dict.set_item(name, of)?;
        }
        for (name, counted) in sums.times {
            dict.set_item(name, histogram_as_dict(py, &counted)?)?;
        }
        gone.set_item(&*endpoint, dict)?;
    }
    Ok(gone)
}
