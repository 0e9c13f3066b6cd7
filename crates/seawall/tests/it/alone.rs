//! Tests that look at their whole process, or fork it: each runs in a process of its own.

use std::process::Command;

const MARK: &str = "SEAWALL_TEST_ALONE";

/// Runs `body` in a process that runs nothing else: this test's binary again, with this test alone. `test` is its full
/// name.
pub(crate) fn alone(test: &str, body: impl FnOnce()) {
    if std::env::var_os(MARK).is_some_and(|name| name == *test) {
        return body();
    }
    let program = std::env::current_exe().expect("this binary");
    let output = Command::new(program)
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(MARK, test)
        .output()
        .expect("this binary runs again");
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complained}");
    assert!(
        said.contains("1 passed"),
        "{test} is no test's name: {said}"
    );
}

/// One number of `/proc/self/status`: `Threads`, or `VmHWM` in KiB.
pub(crate) fn status(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
        .expect("Linux tells this");
    let number = line.split_whitespace().next().expect("a number");
    number.parse().expect("a number")
}

/// How many file descriptors this process holds.
pub(crate) fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd")
        .expect("Linux tells")
        .count()
}
