//! A log as far as it was read.

use std::io::{self, Read};

use super::search::{Beyond, Looking};
use super::{AHEAD_S, Given, LINE_MAX, Searcher};
use crate::facts::{Facts, Unseen};
use crate::stamp::Stamp;

/// Its reader has seen every line that means something, up to its last whole one.
pub(super) struct Log {
    reader: Box<dyn Searcher>,
    looking: Looking,
    /// The first time that it tells.
    from: Option<Stamp>,
    given: Given,
}

impl Log {
    /// One that begins with these lines, of which nothing was shown to its reader.
    pub(super) fn new(reader: Box<dyn Searcher>, first: &[String], given: Given) -> Self {
        let from = first.iter().find_map(|line| reader.time(line));
        Self {
            reader,
            looking: Looking::new(),
            from,
            given,
        }
    }

    /// Takes what comes next of it.
    pub(super) fn through(&mut self, input: impl Read) -> io::Result<()> {
        self.through_beside(input, &mut [])
    }

    /// Takes what comes next, and shows it to others as well.
    pub(super) fn through_beside(
        &mut self,
        input: impl Read,
        others: &mut [&mut dyn Searcher],
    ) -> io::Result<()> {
        let texts = &self.reader.listened().search;
        let reader = &mut self.reader;
        self.looking.through(input, texts, |hit| {
            reader.line(hit);
            for other in others.iter_mut() {
                other.line(hit);
            }
        })?;
        if self.from.is_none() {
            // The last of them is told first.
            let lines = self.looking.tail().lines();
            self.from = lines.filter_map(|line| self.reader.time(&line)).last();
        }
        Ok(())
    }

    /// Its last line has no end, and gets none any more.
    pub(super) fn rest_beside(&mut self, others: &mut [&mut dyn Searcher]) {
        let texts = &self.reader.listened().search;
        let reader = &mut self.reader;
        self.looking.rest(texts, |hit| {
            reader.line(hit);
            for other in others.iter_mut() {
                other.line(hit);
            }
        });
    }

    /// Reads times without a year as those before that moment.
    pub(super) fn at(&mut self, given: Given) {
        self.given = given;
        self.reader.at(given);
    }

    /// What it tells so far; more may come.
    pub(super) fn told(&self, facts: &mut Facts) {
        let so_far = Self {
            reader: self.reader.copy(),
            looking: self.looking.clone(),
            ..*self
        };
        so_far.end(facts);
    }

    /// What it tells.
    pub(super) fn end(mut self, facts: &mut Facts) {
        self.rest_beside(&mut []);
        let source = self.reader.source();
        let mut lines = self.looking.tail().lines();
        let last = lines.find_map(|line| self.reader.time(&line));
        if let Some(last) = last.filter(|last| *last > self.given.now.plus_seconds(AHEAD_S)) {
            facts.assumed.insert(format!(
                "{source}: its last time, {last}, is yet to come: the clock of its host or of this one is wrong"
            ));
        }
        let Beyond { lines, first } = self.looking.beyond();
        if let Some(first) = first {
            facts.unseen.push(Unseen {
                what: format!("what stands beyond {} KiB of a line in {source}", LINE_MAX / 1_024),
                why: format!(
                    "lines are looked at no further; {lines} have words there that tell of a failure, the first is line {first}"
                ),
                how: format!("break its lines: fold -b -w {} FILE | seawall doctor -", LINE_MAX / 2),
            });
        }
        if let (Some(from), Some(to)) = (self.from, last) {
            facts.spans.insert(source, (from.min(to), from.max(to)));
        }
        self.reader.end(facts);
    }
}
