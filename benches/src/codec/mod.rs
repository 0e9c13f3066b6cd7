//! Reading replies and writing commands, beside redis-protocol and redis-rs's parser.

mod decode;
mod encode;

use std::time::Duration;

use crate::Result;
use crate::ground::Cores;
use crate::measure::Pace;
use crate::report::Table;

/// Each reply read, then each command written.
pub(crate) fn run(cores: Cores, scale: f64) -> Result<Vec<Table>> {
    let placement = cores.pin_client()?;
    let pace = Pace {
        turn: Duration::from_millis(5),
        rounds: (40.0 * scale).ceil() as usize,
    };
    let mut tables = decode::run(&placement, pace)?;
    tables.extend(encode::run(&placement, pace)?);
    Ok(tables)
}
