//! The laboratory's clock: the boot clock, read in one place.

use std::thread;

use rustix::time::{ClockId, clock_gettime};
use seawall_model::Moment;

/// Now, on the boot clock (`CLOCK_BOOTTIME`): comparable between the processes of one host.
pub fn now() -> Moment {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    Moment::from_nanos(seconds * 1_000_000_000 + nanos)
}

/// Sleeps until `moment`; returns at once if it has passed.
pub fn sleep_until(moment: Moment) {
    thread::sleep(now().until(moment));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn sleeping_until_a_moment_wakes_after_it() {
        let moment = now() + Duration::from_millis(2);
        sleep_until(moment);
        assert!(now() >= moment);
    }
}
