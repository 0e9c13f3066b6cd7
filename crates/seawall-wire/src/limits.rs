/// What a peer may make us hold or follow.
///
/// One struct for scanner, decoder and request reader. Each limit that is passed is a [`WireError`](crate::WireError)
/// that names it ([`WireError::is_limit`](crate::WireError::is_limit)). Nothing is allocated on the word of a peer
/// alone, so generous limits cost nothing until the bytes really arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest frame, headers and line ends included, in bytes. Default 1 GiB: twice what Redis lets one string
    /// grow to (`proto-max-bulk-len`, 512 MiB). A frame that announces more is refused at its header.
    pub frame_bytes_max: u64,
    /// The longest line, without its marker and its line end, in bytes: simple strings, errors, doubles, big numbers
    /// and inline requests. Default 64 KiB, as Redis has it for inline requests. Lines of lengths and integers have a
    /// limit of their own, since a number has at most 20 characters.
    pub line_bytes_max: u32,
    /// How many arrays, maps, sets, pushes and attributes may be open inside each other. Default 32; Redis itself
    /// stays below 10. Values above [`Limits::DEPTH_CAP`] mean [`Limits::DEPTH_CAP`]; 0 allows plain values only.
    pub depth_max: u8,
    /// How many elements one frame may announce, over all its levels (a pair of a map counts as two). Default 67 108
    /// 864 (64 Mi): an element of three bytes on the wire takes about 40 in memory, so this bounds the growth.
    pub elements_max: u64,
}

impl Limits {
    /// The deepest nesting that can be followed at all: the scanner's stack lies inline, without allocation.
    pub const DEPTH_CAP: u8 = 64;

    /// The depth that holds: `depth_max`, at most [`Limits::DEPTH_CAP`].
    pub const fn depth(&self) -> u8 {
        if self.depth_max > Self::DEPTH_CAP {
            Self::DEPTH_CAP
        } else {
            self.depth_max
        }
    }

    /// `frame_bytes_max` as a length of memory on this machine.
    pub(crate) fn frame_len_max(&self) -> usize {
        usize::try_from(self.frame_bytes_max).unwrap_or(usize::MAX)
    }

    /// `line_bytes_max` as a length of memory.
    pub(crate) fn line_len_max(&self) -> usize {
        usize::try_from(self.line_bytes_max).unwrap_or(usize::MAX)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_bytes_max: 1 << 30,
            line_bytes_max: 64 << 10,
            depth_max: 32,
            elements_max: 64 << 20,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depths_above_the_cap_mean_the_cap() {
        let limits = Limits {
            depth_max: 255,
            ..Limits::default()
        };
        assert_eq!(limits.depth(), Limits::DEPTH_CAP);
        assert_eq!(Limits::default().depth(), 32);
    }
}
