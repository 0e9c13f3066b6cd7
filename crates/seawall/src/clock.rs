//! The one place where the engine reads a clock.

use rustix::time::{ClockId, clock_gettime};
use seawall_model::Moment;

/// Now, on the host's boot clock: what every deadline and every wait of the engine is measured by.
pub fn now() -> Moment {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    Moment::from_nanos(seconds * 1_000_000_000 + nanos)
}
