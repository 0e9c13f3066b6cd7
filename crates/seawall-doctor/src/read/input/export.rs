//! `journalctl -o export`: a record's fields, one a line, as the one line that `-o short-unix` has for it.

use std::io::{self, BufRead, Read};

use crate::read::LINE_MAX;

/// The fields of a record that make its line.
#[derive(Default)]
struct Fields {
    micros: String,
    tag: String,
    pid: String,
    host: String,
    message: Vec<u8>,
    any: bool,
}

/// One line a record.
pub(super) struct Lines<R> {
    input: R,
    fields: Fields,
    ready: Vec<u8>,
    given: usize,
    ended: bool,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            fields: Fields::default(),
            ready: Vec::new(),
            given: 0,
            ended: false,
        }
    }

    /// A line, no more of it than is looked at; `None` at the end.
    fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let came = self
            .input
            .by_ref()
            .take(LINE_MAX as u64)
            .read_until(b'\n', &mut line)?;
        if came == 0 {
            return Ok(None);
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        } else {
            self.input.skip_until(b'\n')?;
        }
        Ok(Some(line))
    }

    /// A field whose value may hold anything: its length stands before it.
    fn sized(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; 8];
        self.input.read_exact(&mut length)?;
        let length = u64::from_le_bytes(length);
        let mut value = Vec::new();
        let mut all = self.input.by_ref().take(length);
        all.by_ref().take(LINE_MAX as u64).read_to_end(&mut value)?;
        io::copy(&mut all, &mut io::sink())?;
        // The end of the line after it.
        self.input.skip_until(b'\n')?;
        Ok(value)
    }

    fn field(&mut self, name: &[u8], value: Vec<u8>) {
        let text = || String::from_utf8_lossy(&value).into_owned();
        self.fields.any = true;
        match name {
            b"__REALTIME_TIMESTAMP" => self.fields.micros = text(),
            b"SYSLOG_IDENTIFIER" => self.fields.tag = text(),
            b"_COMM" if self.fields.tag.is_empty() => self.fields.tag = text(),
            b"_PID" => self.fields.pid = text(),
            b"_HOSTNAME" => self.fields.host = text(),
            b"MESSAGE" => self.fields.message = value,
            _ => {}
        }
    }

    /// Puts the record's line where it is taken from.
    fn flush(&mut self) {
        let fields = std::mem::take(&mut self.fields);
        if !fields.any {
            return;
        }
        let known = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let plain = |text: &str, or: &str| -> String {
            let kept: String = text.chars().filter(|c| known(*c)).take(64).collect();
            if kept.is_empty() { or.to_owned() } else { kept }
        };
        let (seconds, part) = fields
            .micros
            .split_at_checked(fields.micros.len().saturating_sub(6))
            .unwrap_or(("0", "0"));
        let pid = match fields.pid.parse::<u32>() {
            Ok(pid) => format!("[{pid}]"),
            Err(_) => String::new(),
        };
        let head = format!(
            "{}.{} {} {}{pid}: ",
            plain(seconds, "0"),
            plain(part, "0"),
            plain(&fields.host, "host"),
            plain(&fields.tag, "unknown"),
        );
        self.ready.extend_from_slice(head.as_bytes());
        // One record is one line, whatever stands in it.
        let whole = fields.message.iter();
        self.ready
            .extend(whole.map(|byte| if *byte == b'\n' { b' ' } else { *byte }));
        self.ready.push(b'\n');
    }

    fn next(&mut self) -> io::Result<()> {
        let Some(line) = self.line()? else {
            self.flush();
            self.ended = true;
            return Ok(());
        };
        if line.is_empty() {
            self.flush();
        } else if let Some(at) = memchr::memchr(b'=', &line) {
            let value = line[at + 1..].to_vec();
            self.field(&line[..at], value);
        } else {
            let value = self.sized()?;
            self.field(&line, value);
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Lines<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.given == self.ready.len() && !self.ended {
            self.ready.clear();
            self.given = 0;
            self.next()?;
        }
        let count = into.len().min(self.ready.len() - self.given);
        into[..count].copy_from_slice(&self.ready[self.given..self.given + count]);
        self.given += count;
        Ok(count)
    }
}
