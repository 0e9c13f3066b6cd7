//! The floor: what any client has to do, and nothing else.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// A blocking socket, a request that is ready, a buffer that is kept. No deadline, no pool, no errors of the server.
pub(super) struct Bare {
    socket: TcpStream,
    request: Vec<u8>,
    reply: Box<[u8; 4096]>,
}

impl Bare {
    /// Connects, and packs the request.
    pub(super) fn connect(addr: SocketAddr, key: &str) -> io::Result<Self> {
        let socket = TcpStream::connect(addr)?;
        socket.set_nodelay(true)?;
        Ok(Self {
            socket,
            request: format!("*2\r\n$3\r\nGET\r\n${}\r\n{key}\r\n", key.len()).into_bytes(),
            reply: Box::new([0; 4096]),
        })
    }

    /// Writes the request and reads until the reply is whole.
    pub(super) fn get(&mut self) -> io::Result<&[u8]> {
        self.socket.write_all(&self.request)?;
        let mut len = 0;
        loop {
            let n = self.socket.read(&mut self.reply[len..])?;
            if n == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            len += n;
            if let Some((start, end)) = content(&self.reply[..len])? {
                return Ok(&self.reply[start..end]);
            }
        }
    }
}

/// Where the content of a bulk string is, once all of it came.
fn content(reply: &[u8]) -> io::Result<Option<(usize, usize)>> {
    if reply.first().is_some_and(|&kind| kind != b'$') {
        return Err(ErrorKind::InvalidData.into());
    }
    let Some(head) = reply.iter().position(|&byte| byte == b'\r') else {
        return Ok(None);
    };
    let mut len: usize = 0;
    for digit in &reply[1..head] {
        len = len * 10 + usize::from(digit.wrapping_sub(b'0'));
    }
    let start = head + 2;
    Ok((reply.len() >= start + len + 2).then_some((start, start + len)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_whole_with_its_last_byte() {
        let reply = b"$3\r\nabc\r\n";
        for cut in 0..reply.len() {
            assert_eq!(content(&reply[..cut]).expect("well-formed"), None);
        }
        assert_eq!(content(reply).expect("well-formed"), Some((4, 7)));
        assert!(content(b"-ERR no\r\n").is_err());
    }
}
