use crate::contender::{Gap, Message};
use crate::run::Heard;
use crate::scenario::{Hears, Listener, Scenario};
use std::time::Duration;

/// What became of the messages that were published to subscriptions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hearing {
    /// How many were published while a subscription to their channel stood.
    pub published: u64,
    /// How many reached the consumer, each counted once.
    pub heard: u64,
    /// Missing, where the consumer was told that messages are lost.
    pub told: u64,
    /// Missing without a word.
    pub lost: u64,
    /// Delivered again, or behind a later one.
    pub doubled: u64,
    /// Of a channel that was not subscribed to, or not what was published.
    pub foreign: u64,
    /// How often the consumer was told that messages are lost.
    pub gaps: u64,
    /// What is wrong, in words.
    pub shortfalls: Vec<String>,
}

pub(super) fn of(scenario: &Scenario, heard: &[Vec<Heard>]) -> Option<Hearing> {
    if scenario.listeners.is_empty() {
        return None;
    }
    let mut sum = Hearing::default();
    for (place, listener) in scenario.listeners.iter().enumerate() {
        let heard = heard.get(place).map_or(&[][..], Vec::as_slice);
        let mut one = Ear::new(place, listener, scenario.lasts).listen(heard);
        sum.published += one.published;
        sum.heard += one.heard;
        sum.told += one.told;
        sum.lost += one.lost;
        sum.doubled += one.doubled;
        sum.foreign += one.foreign;
        sum.gaps += one.gaps;
        sum.shortfalls.append(&mut one.shortfalls);
    }
    Some(sum)
}

/// One subscription, on the way through what its consumer was given.
struct Ear<'a> {
    place: usize,
    listener: &'a Listener,
    hearing: Hearing,
    /// The number of the message that ought to come next.
    next: u64,
    /// What the consumer was told since the last message.
    words: Vec<Gap>,
    /// The first of each kind of harm.
    first_lost: Option<String>,
    first_miscounted: Option<String>,
    first_doubled: Option<u64>,
    first_foreign: Option<String>,
}

impl<'a> Ear<'a> {
    fn new(place: usize, listener: &'a Listener, lasts: Duration) -> Self {
        let hearing = Hearing {
            published: listener.due_by(lasts),
            ..Hearing::default()
        };
        Self {
            place,
            listener,
            hearing,
            next: 0,
            words: Vec::new(),
            first_lost: None,
            first_miscounted: None,
            first_doubled: None,
            first_foreign: None,
        }
    }

    fn listen(mut self, heard: &[Heard]) -> Hearing {
        for heard in heard {
            match heard {
                Heard::Gap(gap) => {
                    self.hearing.gaps += 1;
                    self.words.push(*gap);
                }
                Heard::Message(message) => match self.listener.number_of(self.place, message) {
                    Some(number) if number >= self.hearing.published => self.foreign(message),
                    Some(number) if number < self.next => {
                        self.hearing.doubled += 1;
                        self.first_doubled.get_or_insert(number);
                    }
                    Some(number) => {
                        self.hearing.heard += 1;
                        self.settle(number);
                        self.next = number + 1;
                    }
                    None => self.foreign(message),
                },
            }
        }
        let deaf_from = self.next;
        let published = self.hearing.published;
        self.settle(published);
        self.tell(deaf_from);
        self.hearing
    }

    fn foreign(&mut self, message: &Message) {
        self.hearing.foreign += 1;
        self.first_foreign.get_or_insert_with(|| {
            let channel = String::from_utf8_lossy(&message.channel);
            let head = String::from_utf8_lossy(&message.head[..message.head.len().min(24)]);
            format!("`{head}` of {} bytes, by {channel}", message.bytes)
        });
    }

    /// Accounts for what is missing before message `number`, by the words that came in its place.
    fn settle(&mut self, number: u64) {
        let missing = number.saturating_sub(self.next);
        let words = std::mem::take(&mut self.words);
        let counted: Option<u64> = words.iter().map(|gap| gap.dropped).sum();
        let place = self.next;
        match counted {
            // A gap of unknown size accounts for everything.
            None => self.hearing.told += missing,
            Some(told) if told >= missing => {
                self.hearing.told += missing;
                if told > missing {
                    self.first_miscounted.get_or_insert_with(|| {
                        format!("was told of {told} lost messages before {number}, {missing} were")
                    });
                }
            }
            Some(told) => {
                self.hearing.told += told;
                self.hearing.lost += missing - told;
                self.first_lost.get_or_insert_with(|| {
                    format!("of {missing} missing from message {place} on, {told} were told of")
                });
            }
        }
    }

