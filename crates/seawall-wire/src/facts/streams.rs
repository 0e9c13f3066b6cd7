//! The options of XREAD and XREADGROUP, which stand between the command's name and STREAMS.

use super::options::Arguments;

/// What stands before STREAMS.
struct Options {
    /// The argument after BLOCK.
    block: Option<usize>,
    /// The argument after STREAMS.
    streams: Option<usize>,
    /// Whether a word stood there that may change what the command does.
    unknown: bool,
}

fn options<A: AsRef<[u8]>>(args: &Arguments<'_, A>) -> Options {
    let mut options = Options {
        block: None,
        streams: None,
        unknown: false,
    };
    let mut at = 1;
    while at < args.len() {
        at += if args.is(at, "STREAMS") {
            options.streams = Some(at + 1);
            break;
        } else if args.is(at, "BLOCK") {
            options.block = (at + 1 < args.len()).then_some(at + 1);
            2
        } else if args.is(at, "COUNT") {
            2
        } else if args.is(at, "GROUP") {
            3
        } else if args.is(at, "NOACK") {
            1
        } else {
            options.unknown = true;
            1
        };
    }
    options
}

/// The argument that says how long to block.
pub(super) fn block_at<A: AsRef<[u8]>>(args: &Arguments<'_, A>) -> Option<usize> {
    options(args).block
}

/// Whether every stream is read from an id that means the same place each time, and none from `moving` (`$`, `>`).
pub(super) fn begins_at_ids<A: AsRef<[u8]>>(args: &Arguments<'_, A>, moving: &[u8]) -> bool {
    let options = options(args);
    let Some(streams) = options.streams else {
        return false;
    };
    let rest = args.len().saturating_sub(streams);
    let ids = streams + rest / 2..args.len();
    !options.unknown
        && rest > 0
        && rest % 2 == 0
        && ids.into_iter().all(|at| args.get(at) != Some(moving))
}
