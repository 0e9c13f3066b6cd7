use crate::number::{self, Length};
use crate::token::Blob;
use crate::walk::{Body, within_limit};
use crate::{Limits, WireError, examined};

/// How a request was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestForm {
    /// An array of bulk strings, as every client library writes it.
    Array {
        /// How many: the command's name and its arguments.
        args: u64,
    },
    /// A line of words, as people type it into telnet.
    Inline,
}

/// What a scan of requests found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestScan {
    /// A whole request is there.
    Complete {
        /// Its length in bytes, from the start of `unread`.
        len: usize,
        /// How it was written.
        form: RequestForm,
    },
    /// Bytes that ask nothing, and get no answer: an empty line, or an empty array. Skip them.
    Blank {
        /// How many bytes to skip.
        len: usize,
    },
    /// The request's end has not come yet.
    Partial {
        /// The fewest bytes that can complete it.
        missing_at_least: u64,
    },
}

/// Finds the end of one request after another, as a server or a proxy reads them.
///
/// Calls go as with [`Scanner`](super::Scanner), and the same is promised. What Redis takes is taken: arrays of bulk
/// strings, and inline requests ended by LF or CR LF. [`request::args`](crate::request::args) takes them apart.
#[derive(Clone, Debug)]
pub struct RequestScanner {
    limits: Limits,
    /// Where the line begins that is being read, or whose string is awaited.
    at: usize,
    /// How far the end of an inline request has been looked for.
    searched: usize,
    awaits: Awaits,
}

#[derive(Clone, Copy, Debug)]
enum Awaits {
    Head,
    Arg { args: u64, left: u64 },
    Body { args: u64, left: u64, body: Body },
}

/// No argument takes fewer bytes: `$0`, two line ends.
const ARG_BYTES_MIN: u64 = 6;
/// The fewest bytes of so many arguments.
fn all_of(args: u64) -> u64 {
    args.saturating_mul(ARG_BYTES_MIN)
}

/// An empty argument behind its length.
const LINE_END_BYTES: u64 = 2;

impl RequestScanner {
    /// A scanner at the start of a request.
    pub const fn new(limits: Limits) -> Self {
        Self {
            limits,
            at: 0,
            searched: 0,
            awaits: Awaits::Head,
        }
    }

    /// Looks for the end of the request that begins `unread`: the bytes of the last call, and more.
    ///
    /// Errors: an array whose elements are not bulk strings of known length is [`WireError::BadType`] or
    /// [`WireError::BadLength`]. Quotes of inline requests are judged by [`request::args`](crate::request::args).
    pub fn scan(&mut self, unread: &[u8]) -> Result<RequestScan, WireError> {
        let view = within_limit(unread, &self.limits);
        let found = self.go_on(view)?;
        if let RequestScan::Partial { .. } = found {
            if view.len() == self.limits.frame_len_max() {
                return Err(self.too_large(self.at));
            }
        } else {
            self.reset();
        }
        Ok(found)
    }

    /// Forgets a request begun: the next bytes are the first of a request.
    pub fn reset(&mut self) {
        self.at = 0;
        self.searched = 0;
        self.awaits = Awaits::Head;
    }

    fn go_on(&mut self, view: &[u8]) -> Result<RequestScan, WireError> {
        loop {
            match self.awaits {
                Awaits::Head => match view.first() {
                    None => {
                        return Ok(RequestScan::Partial {
                            missing_at_least: 1,
                        });
                    }
                    Some(b'*') => {
                        if let Some(found) = self.head(view)? {
                            return Ok(found);
                        }
                    }
                    Some(_) => return self.inline(view),
                },
                Awaits::Arg { args, left: 0 } => {
                    return Ok(RequestScan::Complete {
                        len: self.at,
                        form: RequestForm::Array { args },
                    });
                }
                Awaits::Arg { args, left } => {
                    let Some(body) = self.arg(view)? else {
                        return Ok(self.short(view, left));
                    };
                    self.awaits = Awaits::Body {
                        args,
                        left: left - 1,
                        body,
                    };
                }
                Awaits::Body { args, left, body } => {
                    let Some((_, next)) = body.content(view)? else {
                        let missing_at_least =
                            body.missing(view.len()).saturating_add(all_of(left));
                        return Ok(RequestScan::Partial { missing_at_least });
                    };
                    self.at = next;
                    self.awaits = Awaits::Arg { args, left };
                }
            }
        }
    }

