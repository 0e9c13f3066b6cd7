use std::collections::VecDeque;
use std::io;

use seawall_model::Moment;

use super::side::End;

/// Bytes on their way in one direction: those that the receiver's kernel had no room for, and those not yet due.
#[derive(Debug, Default)]
pub(super) struct Lane {
    chunks: VecDeque<Chunk>,
    held: usize,
    fin: Fin,
}

#[derive(Debug)]
struct Chunk {
    due: Moment,
    bytes: Vec<u8>,
    /// How many of them are gone.
    gone: usize,
}

/// Where the sender's FIN is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fin {
    #[default]
    None,
    /// Behind the held bytes.
    Held {
        due: Moment,
    },
    Sent,
}

impl Lane {
    /// How many bytes are held.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// When the first of what is held is due; none if nothing is held.
    pub(super) fn next_due(&self) -> Option<Moment> {
        match (self.chunks.front(), self.fin) {
            (Some(chunk), _) => Some(chunk.due),
            (None, Fin::Held { due }) => Some(due),
            (None, _) => None,
        }
    }

    /// Whether the receiver's FIN is sent.
    pub(super) fn is_finished(&self) -> bool {
        self.fin == Fin::Sent
    }

    /// Sends `bytes` on as far as they are due and the receiver has room, and holds the rest; how many went.
    pub(super) fn push(
        &mut self,
        bytes: &[u8],
        due: Moment,
        now: Moment,
        to: &mut End,
    ) -> io::Result<usize> {
        let gone = if self.chunks.is_empty() && due <= now {
            to.write(bytes)?
        } else {
            0
        };
        let rest = &bytes[gone..];
        if !rest.is_empty() {
            self.held += rest.len();
            self.chunks.push_back(Chunk {
                due,
                bytes: rest.to_vec(),
                gone: 0,
            });
        }
        Ok(gone)
    }

    /// Sends what is due, then the FIN if it is all; how many bytes went.
    pub(super) fn flush(&mut self, now: Moment, to: &mut End) -> io::Result<usize> {
        let mut total = 0;
        while let Some(chunk) = self.chunks.front_mut().filter(|chunk| chunk.due <= now) {
            let gone = to.write(&chunk.bytes[chunk.gone..])?;
            chunk.gone += gone;
            total += gone;
            if chunk.gone < chunk.bytes.len() {
                break;
            }
            self.chunks.pop_front();
        }
        self.held -= total;
        if let Fin::Held { due } = self.fin
            && self.chunks.is_empty()
            && due <= now
            && !to.is_dialling()
        {
            to.send_fin();
            self.fin = Fin::Sent;
        }
        Ok(total)
    }

    /// The sender sends no more: a FIN follows what is held.
    pub(super) fn end(&mut self, due: Moment) {
        if self.fin == Fin::None {
            self.fin = Fin::Held { due };
        }
    }

    /// Makes everything due at once.
    pub(super) fn hurry(&mut self) {
        for chunk in &mut self.chunks {
            chunk.due = Moment::ORIGIN;
        }
        if let Fin::Held { due } = &mut self.fin {
            *due = Moment::ORIGIN;
        }
    }

    /// Forgets what is held.
    pub(super) fn clear(&mut self) {
        self.chunks.clear();
        self.held = 0;
    }
}
