use crate::contender::Words;
use crate::world::{Access, Value};
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The lab's own connection for many commands at once: it fills the server before a run and takes stock after it.
///
/// It speaks RESP2 in its own few lines, on purpose: what judges an engine does not share the engine's codec.
pub(super) struct Desk {
    stream: BufReader<TcpStream>,
}

/// How long the server may take for one batch.
const PATIENCE: Duration = Duration::from_secs(10);
/// Commands in one pipeline: few enough that neither side's socket buffer fills with the other one waiting.
const BATCH_COMMANDS: usize = 256;
/// Replies nest no deeper than this in what the lab asks.
const DEPTH_MAX: u32 = 4;

impl Desk {
    pub(super) fn open(addr: SocketAddr, access: &Access) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&addr, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut desk = Self {
            stream: BufReader::with_capacity(64 * 1024, stream),
        };
        if let Some(password) = &access.password {
            let mut auth = vec![b"AUTH".to_vec()];
            auth.extend(access.user.iter().map(|user| user.clone().into_bytes()));
            auth.push(password.clone().into_bytes());
            if let Some(Value::Error(message)) = desk.ask(&[auth])?.pop() {
                return Err(io::Error::other(message));
            }
        }
        Ok(desk)
    }

    /// Runs the commands in pipelines and returns one value each.
    pub(super) fn ask(&mut self, commands: &[Words]) -> io::Result<Vec<Value>> {
        let mut values = Vec::with_capacity(commands.len());
        let mut frame = Vec::new();
        for batch in commands.chunks(BATCH_COMMANDS) {
            frame.clear();
            for words in batch {
                frame.extend(format!("*{}\r\n", words.len()).bytes());
                for word in words {
                    frame.extend(format!("${}\r\n", word.len()).bytes());
                    frame.extend_from_slice(word);
                    frame.extend_from_slice(b"\r\n");
                }
            }
            self.stream.get_mut().write_all(&frame)?;
            for _ in batch {
                values.push(read_value(&mut self.stream, 0)?);
            }
        }
        Ok(values)
    }
}

fn read_value(source: &mut impl BufRead, depth: u32) -> io::Result<Value> {
    let mut line = String::new();
    source.read_line(&mut line)?;
    let line = line.trim_end_matches("\r\n");
    let nonsense = || {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("the server answered `{line:.60}`"),
        )
    };
    let (Some(kind), Some(rest)) = (line.chars().next(), line.get(1..)) else {
        return Err(nonsense());
    };
    let number = || rest.parse::<i64>().map_err(|_| nonsense());
    match kind {
        '+' => Ok(Value::Status(rest.to_owned())),
        '-' => Ok(Value::Error(rest.to_owned())),
        ':' => Ok(Value::Integer(number()?)),
        '$' | '*' if number()? < 0 => Ok(Value::Null),
        '$' => {
            let length = usize::try_from(number()?).map_err(|_| nonsense())?;
            let mut bytes = vec![0; length + 2];
            source.read_exact(&mut bytes)?;
            bytes.truncate(length);
            Ok(Value::Bulk(bytes))
        }
        '*' if depth < DEPTH_MAX => (0..number()?)
            .map(|_| read_value(source, depth + 1))
            .collect::<io::Result<_>>()
            .map(Value::Array),
        _ => Err(nonsense()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_reply_is_read() {
        let mut source = &b"+OK\r\n:7\r\n$2\r\na\n\r\n$-1\r\n*2\r\n:1\r\n-ERR no\r\n"[..];
        let values: Vec<_> = (0..5)
            .map(|_| read_value(&mut source, 0).unwrap())
            .collect();
        let array = Value::Array(vec![Value::Integer(1), Value::Error("ERR no".into())]);
        let expected = [
            Value::Status("OK".into()),
            Value::Integer(7),
            Value::Bulk(b"a\n".to_vec()),
            Value::Null,
            array,
        ];
        assert_eq!(values, expected);
    }

    #[test]
    fn what_is_no_reply_is_shown() {
        let error = read_value(&mut &b"HTTP/1.1 400\r\n"[..], 0).unwrap_err();
        assert!(error.to_string().contains("HTTP"), "{error}");
    }
}
