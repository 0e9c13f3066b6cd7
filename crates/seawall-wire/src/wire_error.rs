use std::ascii;

/// Why bytes are not RESP, or are more than [`Limits`](crate::Limits) allows.
///
/// After one of these the stream is lost: where the next frame begins is unknown, so the connection has to be closed.
/// Offsets count from the first byte of the frame. Messages name bytes and numbers of the protocol, never the content
/// of keys or values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The byte begins no type of RESP: the peer speaks another protocol (see
    /// [`sniff_foreign`](crate::sniff_foreign)), or an earlier frame was misread.
    #[error("byte '{}' at offset {offset} begins no type that may stand there", shown(*byte))]
    BadType {
        /// The byte found.
        byte: u8,
        /// Where it stands.
        offset: u64,
    },
    /// What follows a marker that announces a length is none: not a number, negative where only null may be, above
    /// 2^63 - 1, or too short for its type.
    #[error("the length after '{}' at offset {offset} is not valid", shown(*marker))]
    BadLength {
        /// The marker, such as `$` or `*`.
        marker: u8,
        /// Where the marker stands.
        offset: u64,
    },
    /// What follows a marker that announces a number, a boolean or a null is none, or does not fit 64 bits.
    #[error("the value after '{}' at offset {offset} is not valid", shown(*marker))]
    BadNumber {
        /// The marker: `:`, `,`, `(`, `#` or `_`.
        marker: u8,
        /// Where the marker stands.
        offset: u64,
    },
    /// A verbatim string does not begin with three letters of format and a colon.
    #[error("the verbatim string at offset {offset} has no format")]
    BadVerbatim {
        /// Where its marker stands.
        offset: u64,
    },
    /// A string of known length is not followed by CR LF.
    #[error("no line end where the string ends, at offset {offset}")]
    MissingCrLf {
        /// Where CR was expected.
        offset: u64,
    },
    /// A part of a streamed string or aggregate stands outside one: `;` or `.` where a value should begin, a value
    /// among the parts of a streamed string, `?` after a type that cannot be streamed, an end with half a pair or
    /// behind an attribute.
    #[error("'{}' at offset {offset} is out of place in a streamed value", shown(*byte))]
    StreamMisplaced {
        /// The marker found.
        byte: u8,
        /// Where it stands.
        offset: u64,
    },
    /// A line is longer than [`Limits::line_bytes_max`](crate::Limits::line_bytes_max).
    #[error("the line at offset {offset} is longer than {limit} bytes")]
    LineTooLong {
        /// Where the line's marker stands.
        offset: u64,
        /// The limit, in bytes.
        limit: u32,
    },
    /// The frame is, or will be, longer than [`Limits::frame_bytes_max`](crate::Limits::frame_bytes_max).
    #[error("the element at offset {offset} takes its frame beyond {limit} bytes")]
    FrameTooLarge {
        /// Where the element begins that does not fit.
        offset: u64,
        /// The limit, in bytes.
        limit: u64,
    },
    /// Aggregates are nested deeper than [`Limits::depth_max`](crate::Limits::depth_max).
    #[error("the aggregate at offset {offset} is nested deeper than {limit}")]
    TooDeep {
        /// Where the aggregate's marker stands.
        offset: u64,
        /// The limit, in levels.
        limit: u8,
    },
    /// The frame has more elements than [`Limits::elements_max`](crate::Limits::elements_max).
    #[error("the aggregate at offset {offset} takes its frame beyond {limit} elements")]
    TooManyElements {
        /// Where the marker of the aggregate, or of the element too many, stands.
        offset: u64,
        /// The limit, in elements.
        limit: u64,
    },
    /// An inline request has a quote that is not closed, or text right behind a closing quote.
    #[error("the inline request has unbalanced quotes at offset {offset}")]
    UnbalancedQuotes {
        /// Where the quote stands, or the line ends.
        offset: u64,
    },
    /// A whole frame was asked for and its end is missing.
    #[error(
        "the frame ends early, at least {missing_at_least} bytes are missing after offset {offset}"
    )]
    Incomplete {
        /// How many bytes there are.
        offset: u64,
        /// How many more there must be.
        missing_at_least: u64,
    },
}

impl WireError {
    /// The process has no memory for a frame longer than this: a limit as well, though not one of ours.
    pub const fn no_memory(len: usize) -> Self {
        Self::FrameTooLarge {
            offset: 0,
            limit: len as u64,
        }
    }

    /// Whether well-formed bytes were refused for their size: a larger limit would have taken them.
    pub const fn is_limit(&self) -> bool {
        matches!(
            self,
            Self::LineTooLong { .. }
                | Self::FrameTooLarge { .. }
                | Self::TooDeep { .. }
                | Self::TooManyElements { .. }
        )
    }

    /// Where it went wrong, in bytes from the start of the frame.
    pub const fn offset(&self) -> u64 {
        match *self {
            Self::BadType { offset, .. }
            | Self::BadLength { offset, .. }
            | Self::BadNumber { offset, .. }
            | Self::BadVerbatim { offset }
            | Self::MissingCrLf { offset }
            | Self::StreamMisplaced { offset, .. }
            | Self::LineTooLong { offset, .. }
            | Self::FrameTooLarge { offset, .. }
            | Self::TooDeep { offset, .. }
            | Self::TooManyElements { offset, .. }
            | Self::UnbalancedQuotes { offset }
            | Self::Incomplete { offset, .. } => offset,
        }
    }

    /// A short stable name for logs and metrics, in kebab-case.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::BadType { .. } => "bad-type",
            Self::BadLength { .. } => "bad-length",
            Self::BadNumber { .. } => "bad-number",
            Self::BadVerbatim { .. } => "bad-verbatim",
            Self::MissingCrLf { .. } => "missing-crlf",
            Self::StreamMisplaced { .. } => "stream-misplaced",
            Self::LineTooLong { .. } => "line-too-long",
            Self::FrameTooLarge { .. } => "frame-too-large",
            Self::TooDeep { .. } => "too-deep",
            Self::TooManyElements { .. } => "too-many-elements",
            Self::UnbalancedQuotes { .. } => "unbalanced-quotes",
            Self::Incomplete { .. } => "incomplete",
        }
    }
}

fn shown(byte: u8) -> ascii::EscapeDefault {
    ascii::escape_default(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_the_byte_the_place_and_the_limit() {
        let bad = WireError::BadType {
            byte: b'H',
            offset: 7,
        };
        assert_eq!(
            bad.to_string(),
            "byte 'H' at offset 7 begins no type that may stand there"
        );
        assert_eq!(
            WireError::BadType {
                byte: 0x16,
                offset: 0
            }
            .to_string()
            .split('\'')
            .nth(1),
            Some("\\x16")
        );
        let long = WireError::LineTooLong {
            offset: 3,
            limit: 65536,
        };
        assert_eq!(
            long.to_string(),
            "the line at offset 3 is longer than 65536 bytes"
        );
    }

    #[test]
    fn only_the_four_limits_are_limits() {
        assert!(
            WireError::FrameTooLarge {
                offset: 0,
                limit: 1
            }
            .is_limit()
        );
        assert!(
            WireError::TooDeep {
                offset: 0,
                limit: 1
            }
            .is_limit()
        );
        assert!(
            !WireError::BadLength {
                marker: b'$',
                offset: 0
            }
            .is_limit()
        );
        assert!(
            !WireError::Incomplete {
                offset: 0,
                missing_at_least: 1
            }
            .is_limit()
        );
    }
}