    fn tell(&mut self, deaf_from: u64) {
        let place = self.place;
        let hearing = &mut self.hearing;
        let mut short = Vec::new();
        if let Some(first) = self.first_lost.take() {
            let lost = hearing.lost;
            short.push(format!("{lost} messages lost without a word: {first}"));
        }
        short.extend(self.first_miscounted.take());
        if let Some(first) = self.first_doubled {
            let doubled = hearing.doubled;
            short.push(format!(
                "{doubled} messages twice or late, the first: {first}"
            ));
        }
        if let Some(first) = self.first_foreign.take() {
            let foreign = hearing.foreign;
            short.push(format!(
                "{foreign} messages not its own, the first: {first}"
            ));
        }
        if deaf_from < hearing.published {
            let (came, all) = (deaf_from, hearing.published);
            short.push(format!(
                "the last that came was the {came}th message of {all}, though all was well again"
            ));
        }
        let missing = hearing.told + hearing.lost;
        if self.listener.hears == Hears::Everything && missing > 0 {
            short.push(format!(
                "missed {missing} messages, and nothing was in its way"
            ));
        }
        hearing.shortfalls = short
            .into_iter()
            .map(|what| format!("subscription {place}: {what}"))
            .collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::testing::Trial;
    use seawall_model::Cause;

    /// Ten messages.
    fn listener() -> Listener {
        Listener::new(5, 30)
    }

    fn message(number: u64) -> Heard {
        let (channel, payload) = listener().message(0, number);
        Heard::Message(Message::of(&channel, &payload))
    }

    fn messages(numbers: impl IntoIterator<Item = u64>) -> Vec<Heard> {
        numbers.into_iter().map(message).collect()
    }

    fn gap(dropped: Option<u64>) -> Heard {
        let cause = Some(Cause::SubscriberSlow);
        Heard::Gap(Gap { dropped, cause })
    }

    fn judged(heard: Vec<Heard>) -> Hearing {
        Trial::new()
            .listener(listener(), heard)
            .judge()
            .hearing
            .unwrap()
    }

    fn counts(hearing: &Hearing) -> [u64; 5] {
        let Hearing {
            heard,
            told,
            lost,
            doubled,
            foreign,
            ..
        } = *hearing;
        [heard, told, lost, doubled, foreign]
    }

    #[test]
    fn what_comes_whole_and_in_order_is_heard() {
        let hearing = judged(messages(0..10));
        assert_eq!(counts(&hearing), [10, 0, 0, 0, 0]);
        assert_eq!(hearing.shortfalls, Vec::<String>::new());
    }

    #[test]
    fn what_is_missing_is_told_only_by_a_word_in_its_place() {
        for word in [gap(None), gap(Some(3))] {
            let in_place = [messages(0..4), vec![word.clone()], messages(7..10)].concat();
            assert_eq!(counts(&judged(in_place.clone())), [7, 3, 0, 0, 0]);
            assert_eq!(judged(in_place).shortfalls, Vec::<String>::new());
            let late = [messages(0..4), messages(7..9), vec![word], messages(9..10)].concat();
            let late = judged(late);
            assert_eq!((late.told, late.lost), (0, 3));
            assert!(late.shortfalls[0].contains("without a word"), "{late:?}");
        }
    }

    #[test]
    fn a_wrong_count_is_found_whichever_way_it_is_wrong() {
        let with = |told| [messages(0..4), vec![gap(Some(told))], messages(7..10)].concat();
        assert_eq!(counts(&judged(with(1))), [7, 1, 2, 0, 0]);
        let too_many = judged(with(5));
        assert_eq!(counts(&too_many), [7, 3, 0, 0, 0]);
        assert_eq!(
            too_many.shortfalls,
            ["subscription 0: was told of 5 lost messages before 7, 3 were"]
        );
    }

    #[test]
    fn a_subscriber_that_falls_silent_is_found_even_if_it_says_so() {
        let hearing = judged([messages(0..4), vec![gap(None)]].concat());
        assert_eq!(counts(&hearing), [4, 6, 0, 0, 0]);
        assert!(hearing.shortfalls[0].contains("the 4th message of 10"));
    }

    #[test]
    fn a_message_that_comes_twice_is_doubled_and_a_stray_one_foreign() {
        let (_, payload) = listener().message(0, 3);
        let stray = Heard::Message(Message::of(&Listener::other_channel(0), &payload));
        let never = message(10);
        let heard = [
            messages(0..4),
            messages(2..4),
            vec![stray, never],
            messages(4..10),
        ]
        .concat();
        let score = Trial::new().listener(listener(), heard).judge();
        assert_eq!(counts(score.hearing.as_ref().unwrap()), [10, 0, 0, 2, 2]);
        assert_eq!(
            (score.doubled(), score.lost(), score.mismatched()),
            (2, 0, 2)
        );
        assert_eq!(score.shortfalls.len(), 2, "{:?}", score.shortfalls);
    }

    #[test]
    fn one_that_must_hear_everything_may_not_even_be_told_of_a_gap() {
        let heard = [messages(0..4), vec![gap(Some(1))], messages(5..10)].concat();
        let score = Trial::new()
            .listener(listener().hearing_everything(), heard)
            .judge();
        assert_eq!(
            score.shortfalls,
            ["subscription 0: missed 1 messages, and nothing was in its way"]
        );
        assert_eq!(score.naming.verdict, Some(Cause::SubscriberSlow));
    }
}
