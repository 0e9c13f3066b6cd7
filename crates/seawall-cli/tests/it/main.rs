//! The program itself, as a shell runs it.

mod auditing;
mod breaking_off;
mod diagnosing;
mod fixing;
mod following;
mod mistakes;

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs it, and keeps what it remembers below `state`.
fn seawall(state: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_seawall"))
        .args(words)
        .env("XDG_STATE_HOME", state)
        .stdin(Stdio::null())
        .output()
        .expect("it runs")
}

fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    )
}