    /// Reads the array's head; `None`: go on with its arguments.
    fn head(&mut self, view: &[u8]) -> Result<Option<RequestScan>, WireError> {
        let (args, next) = match number::length(view, 0)? {
            None => return Ok(Some(self.short(view, 0))),
            // Redis skips both.
            Some((Length::Known(0) | Length::Null, len)) => {
                return Ok(Some(RequestScan::Blank { len }));
            }
            Some((Length::Known(args), next)) => (args, next),
            Some((Length::Streamed, _)) => {
                return Err(WireError::BadLength {
                    marker: b'*',
                    offset: 0,
                });
            }
        };
        if args > self.limits.elements_max {
            return Err(WireError::TooManyElements {
                offset: 0,
                limit: self.limits.elements_max,
            });
        }
        if all_of(args).saturating_add(next as u64) > self.limits.frame_bytes_max {
            return Err(self.too_large(0));
        }
        self.at = next;
        self.awaits = Awaits::Arg { args, left: args };
        Ok(None)
    }

    fn arg(&self, view: &[u8]) -> Result<Option<Body>, WireError> {
        let offset = self.at as u64;
        match view.get(self.at) {
            None => return Ok(None),
            Some(b'$') => {}
            Some(&byte) => return Err(WireError::BadType { byte, offset }),
        }
        match number::length(view, self.at)? {
            None => Ok(None),
            Some((Length::Known(len), start)) => {
                Body::new(Blob::Bulk, len, self.at, start, &self.limits).map(Some)
            }
            Some(_) => Err(WireError::BadLength {
                marker: b'$',
                offset,
            }),
        }
    }

    /// The line at hand is cut; `left` arguments are still to come, the one whose line it may be among them.
    fn short(&self, view: &[u8], left: u64) -> RequestScan {
        let missing_at_least = if view.len() == self.at {
            all_of(left)
        } else {
            let line = if view.last() == Some(&b'\r') {
                1
            } else {
                LINE_END_BYTES
            };
            let own = if left == 0 { 0 } else { LINE_END_BYTES };
            all_of(left.saturating_sub(1)).saturating_add(line + own)
        };
        RequestScan::Partial { missing_at_least }
    }

    fn inline(&mut self, view: &[u8]) -> Result<RequestScan, WireError> {
        let too_long = WireError::LineTooLong {
            offset: 0,
            limit: self.limits.line_bytes_max,
        };
        let longest = self.limits.line_len_max().saturating_add(2);
        let end = longest.min(view.len());
        let Some(found) = memchr::memchr(b'\n', &view[self.searched..end]) else {
            examined::note(end - self.searched);
            self.searched = end;
            return if end == longest {
                Err(too_long)
            } else {
                Ok(RequestScan::Partial {
                    missing_at_least: 1,
                })
            };
        };
        examined::note(found + 1);
        let newline = self.searched + found;
        let line = view[..newline]
            .strip_suffix(b"\r")
            .unwrap_or(&view[..newline]);
        if line.len() > self.limits.line_len_max() {
            return Err(too_long);
        }
        let len = newline + 1;
        Ok(if crate::request::is_blank(line) {
            RequestScan::Blank { len }
        } else {
            RequestScan::Complete {
                len,
                form: RequestForm::Inline,
            }
        })
    }

    fn too_large(&self, at: usize) -> WireError {
        WireError::FrameTooLarge {
            offset: at as u64,
            limit: self.limits.frame_bytes_max,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_in_tiny_reads_is_searched_once() {
        let mut line = vec![b'x'; 60_000];
        line.push(b'\n');
        let mut scanner = RequestScanner::new(Limits::default());
        examined::take();
        for end in 0..line.len() {
            assert!(matches!(
                scanner.scan(&line[..end]),
                Ok(RequestScan::Partial { .. })
            ));
        }
        let whole = RequestScan::Complete {
            len: line.len(),
            form: RequestForm::Inline,
        };
        assert_eq!(scanner.scan(&line), Ok(whole));
        assert_eq!(examined::take(), line.len());
    }

    #[test]
    fn the_content_of_arguments_is_never_looked_at() {
        let mut request = b"*2\r\n$3\r\nGET\r\n$1000000\r\n".to_vec();
        request.resize(request.len() + 1_000_000, b'x');
        request.extend_from_slice(b"\r\n");
        let mut scanner = RequestScanner::new(Limits::default());
        examined::take();
        for end in (0..request.len()).step_by(1000) {
            assert!(matches!(
                scanner.scan(&request[..end]),
                Ok(RequestScan::Partial { .. })
            ));
        }
        assert!(matches!(
            scanner.scan(&request),
            Ok(RequestScan::Complete { .. })
        ));
        assert!(examined::take() < 40, "only the three heads are read");
    }
}
