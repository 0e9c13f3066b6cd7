//! One request of HTTP/1.1, and what came back: enough to see what an application's users see.

use std::net::{SocketAddr, ToSocketAddrs};

/// How much of an answer is kept to look for a cause in; the rest is counted and let go.
const BODY_KEPT: usize = 64 * 1024;
/// A head that is longer than this is none.
const HEAD_BYTES_MAX: usize = 64 * 1024;
const HEADERS_MAX: usize = 128;
/// The header in which our parts for frameworks name the cause.
const CAUSE_HEADER: &str = "x-seawall-cause";
/// Names of causes are short.
const CAUSE_BYTES_MAX: usize = 40;

/// Where requests go, and the bytes of each of them.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) addrs: Vec<SocketAddr>,
    pub(super) request: Vec<u8>,
    /// What comes back is a head alone, whatever length it names.
    pub(super) is_head: bool,
}

impl Target {
    /// Reads an URL. Says what is wrong with it.
    pub(super) fn parse(url: &str, method: &str) -> Result<Self, String> {
        if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(format!(
                "`{method}` is no method of HTTP, such as GET or POST"
            ));
        }
        let rest = match url.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some((scheme, _)) => {
                return Err(format!(
                    "`{scheme}://` is not spoken here: give http:// and the port of the application itself"
                ));
            }
            None => return Err("it must begin with http://".to_owned()),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        if authority.contains('@') || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(
                "credentials, spaces and letters beyond ASCII have no place in it".to_owned(),
            );
        }
        // A colon behind a bracket, or the only one, is before a port.
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                let port = port.parse().map_err(|_| format!("`{port}` is no port"))?;
                (host, port)
            }
            _ => (authority, 80),
        };
        let plain = host.trim_start_matches('[').trim_end_matches(']');
        if plain.is_empty() {
            return Err("it names no host".to_owned());
        }
        let addrs: Vec<_> = (plain, port)
            .to_socket_addrs()
            .map_err(|error| format!("`{host}` has no address ({error})"))?
            .collect();
        // A POST without a length is refused by some servers.
        let length = if method == "GET" || method == "HEAD" {
            ""
        } else {
            "Content-Length: 0\r\n"
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: seawall-lab\r\nAccept: */*\r\n{length}\
             Connection: close\r\n\r\n"
        );
        Ok(Self {
            addrs,
            request: request.into_bytes(),
            is_head: method == "HEAD",
        })
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// The cause that it names, in a header or as `"cause"` in a body of JSON.
    pub(super) cause: Option<String>,
    /// The body's first line.
    pub(super) first_line: String,
}

impl Answer {
    /// Whether a user got what they came for.
    pub(super) fn is_good(&self) -> bool {
        (200..400).contains(&self.status)
    }
}

/// How far an answer has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// More of it must come.
    Going,
    /// It is whole.
    Whole(Answer),
    /// What came is no answer of HTTP's.
    Garbled,
}

/// The bytes of an answer as they come.
#[derive(Debug, Default)]
pub(super) struct Reader {
    kept: Vec<u8>,
    head: Option<Head>,
    /// How much of the body has come.
    body: usize,
    /// Its last bytes, where its end is told by them.
    tail: Vec<u8>,
    /// No body comes.
    is_head: bool,
}

#[derive(Debug)]
struct Head {
    status: u16,
    length: Length,
    cause: Option<String>,
    is_json: bool,
    /// Where the body begins in `kept`.
    ends: usize,
}

#[derive(Debug, PartialEq, Eq)]
enum Length {
    Known(usize),
    Chunked,
    UntilTheEnd,
}

impl Reader {
    /// For the answer to such a request.
    pub(super) fn of(target: &Target) -> Self {
        Self {
            is_head: target.is_head,
            ..Self::default()
        }
    }

    /// Takes what has come.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Progress {
        if self.head.is_none() {
            self.kept.extend_from_slice(bytes);
            match parse_head(&self.kept) {
                Ok(Some(head)) if head.status < 200 => {
                    // 100 Continue and its like: the answer comes behind it.
                    self.kept.drain(..head.ends);
                    let rest = std::mem::take(&mut self.kept);
                    return if rest.is_empty() {
                        Progress::Going
                    } else {
                        self.take(&rest)
                    };
                }
                Ok(Some(head)) => {
                    self.body = self.kept.len() - head.ends;
                    self.tail = self.kept[head.ends..].to_vec();
                    self.head = Some(head);
                }
                Ok(None) if self.kept.len() <= HEAD_BYTES_MAX => return Progress::Going,
                Ok(None) | Err(()) => return Progress::Garbled,
            }
        } else {
            let room = (HEAD_BYTES_MAX + BODY_KEPT).saturating_sub(self.kept.len());
            self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
            self.body += bytes.len();
            self.tail.extend_from_slice(bytes);
        }
        let excess = self.tail.len().saturating_sub(LAST_CHUNK.len());
        self.tail.drain(..excess);
        let is_whole = match &self.head {
            Some(_) if self.is_head => true,
            Some(head) => match head.length {
                Length::Known(length) => self.body >= length,
                Length::Chunked => self.tail.ends_with(LAST_CHUNK) || self.tail == b"0\r\n\r\n",
                Length::UntilTheEnd => false,
            },
            None => false,
        };
        if is_whole {
            self.whole()
        } else {
            Progress::Going
        }
    }

    /// The peer has closed: `None` if that was too early.
    pub(super) fn end(&mut self) -> Option<Answer> {
        match self.head.as_ref()?.length {
            Length::UntilTheEnd => match self.whole() {
                Progress::Whole(answer) => Some(answer),
                _ => None,
            },
            _ => None,
        }
    }

    fn whole(&self) -> Progress {
        let Some(head) = &self.head else {
            return Progress::Garbled;
        };
        let body = self.kept.get(head.ends..).unwrap_or_default();
        let cause = head.cause.clone().or_else(|| {
            let body = head.is_json.then(|| json_in(body, &head.length))?;
            let value: serde_json::Value = serde_json::from_slice(body).ok()?;
            value.get("cause")?.as_str().and_then(as_cause)
        });
        let text = String::from_utf8_lossy(&body[..body.len().min(400)]);
        let first_line = text.lines().map(str::trim).find(|line| !line.is_empty());
        Progress::Whole(Answer {
            status: head.status,
            cause,
            first_line: first_line.unwrap_or_default().chars().take(120).collect(),
        })
    }
}

/// How a body in chunks ends.
const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";

/// The JSON in a body: the chunk that begins with a brace, if it is in chunks. Who answers with an error says it in one.
fn json_in<'a>(body: &'a [u8], length: &Length) -> &'a [u8] {
    if *length != Length::Chunked {
        return body;
    }
    let begin = body.iter().position(|&byte| byte == b'{');
    let end = body.iter().rposition(|&byte| byte == b'}');
    match (begin, end) {
        (Some(begin), Some(end)) if begin < end => &body[begin..=end],
        _ => b"",
    }
}

fn parse_head(bytes: &[u8]) -> Result<Option<Head>, ()> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let ends = match response.parse(bytes).map_err(|_| ())? {
        httparse::Status::Complete(ends) => ends,
        httparse::Status::Partial => return Ok(None),
    };
    let value_of = |name: &str| {
        let header = response
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(header.value).ok().map(str::trim)
    };
    let status = response.code.ok_or(())?;
    let is_chunked = value_of("transfer-encoding")
        .is_some_and(|value| value.to_ascii_lowercase().contains("chunked"));
    let length = if matches!(status, 100..200 | 204 | 304) {
        Length::Known(0)
    } else if is_chunked {
        Length::Chunked
    } else {
        let length = value_of("content-length").and_then(|value| value.parse().ok());
        length.map_or(Length::UntilTheEnd, Length::Known)
    };
    Ok(Some(Head {
        status,
        length,
        cause: value_of(CAUSE_HEADER).and_then(as_cause),
        is_json: value_of("content-type").is_some_and(|value| value.contains("json")),
        ends,
    }))
}

/// A word that may be a cause's name. Nothing else of what an application answers is repeated in a report.
fn as_cause(text: &str) -> Option<String> {
    let is_one = !text.is_empty()
        && text.len() <= CAUSE_BYTES_MAX
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    is_one.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]]) -> Progress {
        let mut reader = Reader::default();
        let mut last = Progress::Going;
        for piece in pieces {
            last = reader.take(piece);
        }
        last
    }

    fn answer(progress: Progress) -> Answer {
        match progress {
            Progress::Whole(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_answer_is_whole_with_its_length_wherever_it_is_split() {
        let bytes = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 38\r\n\r\n\
            {\"detail\":\"x\",\"cause\":\"read-only\"}    ";
        for split in 1..bytes.len() {
            let answer = answer(read(&[&bytes[..split], &bytes[split..]]));
            assert_eq!(answer.status, 503);
            assert_eq!(
                answer.cause.as_deref(),
                Some("read-only"),
                "split at {split}"
            );
        }
        assert_eq!(read(&[&bytes[..bytes.len() - 1]]), Progress::Going);
    }

    #[test]
    fn chunks_end_with_the_last_one() {
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(read(&[head, b"3\r\nabc\r\n"]), Progress::Going);
        assert_eq!(
            answer(read(&[head, b"3\r\nabc\r\n0\r", b"\n\r\n"])).status,
            200
        );
        assert_eq!(answer(read(&[head, b"0\r\n\r\n"])).status, 200);
    }

    #[test]
    fn the_answer_to_head_is_whole_without_the_body_whose_length_it_names() {
        let target = Target::parse("http://127.0.0.1:8000/", "HEAD").unwrap();
        for length in ["Content-Length: 5", "Transfer-Encoding: chunked", "X: none"] {
            let head = format!("HTTP/1.1 200 OK\r\n{length}\r\n\r\n");
            let answer = answer(Reader::of(&target).take(head.as_bytes()));
            assert_eq!(answer.status, 200, "{length}");
        }
    }

    #[test]
    fn without_a_length_it_goes_on_to_the_end() {
        let mut reader = Reader::default();
        assert_eq!(
            reader.take(b"HTTP/1.0 200 OK\r\nX-Seawall-Cause: loading\r\n\r\nhello"),
            Progress::Going
        );
        let answer = reader.end().unwrap();
        assert!(answer.is_good());
        assert_eq!(
            (answer.cause.as_deref(), answer.first_line.as_str()),
            (Some("loading"), "hello")
        );
    }

    #[test]
    fn an_end_inside_of_it_is_no_answer() {
        let mut reader = Reader::default();
        assert_eq!(
            reader.take(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell"),
            Progress::Going
        );
        assert_eq!(reader.end(), None);
        assert_eq!(Reader::default().end(), None);
    }

    #[test]
    fn what_is_no_http_is_told_as_such() {
        assert_eq!(read(&[b"-ERR unknown command\r\n"]), Progress::Garbled);
        assert_eq!(
            read(&[b"HTTP/1.1 100 Continue\r\n\r\n", b"nonsense\r\n\r\n"]),
            Progress::Garbled
        );
    }

    #[test]
    fn only_what_may_be_a_cause_is_repeated() {
        for text in ["", "user=secret", "Loading", &"a".repeat(41)] {
            assert_eq!(as_cause(text), None, "{text}");
        }
    }

    #[test]
    fn an_address_that_cannot_be_asked_is_refused_with_the_reason() {
        for (url, word) in [
            ("https://localhost/", "https"),
            ("localhost:8000", "http://"),
            ("http://", "no host"),
            ("http://:8000/", "no host"),
            ("http://localhost:http/", "no port"),
            ("http://me:secret@localhost/", "credentials"),
            ("http://no.such.host.test/", "no.such.host.test"),
        ] {
            let why = Target::parse(url, "GET").unwrap_err();
            assert!(why.contains(word), "{url}: {why}");
        }
        assert!(Target::parse("http://127.0.0.1/", "get it").is_err());
        for (url, line) in [
            (
                "http://127.0.0.1",
                "GET / HTTP/1.1\r\nHost: 127.0.0.1:80\r\n",
            ),
            (
                "HTTP://[::1]:81?a#b",
                "GET /?a HTTP/1.1\r\nHost: [::1]:81\r\n",
            ),
            ("http://[::1]/x", "GET /x HTTP/1.1\r\nHost: [::1]:80\r\n"),
        ] {
            let request = Target::parse(url, "GET").unwrap().request;
            assert!(request.starts_with(line.as_bytes()), "{url}: {request:?}");
        }
        let target = Target::parse("http://127.0.0.1:8000/a?b=c", "POST").unwrap();
        let request = String::from_utf8(target.request).unwrap();
        assert!(
            request.starts_with("POST /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n"),
            "{request}"
        );
        assert!(request.contains("Content-Length: 0\r\n"));
    }
}
