use std::time::Duration;

use super::{Form, Reading, Unfit};
use crate::span::{parse_seconds, parse_span, show_span};

/// Words for "turned off" and "on", those of redis-py among them.
const OFF: [&str; 6] = ["off", "none", "false", "no", "0", "f"];
const ON: [&str; 6] = ["on", "true", "yes", "1", "t", "y"];

fn is_one_of(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// A span of time.
pub(in crate::settings) struct Span {
    pub(in crate::settings) min: Duration,
    pub(in crate::settings) max: Duration,
}

impl Form for Span {
    type Value = Duration;

    fn read(&self, text: &str, reading: Reading) -> Result<Duration, Unfit> {
        match reading {
            Reading::Seconds => parse_seconds(text),
            Reading::Own | Reading::Switch => parse_span(text),
        }
        .ok_or(Unfit)
    }

    fn fits(&self, value: &Duration) -> bool {
        (self.min..=self.max).contains(value)
    }

    fn show(&self, value: &Duration) -> Option<String> {
        Some(show_span(*value))
    }

    fn describe(&self, reading: Reading) -> String {
        let (min, max) = (self.min, self.max);
        match reading {
            Reading::Seconds => {
                format!(
                    "seconds from {} to {}",
                    min.as_secs_f64(),
                    max.as_secs_f64()
                )
            }
            Reading::Own | Reading::Switch => {
                format!("a span from {} to {}", show_span(min), show_span(max))
            }
        }
    }
}

/// A span of time, or `off`.
pub(in crate::settings) struct SpanOrOff {
    pub(in crate::settings) span: Span,
    /// What `true` stands for where another client has a switch.
    pub(in crate::settings) on: Option<Duration>,
}

impl Form for SpanOrOff {
    type Value = Option<Duration>;

    fn read(&self, text: &str, reading: Reading) -> Result<Option<Duration>, Unfit> {
        match reading {
            Reading::Switch if is_one_of(text, &ON) => Ok(self.on),
            Reading::Switch if is_one_of(text, &OFF) => Ok(None),
            Reading::Switch => Err(Unfit),
            _ if is_one_of(text, &["off", "none"]) => Ok(None),
            _ => self.span.read(text, reading).map(Some),
        }
    }

    fn fits(&self, value: &Option<Duration>) -> bool {
        value.as_ref().is_none_or(|span| self.span.fits(span))
    }

    fn show(&self, value: &Option<Duration>) -> Option<String> {
        Some(value.map_or_else(|| "off".to_owned(), show_span))
    }

    fn describe(&self, reading: Reading) -> String {
        match reading {
            Reading::Switch => "`true` or `false`".to_owned(),
            _ => format!("{}, or `off`", Form::describe(&self.span, reading)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_turns_a_span_off_or_leaves_its_default() {
        let on = Some(Duration::from_secs(30));
        let form = SpanOrOff {
            span: Span {
                min: Duration::ZERO,
                max: Duration::MAX,
            },
            on,
        };
        assert_eq!(form.read("True", Reading::Switch), Ok(on));
        assert_eq!(form.read("0", Reading::Switch), Ok(None));
        assert_eq!(form.read("5s", Reading::Switch), Err(Unfit));
        assert_eq!(form.read("off", Reading::Own), Ok(None));
        assert_eq!(form.read("false", Reading::Own), Err(Unfit));
    }
}
