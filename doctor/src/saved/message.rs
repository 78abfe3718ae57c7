//! HTTP messages, and what `curl -v` prints of them.

use alloc::{string::String, vec::Vec};

use super::SavedError;
use crate::input::Delivery;

/// Reads headers up to an empty line, and takes the rest for the body.
pub(super) fn read(text: &[u8]) -> Result<Delivery, SavedError> {
    if text.starts_with(b"> ") || text.windows(3).any(|it| it == b"\n> ") {
        return dumped(text);
    }
    let mut head = Vec::new();
    let mut rest = text;
    let mut is_first = true;
    loop {
        let end = rest.iter().position(|&byte| byte == b'\n');
        let (line, behind) = match end {
            Some(end) => (rest.get(..end), rest.get(end + 1..)),
            None => (Some(rest), None),
        };
        let line = line.unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        rest = behind.unwrap_or_default();
        if line.is_empty() {
            break;
        }
        match header(line) {
            Some(header) => head.push(header),
            // `POST /hook HTTP/1.1`
            None if is_first && is_request_line(line) => {}
            None => return Err(SavedError::Form),
        }
        is_first = false;
    }
    if is_first {
        return Err(SavedError::Form);
    }
    delivery(head, rest.to_vec())
}

/// Takes the lines of the request; a body isn't among them.
fn dumped(text: &[u8]) -> Result<Delivery, SavedError> {
    let lines = text.split(|&byte| byte == b'\n');
    let lines = lines.filter_map(|line| line.strip_prefix(b"> "));
    delivery(lines.filter_map(header).collect(), Vec::new())
}

fn is_request_line(line: &[u8]) -> bool {
    let is_method = |it: &[u8]| !it.is_empty() && it.iter().all(u8::is_ascii_uppercase);
    let mut words = line.split(|&byte| byte == b' ');
    words.next().is_some_and(is_method)
        && words.next().is_some()
        && words.next().is_some_and(|it| it.starts_with(b"HTTP/"))
}

pub(super) fn header(line: &[u8]) -> Option<(String, Vec<u8>)> {
    let colon = line.iter().skip(1).position(|&byte| byte == b':')? + 1;
    let (name, value) = line.split_at_checked(colon)?;
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
    let name = str::from_utf8(name)
        .ok()
        .filter(|name| name.bytes().all(|it| is_token(&it)))?;
    let value = value.strip_prefix(b":")?.trim_ascii();
    Some((name.into(), value.to_vec()))
}

/// Makes a delivery of headers among which there is a signature's.
pub(super) fn delivery(
    head: Vec<(String, Vec<u8>)>,
    payload: Vec<u8>,
) -> Result<Delivery, SavedError> {
    let delivery = Delivery::new(head, payload);
    if delivery.is_signed() {
        Ok(delivery)
    } else {
        Err(SavedError::NoSignature)
    }
}
