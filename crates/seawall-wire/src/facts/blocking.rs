use std::time::Duration;

use super::options::Arguments;
use super::streams;

/// How long a command may wait inside the server before it answers.
///
/// Inside MULTI no command waits: there it answers as if its timeout were over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blocking {
    /// Until something happens: its timeout is 0, or cannot be read (then the server refuses it, or it knows more
    /// than we do: either way it must not hold up others).
    Forever,
    /// At most so long.
    For(Duration),
}

/// Where a blocking command's timeout stands, and its unit. In all of them 0 means for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeoutAt {
    /// The last argument, in seconds with a fraction: BLPOP.
    LastSeconds,
    /// The first argument, in seconds with a fraction: BLMPOP.
    FirstSeconds,
    /// The last argument, in whole milliseconds: WAIT.
    LastMillis,
    /// After BLOCK, in whole milliseconds; without BLOCK the command does not wait: XREAD.
    BlockMillis,
}

impl TimeoutAt {
    /// Which argument is the timeout, counted from the command's name; `None` where these arguments have none.
    pub fn position<A: AsRef<[u8]>>(self, args: &[A]) -> Option<usize> {
        match self {
            Self::LastSeconds | Self::LastMillis => (args.len() > 1).then(|| args.len() - 1),
            Self::FirstSeconds => (args.len() > 1).then_some(1),
            Self::BlockMillis => streams::block_at(&Arguments(args)),
        }
    }

    /// How long the command may wait with these arguments; `None`: not at all.
    pub fn read<A: AsRef<[u8]>>(self, args: &[A]) -> Option<Blocking> {
        let timeout = args[self.position(args)?].as_ref();
        let wait = match self {
            Self::LastSeconds | Self::FirstSeconds => seconds(timeout),
            Self::LastMillis | Self::BlockMillis => millis(timeout),
        };
        Some(match wait {
            None | Some(Duration::ZERO) => Blocking::Forever,
            Some(wait) => Blocking::For(wait),
        })
    }
}

fn seconds(text: &[u8]) -> Option<Duration> {
    let seconds: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    let wait = Duration::try_from_secs_f64(seconds).ok()?;
    // Servers round up to whole milliseconds, so that a tiny timeout is not taken for none.
    let millis = u64::try_from(wait.as_nanos().div_ceil(1_000_000)).ok()?;
    Some(Duration::from_millis(millis))
}

fn millis(text: &[u8]) -> Option<Duration> {
    let millis = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(at: TimeoutAt, line: &str) -> Option<Blocking> {
        at.read(&line.split(' ').collect::<Vec<_>>())
    }

    #[test]
    fn timeouts_are_read_in_their_units() {
        let cases = [
            (TimeoutAt::LastSeconds, "BLPOP a b 0.25", 250),
            (TimeoutAt::LastSeconds, "BLPOP a 1e1", 10_000),
            (TimeoutAt::LastSeconds, "BLPOP a 0.0001", 1),
            (TimeoutAt::FirstSeconds, "BLMPOP 3 1 a LEFT", 3_000),
            (TimeoutAt::LastMillis, "WAIT 1 250", 250),
            (
                TimeoutAt::BlockMillis,
                "XREAD COUNT 1 block 40 STREAMS a $",
                40,
            ),
        ];
        for (at, line, millis) in cases {
            let wait = Blocking::For(Duration::from_millis(millis));
            assert_eq!(read(at, line), Some(wait), "{line}");
        }
    }

    #[test]
    fn zero_and_what_cannot_be_read_wait_for_ever() {
        for timeout in ["0", "0.0", "-1", "nan", "inf", "1e300", "soon", ""] {
            let line = format!("BLPOP a {timeout}");
            let read = read(TimeoutAt::LastSeconds, &line);
            assert_eq!(read, Some(Blocking::Forever), "{line}");
        }
    }

    #[test]
    fn a_stream_read_without_block_does_not_wait() {
        for line in [
            "XREAD STREAMS BLOCK 0",
            "XREADGROUP GROUP BLOCK 5 STREAMS a >",
            "XREAD",
        ] {
            assert_eq!(read(TimeoutAt::BlockMillis, line), None, "{line}");
        }
    }
}
