use crate::decode::{Aggregate, Size};
use crate::{Limits, WireError};

/// No element takes fewer bytes: `_`, CR, LF.
pub(crate) const ELEMENT_BYTES_MIN: u64 = 3;

/// The aggregates that are open, innermost last, and what they still owe.
#[derive(Clone, Debug)]
pub(crate) struct Nesting {
    levels: [Level; Limits::DEPTH_CAP as usize],
    depth: u8,
    /// Elements, and ends of streamed aggregates, that are still to come; 0: the frame is whole. An aggregate's own
    /// head is owed no more once it is read, a string is until its last byte.
    owed: u64,
    /// Elements announced so far, and those met in streamed aggregates.
    elements: u64,
    /// Attributes were read and what they describe has not begun.
    attributes: Attributes,
}

#[derive(Clone, Copy, Debug)]
struct Level {
    aggregate: Aggregate,
    end: End,
    /// With [`End::Counted`] the elements still to come, with [`End::Dot`] those that came.
    count: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Counted,
    Dot,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attributes {
    None,
    Waiting,
}

impl Nesting {
    /// At the start of a frame: nothing is open, one value is owed.
    pub(crate) const fn new() -> Self {
        let level = Level {
            aggregate: Aggregate::Array,
            end: End::Counted,
            count: 0,
        };
        Self {
            levels: [level; Limits::DEPTH_CAP as usize],
            depth: 0,
            owed: 1,
            elements: 0,
            attributes: Attributes::None,
        }
    }

    /// Back to the start of a frame; what lies above the depth is never read.
    pub(crate) fn reset(&mut self) {
        self.depth = 0;
        self.owed = 1;
        self.elements = 0;
        self.attributes = Attributes::None;
    }

    /// Whether nothing is open.
    pub(crate) const fn is_outermost(&self) -> bool {
        self.depth == 0
    }

    /// How many elements and ends must still come before the frame is whole.
    pub(crate) const fn owed(&self) -> u64 {
        self.owed
    }

    /// A value begins at `at`: one that is no attribute. Aggregates tell this by [`open`](Self::open).
    pub(crate) fn begins(&mut self, at: usize, limits: &Limits) -> Result<(), WireError> {
        self.attributes = Attributes::None;
        if let Some(level) = self.innermost()
            && level.end == End::Dot
        {
            level.count += 1;
            self.owed = self.owed.saturating_add(1);
            self.announce(1, at, limits)?;
        }
        Ok(())
    }

    /// A value without elements is there, to its last byte.
    pub(crate) fn landed(&mut self) {
        self.owed -= 1;
    }

    /// An aggregate begins at `at`, its elements at `next`.
    pub(crate) fn open(
        &mut self,
        (aggregate, size): (Aggregate, Size),
        at: usize,
        next: usize,
        limits: &Limits,
    ) -> Result<(), WireError> {
        let offset = at as u64;
        if self.depth >= limits.depth() {
            return Err(WireError::TooDeep {
                offset,
                limit: limits.depth(),
            });
        }
        if aggregate != Aggregate::Attribute {
            self.begins(at, limits)?;
        }
        let (end, count) = match size {
            Size::Known(entries) => (
                End::Counted,
                entries.saturating_mul(aggregate.elements_per_entry()),
            ),
            Size::Streamed => (End::Dot, 0),
        };
        if end == End::Counted {
            self.announce(count, at, limits)?;
            self.owed = self.owed.saturating_add(count);
            if aggregate != Aggregate::Attribute {
                self.owed -= 1;
            }
        }
        let whole_at_least = self
            .owed
            .saturating_mul(ELEMENT_BYTES_MIN)
            .saturating_add(next as u64);
        if whole_at_least > limits.frame_bytes_max {
            return Err(WireError::FrameTooLarge {
                offset,
                limit: limits.frame_bytes_max,
            });
        }
        self.levels[usize::from(self.depth)] = Level {
            aggregate,
            end,
            count,
        };
        self.depth += 1;
        Ok(())
    }

    /// Closes the innermost aggregate if it was announced with a size and nothing more is owed to it.
    pub(crate) fn close_if_full(&mut self) -> Option<Aggregate> {
        let level = *self.innermost()?;
        (level.end == End::Counted && level.count == 0).then(|| self.close(level.aggregate))
    }

    /// A value ended: counts it, and says which aggregate ended with it.
    pub(crate) fn ended(&mut self) -> Option<Aggregate> {
        let level = self.innermost()?;
        if level.end == End::Dot {
            return None;
        }
        level.count -= 1;
        self.close_if_full()
    }

    /// The `.` at `at` ends the innermost aggregate.
    pub(crate) fn dot(&mut self, at: usize) -> Result<Aggregate, WireError> {
        let misplaced = Err(WireError::StreamMisplaced {
            byte: b'.',
            offset: at as u64,
        });
        let waiting = self.attributes;
        match self.innermost() {
            Some(&mut Level {
                aggregate,
                end: End::Dot,
                count,
            }) if waiting == Attributes::None && count % aggregate.elements_per_entry() == 0 => {
                self.owed -= 1;
                Ok(self.close(aggregate))
            }
            _ => misplaced,
        }
    }

    fn close(&mut self, aggregate: Aggregate) -> Aggregate {
        self.depth -= 1;
        if aggregate == Aggregate::Attribute {
            self.attributes = Attributes::Waiting;
        }
        aggregate
    }

    fn announce(&mut self, elements: u64, at: usize, limits: &Limits) -> Result<(), WireError> {
        self.elements = self.elements.saturating_add(elements);
        if self.elements > limits.elements_max {
            return Err(WireError::TooManyElements {
                offset: at as u64,
                limit: limits.elements_max,
            });
        }
        Ok(())
    }

    fn innermost(&mut self) -> Option<&mut Level> {
        self.levels[..usize::from(self.depth)].last_mut()
    }
}
