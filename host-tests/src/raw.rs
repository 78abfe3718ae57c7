//! Requests byte by byte, for what no HTTP library would send.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use hyper::header::HeaderMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::Answer;

const LIMIT: Duration = Duration::from_secs(60);

/// How long a first answer may take on a loaded machine.
const FIRST: Duration = Duration::from_secs(12);

/// A request's head, to which anything can be added.
#[derive(Debug, Clone)]
pub struct Head {
    bytes: Vec<u8>,
}

impl Head {
    /// Makes a head with this request line and a `host`; the connection closes
    /// after the answer.
    #[must_use]
    pub fn new(request_line: &str) -> Self {
        let head = Self {
            bytes: format!("{request_line} HTTP/1.1\r\n").into_bytes(),
        };
        head.header("host", "door.test")
            .header("connection", "close")
    }

    /// Adds a header with any bytes as its value.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.bytes.extend(name.as_bytes());
        self.bytes.extend(b": ");
        self.bytes.extend(value.as_ref());
        self.bytes.extend(b"\r\n");
        self
    }

    /// Ends the head; `body` follows as it is.
    #[must_use]
    pub fn body(mut self, body: &[u8]) -> Vec<u8> {
        self.bytes.extend(b"\r\n");
        self.bytes.extend(body);
        self.bytes
    }

    /// Ends the head; `body` follows with its `content-length`.
    #[must_use]
    pub fn sized_body(self, body: &[u8]) -> Vec<u8> {
        let length = body.len().to_string();
        self.header("content-length", length).body(body)
    }

    /// Ends the head; `body` follows in chunks of `size` bytes.
    #[must_use]
    pub fn chunked_body(self, body: &[u8], size: usize) -> Vec<u8> {
        let mut chunks = Vec::new();
        for chunk in body.chunks(size.max(1)) {
            chunks.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
            chunks.extend(chunk);
            chunks.extend(b"\r\n");
        }
        chunks.extend(b"0\r\n\r\n");
        self.header("transfer-encoding", "chunked").body(&chunks)
    }
}

/// Sends `bytes` and reads until the door closes the connection.
///
/// # Errors
/// The connection fails, or isn't closed within a minute.
pub async fn exchange(address: SocketAddr, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    // An early refusal may close the connection while the body is still sent.
    let _ = stream.write_all(bytes).await;
    read_to_end(&mut stream).await
}

/// Sends `bytes` and reads until the door closes the connection, or has said
/// nothing more for so long: it may wait for another request.
///
/// # Errors
/// The connection fails.
pub async fn exchange_until_quiet(
    address: SocketAddr,
    bytes: &[u8],
    quiet: Duration,
) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let mut patience = FIRST;
    while let Ok(Ok(1..)) = timeout(patience, stream.read_buf(&mut answer)).await {
        patience = quiet;
    }
    Ok(answer)
}

/// Reads until the door closes the connection; a reset ends it too.
///
/// # Errors
/// The connection isn't closed within a minute.
pub async fn read_to_end(stream: &mut TcpStream) -> Result<Vec<u8>> {
    let mut answer = Vec::new();
    // A reset after an answer takes nothing of the answer away.
    let read = timeout(LIMIT, stream.read_to_end(&mut answer));
    let _ = read.await.context("the connection stays open")?;
    Ok(answer)
}

/// Sends `bytes` and reads the one answer.
///
/// # Errors
/// As [`exchange`], or what comes back is no answer.
pub async fn send(address: SocketAddr, bytes: &[u8]) -> Result<Answer> {
    parse(&exchange(address, bytes).await?)
}

/// Sends `bytes` and reads one answer of a known length: the door closes a
/// connection that it has refused a second later.
///
/// # Errors
/// The connection fails or ends early.
pub async fn send_at_once(address: SocketAddr, bytes: &[u8]) -> Result<Answer> {
    let mut stream = TcpStream::connect(address).await?;
    let _ = stream.write_all(bytes).await;
    let mut read = Vec::new();
    loop {
        let more = timeout(LIMIT, stream.read_buf(&mut read)).await;
        let ended = matches!(more.context("no answer")?, Ok(0) | Err(_));
        if let Ok(answer) = parse(&read) {
            let length = answer.header("content-length").map(str::parse::<usize>);
            let whole = length.is_some_and(|length| length == Ok(answer.body.len()));
            if whole || ended {
                return Ok(answer);
            }
        } else if ended {
            anyhow::bail!("no answer: `{}`", String::from_utf8_lossy(&read));
        }
    }
}

/// Reads an answer whose body ends with the connection or its length.
///
/// # Errors
/// It is no HTTP/1.1 answer.
pub fn parse(bytes: &[u8]) -> Result<Answer> {
    let end = bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .with_context(|| format!("no answer: `{}`", String::from_utf8_lossy(bytes)))?;
    let (head, body) = bytes.split_at(end + 4);
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let status = lines
        .next()
        .and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok())
        .context("no status line")?;
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        let name = hyper::header::HeaderName::try_from(name)?;
        headers.append(name, value.parse()?);
    }
    Ok(Answer {
        status,
        headers,
        body: Bytes::copy_from_slice(body),
    })
}

/// Finds how long a message is whose head is there, by its `content-length`.
#[must_use]
pub fn length(message: &[u8]) -> Option<usize> {
    let head = message.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(message.get(..head)?).ok()?;
    let body = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    Some(head + body.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{self, Delivery};
    use crate::script::{Act, Script};

    #[tokio::test]
    async fn the_script_records_what_it_got_and_answers_in_turn() -> Result<()> {
        let script = Script::start([Act::Status(503), Act::Reset]).await?;
        let delivery = Delivery::post("/a?b", "body")
            .header("x-twice", "1")?
            .header("x-twice", "2")?
            .trailer("x-after", "3")?;
        let answer = client::send(script.address(), delivery.clone()).await?;
        assert_eq!(answer.status, 503);
        assert!(client::send(script.address(), delivery).await.is_err());
        let answer = client::send(script.address(), Delivery::post("/", "x")).await?;
        assert_eq!(
            (answer.code().as_str(), answer.sequence()),
            ("stored", Some(3))
        );

        let first = script.expect_received(3).await?.remove(0);
        assert_eq!(
            (first.path.as_str(), first.body.as_ref()),
            ("/a?b", &b"body"[..])
        );
        assert_eq!(first.headers.get_all("x-twice").iter().count(), 2);
        let trailers = first.trailers.context("no trailers")?;
        assert_eq!(trailers.get("x-after").context("no trailer")?, "3");
        Ok(())
    }

    #[tokio::test]
    async fn raw_requests_are_what_they_say() -> Result<()> {
        let script = Script::start([]).await?;
        let sized = Head::new("POST /sized")
            .header("x-raw", b"\xff")
            .sized_body(b"one");
        let chunked = Head::new("POST /chunked").chunked_body(b"two", 1);
        for request in [sized, chunked] {
            assert_eq!(send(script.address(), &request).await?.status, 200);
        }
        let received = script.expect_received(2).await?;
        let bodies: Vec<&[u8]> = received.iter().map(|r| r.body.as_ref()).collect();
        assert_eq!(bodies, [b"one", b"two"]);
        let raw = received.first().and_then(|r| r.headers.get("x-raw"));
        assert_eq!(raw.context("no header")?.as_bytes(), b"\xff");
        Ok(())
    }
}
