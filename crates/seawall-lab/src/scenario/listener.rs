use super::Burst;
use crate::contender::Message;
use std::time::Duration;

/// One subscription of the contender's to two channels, and what is published to them: numbered messages, to each channel
/// in turn, at a fixed rate for as long as the load lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// How many messages are published each second.
    pub per_second: u32,
    /// How long each is.
    pub message_bytes: usize,
    /// When the consumer is busy with something else.
    pub pauses: Vec<Burst>,
    /// What must reach it.
    pub hears: Hears,
}

/// What must reach a subscription's consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hears {
    /// Every message.
    Everything,
    /// Every message, or the word that some are lost, in the place where they are missing.
    OrIsTold,
}

impl Listener {
    /// A consumer that takes what comes, and must be told of what does not.
    pub fn new(per_second: u32, message_bytes: usize) -> Self {
        Self {
            per_second,
            message_bytes,
            pauses: Vec::new(),
            hears: Hears::OrIsTold,
        }
    }

    /// Keeps the consumer busy from `from_ms` to `to_ms`; may be given several times.
    #[must_use]
    pub fn pausing_ms(mut self, from_ms: u64, to_ms: u64) -> Self {
        self.pauses.push(Burst {
            from: Duration::from_millis(from_ms),
            to: Duration::from_millis(to_ms),
        });
        self
    }

    /// Says that it must miss nothing.
    #[must_use]
    pub fn hearing_everything(mut self) -> Self {
        self.hears = Hears::Everything;
        self
    }

    /// How many messages are due by `after` from the load's start.
    pub(crate) fn due_by(&self, after: Duration) -> u64 {
        let due = after.as_micros() * u128::from(self.per_second) / 1_000_000;
        u64::try_from(due).unwrap_or(u64::MAX)
    }

    /// The two channels of the listener at `place`.
    pub(crate) fn channels(place: usize) -> [Vec<u8>; 2] {
        ["a", "b"].map(|channel| format!("news:{place}:{channel}").into_bytes())
    }

    /// A channel beside them to which nobody subscribes. What is published there must reach nobody.
    pub(crate) fn other_channel(place: usize) -> Vec<u8> {
        format!("news:{place}:c").into_bytes()
    }

    /// The channel and the payload of message `number` for the listener at `place`.
    pub(crate) fn message(&self, place: usize, number: u64) -> (Vec<u8>, Vec<u8>) {
        let [even, odd] = Self::channels(place);
        let channel = if number.is_multiple_of(2) { even } else { odd };
        let mut payload = channel.clone();
        payload.extend(format!(" {number} ").bytes());
        payload.resize(self.message_bytes.max(payload.len()), b'.');
        (channel, payload)
    }

    /// Which message of its own it is that the listener at `place` was told of; none if it is not one of them.
    pub(crate) fn number_of(&self, place: usize, message: &Message) -> Option<u64> {
        let head = std::str::from_utf8(&message.head).ok()?;
        let number = head.split(' ').nth(1)?.parse().ok()?;
        let (channel, payload) = self.message(place, number);
        (*message == Message::of(&channel, &payload)).then_some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_known_by_its_channel_and_payload_and_by_no_others() {
        let listener = Listener::new(100, 300);
        let (channel, payload) = listener.message(1, 7);
        assert_eq!((payload.len(), channel.as_slice()), (300, &b"news:1:b"[..]));
        let told = Message::of(&channel, &payload);
        assert_eq!(listener.number_of(1, &told), Some(7));
        assert_eq!(listener.number_of(0, &told), None);
        let [other, _] = Listener::channels(1);
        assert_eq!(
            listener.number_of(1, &Message::of(&other, &payload)),
            None,
            "by another channel"
        );
        assert_eq!(
            listener.number_of(1, &Message::of(&channel, &payload[..299])),
            None,
            "cut short"
        );
        assert_eq!(listener.number_of(1, &Message::of(&channel, b"")), None);
    }

    #[test]
    fn as_many_are_due_as_the_rate_says() {
        let listener = Listener::new(350, 1);
        assert_eq!(listener.due_by(Duration::from_secs(2)), 700);
        assert_eq!(listener.due_by(Duration::ZERO), 0);
    }
}
