//! HTTP/2 frame by frame, for what no library would send.
//!
//! Header blocks are written as plain literals; of what comes back only the
//! status of the first block of a connection is read (RFC 9113, RFC 7541).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

/// Most bytes of one frame that any server takes.
const MAX_FRAME_BYTES: usize = 16_384;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(40);

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With an answer of this status.
    Status(u16),
    /// Reset, or the whole connection closed.
    Reset,
}

/// Makes the bytes that begin a connection.
#[must_use]
pub fn preface() -> Vec<u8> {
    [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()
}

/// Makes the frames of a header block with these fields, byte for byte.
#[must_use]
pub fn headers(stream: u32, fields: &[(&[u8], &[u8])], ends: bool) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        // A literal without indexing, with a new name.
        block.push(0);
        string(&mut block, name);
        string(&mut block, value);
    }
    let mut frames = Vec::new();
    let count = block.chunks(MAX_FRAME_BYTES).count();
    for (index, part) in block.chunks(MAX_FRAME_BYTES).enumerate() {
        let mut flags = if index + 1 == count { END_HEADERS } else { 0 };
        let kind = if index == 0 { HEADERS } else { CONTINUATION };
        if index == 0 && ends {
            flags |= END_STREAM;
        }
        frames.extend(frame(kind, flags, stream, part));
    }
    frames
}

/// Makes the frames of a body.
#[must_use]
pub fn data(stream: u32, body: &[u8], ends: bool) -> Vec<u8> {
    let count = body.chunks(MAX_FRAME_BYTES).count().max(1);
    let mut frames = Vec::new();
    for index in 0..count {
        let from = index * MAX_FRAME_BYTES;
        let part = body.get(from..body.len().min(from + MAX_FRAME_BYTES));
        let flags = if ends && index + 1 == count {
            END_STREAM
        } else {
            0
        };
        frames.extend(frame(DATA, flags, stream, part.unwrap_or_default()));
    }
    frames
}

/// Makes the frame that cancels a stream.
#[must_use]
pub fn cancel(stream: u32) -> Vec<u8> {
    const CANCEL: [u8; 4] = [0, 0, 0, 8];
    frame(RST_STREAM, 0, stream, &CANCEL)
}

/// Sends frames on a connection of their own; returns how the first stream ended.
///
/// # Errors
/// Nothing ends it in time.
pub async fn exchange(address: SocketAddr, frames: &[u8]) -> Result<End> {
    let source = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mut stream = client::connect_from(source, address).await?;
    stream.write_all(&preface()).await?;
    // An early refusal may close the connection while more is sent.
    let _ = stream.write_all(frames).await;
    match timeout(LIMIT, end_of(&mut stream, 1)).await {
        Ok(end) => end,
        Err(_) => bail!("the stream stays open"),
    }
}

/// Reads frames until this stream has its answer's head or is reset; answers
/// settings on the way.
///
/// # Errors
/// A frame that can't be.
pub async fn end_of(stream: &mut TcpStream, wanted: u32) -> Result<End> {
    loop {
        let mut head = [0; 9];
        if stream.read_exact(&mut head).await.is_err() {
            return Ok(End::Reset);
        }
        let [a, b, c, kind, flags, id @ ..] = head;
        let length = u32::from_be_bytes([0, a, b, c]);
        let id = u32::from_be_bytes(id) & 0x7fff_ffff;
        let mut payload = vec![0; usize::try_from(length)?];
        if stream.read_exact(&mut payload).await.is_err() {
            return Ok(End::Reset);
        }
        match kind {
            SETTINGS if flags & ACK == 0 => {
                let _ = stream.write_all(&frame(SETTINGS, ACK, 0, &[])).await;
            }
            HEADERS if id == wanted => match status(&payload) {
                Some(status) => return Ok(End::Status(status)),
                None => bail!("no status in {payload:x?}"),
            },
            RST_STREAM if id == wanted => return Ok(End::Reset),
            GOAWAY => return Ok(End::Reset),
            _ => {}
        }
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let [_, a, b, c] = length.to_be_bytes();
    let mut frame = vec![a, b, c, kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Appends a string literal that isn't compressed.
fn string(block: &mut Vec<u8>, text: &[u8]) {
    let mut length = text.len();
    if length < 127 {
        block.push(u8::try_from(length).unwrap_or_default());
    } else {
        block.push(127);
        length -= 127;
        while length >= 128 {
            block.push(u8::try_from(length % 128).unwrap_or_default() | 128);
            length /= 128;
        }
        block.push(u8::try_from(length).unwrap_or_default());
    }
    block.extend(text);
}

/// Reads the status from the first block of a connection: an entry of the
/// static table, or a literal for one of its names.
fn status(block: &[u8]) -> Option<u16> {
    const STATIC: [(u8, u16); 7] = [
        (0x88, 200),
        (0x89, 204),
        (0x8a, 206),
        (0x8b, 304),
        (0x8c, 400),
        (0x8d, 404),
        (0x8e, 500),
    ];
    let first = *block.first()?;
    if let Some((_, status)) = STATIC.iter().find(|(byte, _)| *byte == first) {
        return Some(*status);
    }
    let length = *block.get(1)?;
    let text = block.get(2..2 + usize::from(length & 0x7f))?;
    let text = if length & 0x80 == 0 {
        String::from_utf8(text.to_vec()).ok()?
    } else {
        digits(text)
    };
    text.parse().ok()
}

/// Decodes digits from Huffman's code: `0` to `2` have 5 bits, the others 6.
fn digits(bytes: &[u8]) -> String {
    let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
    let mut rest = bits.as_str();
    let mut text = String::new();
    'next: loop {
        for (digit, code) in [
            ('0', "00000"),
            ('1', "00001"),
            ('2', "00010"),
            ('3', "011001"),
            ('4', "011010"),
            ('5', "011011"),
            ('6', "011100"),
            ('7', "011101"),
            ('8', "011110"),
            ('9', "011111"),
        ] {
            if let Some(after) = rest.strip_prefix(code) {
                text.push(digit);
                rest = after;
                continue 'next;
            }
        }
        return text;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_statuses_however_they_are_written() {
        assert_eq!(status(&[0x88]), Some(200));
        assert_eq!(status(&[0x8d, 0x40]), Some(404));
        // `503` and `413` as literals, plain and compressed.
        assert_eq!(status(b"\x48\x03503"), Some(503));
        assert_eq!(status(&[0x48, 0x83, 0x68, 0x2c, 0xff]), Some(413));
        assert_eq!(status(&[]), None);
    }

    #[test]
    fn splits_what_is_too_large_for_one_frame() {
        let value = vec![b'x'; 40_000];
        let frames = headers(1, &[(b"a", &value)], false);
        assert_eq!(frames.get(3), Some(&HEADERS));
        assert_eq!(frames.len(), 40_000 + 1 + 2 + 4 + 3 * 9);
        assert_eq!(data(1, b"", true), frame(DATA, END_STREAM, 1, b""));
        assert_eq!(data(1, &value, true).len(), 40_000 + 3 * 9);
    }
}
