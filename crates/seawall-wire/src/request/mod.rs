//! Taking requests apart, as a server or a proxy must.

mod inline;

use crate::WireError;
use crate::number::{self, Length};

pub(crate) use inline::is_blank;

/// The name and arguments of one request, the name first.
#[derive(Clone, Debug)]
pub struct Args<'a>(Form<'a>);

#[derive(Clone, Debug)]
enum Form<'a> {
    Array { args: u64, rest: &'a [u8] },
    Inline(Vec<Vec<u8>>),
}

/// Takes apart the request that `frame` is: one that [`RequestScanner`](crate::scan::RequestScanner) measured.
///
/// The array form is read in place, without allocation. An inline request is unquoted by Redis' rules: words parted
/// by white space; `"` with `\n`, `\r`, `\t`, `\b`, `\a`, `\xHH` and `\` before any other character for itself; `'`
/// with `\'` alone; a closing quote must end its word. A NUL ends the words. (Redis 7.0 agrees on all but NUL, behind
/// which it never finds the end of the line; Valkey 9.1 is laxer, and takes text right behind a closing quote.)
///
/// Errors: [`WireError::UnbalancedQuotes`], and [`WireError::BadLength`] for an array without a readable head.
///
/// ```
/// use seawall_wire::request;
/// let args = request::args(b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n")?;
/// assert_eq!(args.iter().collect::<Vec<_>>(), [b"GET", b"key"]);
/// let args = request::args(b"set key \"two words\"\r\n")?;
/// assert_eq!(args.iter().last(), Some(&b"two words"[..]));
/// # Ok::<(), seawall_wire::WireError>(())
/// ```
pub fn args(frame: &[u8]) -> Result<Args<'_>, WireError> {
    if frame.first() != Some(&b'*') {
        return inline::words(frame).map(|words| Args(Form::Inline(words)));
    }
    match number::length(frame, 0)? {
        Some((Length::Known(args), next)) => Ok(Args(Form::Array {
            args,
            rest: &frame[next..],
        })),
        Some((Length::Null, _)) => Ok(Args(Form::Array { args: 0, rest: &[] })),
        _ => Err(WireError::BadLength {
            marker: b'*',
            offset: 0,
        }),
    }
}

impl Args<'_> {
    /// The command's name, as the client wrote it; `None` for a blank request.
    pub fn name(&self) -> Option<&[u8]> {
        self.iter().next()
    }

    /// How many there are, the name included.
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Array { args, .. } => usize::try_from(*args).unwrap_or(usize::MAX),
            Form::Inline(words) => words.len(),
        }
    }

    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// From the name to the last argument. Ends early where a frame that was not measured is damaged.
    pub fn iter(&self) -> ArgsIter<'_> {
        ArgsIter(match &self.0 {
            Form::Array { args, rest } => Rest::Array { left: *args, rest },
            Form::Inline(words) => Rest::Inline(words.iter()),
        })
    }
}

impl<'a> IntoIterator for &'a Args<'_> {
    type Item = &'a [u8];
    type IntoIter = ArgsIter<'a>;
    fn into_iter(self) -> ArgsIter<'a> {
        self.iter()
    }
}

/// The arguments of one request, one by one: see [`Args::iter`].
#[derive(Clone, Debug)]
pub struct ArgsIter<'a>(Rest<'a>);

#[derive(Clone, Debug)]
enum Rest<'a> {
    Array { left: u64, rest: &'a [u8] },
    Inline(std::slice::Iter<'a, Vec<u8>>),
}

impl<'a> Iterator for ArgsIter<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        match &mut self.0 {
            Rest::Inline(words) => words.next().map(Vec::as_slice),
            Rest::Array { left, rest } => {
                *left = left.checked_sub(1)?;
                let (arg, behind) = split_arg(rest)?;
                *rest = behind;
                Some(arg)
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.0 {
            Rest::Array { left, .. } => (0, usize::try_from(*left).ok()),
            Rest::Inline(words) => words.size_hint(),
        }
    }
}

fn split_arg(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    if rest.first() != Some(&b'$') {
        return None;
    }
    let Some((Length::Known(len), start)) = number::length(rest, 0).ok()? else {
        return None;
    };
    let end = start.checked_add(usize::try_from(len).ok()?)?;
    let behind = rest.get(end..)?.strip_prefix(b"\r\n")?;
    Some((&rest[start..end], behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(frame: &[u8]) -> Vec<Vec<u8>> {
        args(frame)
            .expect("readable")
            .iter()
            .map(<[u8]>::to_vec)
            .collect()
    }

    #[test]
    fn an_array_is_read_in_place() {
        let frame = b"*3\r\n$3\r\nSET\r\n$0\r\n\r\n$4\r\na\r\nb\r\n";
        let args = args(frame).expect("readable");
        assert_eq!((args.len(), args.name()), (3, Some(&b"SET"[..])));
        assert_eq!(
            args.iter().collect::<Vec<_>>(),
            [&b"SET"[..], b"", b"a\r\nb"]
        );
    }

    #[test]
    fn damaged_frames_end_early_and_never_panic() {
        assert_eq!(list(b"*2\r\n$3\r\nGET\r\n"), [b"GET"]);
        assert_eq!(list(b"*2\r\n$3\r\nGETxx$1\r\na\r\n").len(), 0);
        assert_eq!(list(b"*9\r\n$9223372036854775807\r\nGET").len(), 0);
        assert!(args(b"*\r\n").is_err());
        assert!(args(b"*?\r\n").is_err());
        assert!(args(b"*-1\r\n").expect("blank").is_empty());
    }
}
