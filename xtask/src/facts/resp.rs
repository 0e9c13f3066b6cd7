//! As much RESP2 as two commands need: the tool must not depend on the crate whose source it writes.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// A simple or bulk string: any bytes.
    Text(Vec<u8>),
    /// An error, with its code.
    Error(String),
    /// An integer.
    Number(i64),
    /// A null string or array.
    Null,
    /// An array.
    Array(Vec<Reply>),
}

/// A connection to a server on this host.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// Connects to a port of this host.
    pub(crate) fn open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    /// Sends one command and reads its reply.
    pub(crate) fn call<A: AsRef<[u8]>>(&mut self, words: &[A]) -> io::Result<Reply> {
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            let word = word.as_ref();
            request.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            request.extend_from_slice(word);
            request.extend_from_slice(b"\r\n");
        }
        self.stream.get_mut().write_all(&request)?;
        self.read()
    }

    /// The socket itself, for those who want to see the bytes.
    #[cfg(test)]
    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream.into_inner()
    }

    fn read(&mut self) -> io::Result<Reply> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let line = line.trim_end();
        let (kind, rest) = line
            .split_at_checked(1)
            .ok_or_else(|| strange("an empty line"))?;
        Ok(match kind {
            "+" => Reply::Text(rest.as_bytes().to_vec()),
            "-" => Reply::Error(rest.to_owned()),
            ":" => Reply::Number(number(rest)?),
            "$" => match usize::try_from(number(rest)?) {
                Err(_) => Reply::Null,
                Ok(len) => {
                    let mut bytes = vec![0; len + 2];
                    self.stream.read_exact(&mut bytes)?;
                    bytes.truncate(len);
                    Reply::Text(bytes)
                }
            },
            "*" => match usize::try_from(number(rest)?) {
                Err(_) => Reply::Null,
                Ok(len) => Reply::Array((0..len).map(|_| self.read()).collect::<io::Result<_>>()?),
            },
            _ => return Err(strange(line)),
        })
    }
}

impl Reply {
    /// The array's elements; of anything else none.
    pub(crate) fn elements(&self) -> &[Self] {
        match self {
            Self::Array(elements) => elements,
            _ => &[],
        }
    }

    /// The string, if it is one and readable.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => std::str::from_utf8(text).ok(),
            _ => None,
        }
    }

    /// The integer, if it is one.
    pub(crate) fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The value of a key, where a map is sent as keys and values in turn.
    pub(crate) fn field(&self, name: &str) -> Option<&Self> {
        self.elements()
            .chunks_exact(2)
            .find(|pair| pair[0].text() == Some(name))
            .map(|pair| &pair[1])
    }

    /// The strings of an array, sorted.
    pub(crate) fn sorted_texts(&self) -> Vec<String> {
        let mut texts: Vec<String> = self
            .elements()
            .iter()
            .filter_map(|element| element.text().map(ToOwned::to_owned))
            .collect();
        texts.sort();
        texts
    }
}

fn number(text: &str) -> io::Result<i64> {
    text.parse().map_err(|_| strange(text))
}

fn strange(line: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("not a RESP2 reply: {line:?}"),
    )
}
