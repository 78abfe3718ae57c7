//! A `curl` command, as browsers and request bins copy it.

use alloc::{string::String, vec::Vec};

use super::{
    SavedError,
    message::{delivery, header},
};
use crate::{input::Delivery, text};

pub(super) fn read(text: &[u8]) -> Result<Delivery, SavedError> {
    let words = words(text).ok_or(SavedError::Form)?;
    let mut words = words.into_iter().skip(1);
    let mut head = Vec::new();
    let mut payload: Option<Vec<u8>> = None;
    while let Some(word) = words.next() {
        match word.as_slice() {
            b"-H" | b"--header" => head.extend(words.next().as_deref().and_then(header)),
            b"-d" | b"--data" | b"--data-raw" | b"--data-binary" | b"--data-ascii" | b"--json" => {
                let data = words.next().unwrap_or_default();
                match &mut payload {
                    Some(before) => {
                        before.push(b'&');
                        before.extend(data);
                    }
                    None => payload = Some(data),
                }
            }
            _ => {}
        }
    }
    delivery(head, payload.unwrap_or_default())
}

/// Splits a command as a POSIX shell does, without expanding anything; `None` where a
/// quote isn't closed.
fn words(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        match first {
            b' ' | b'\t' | b'\n' | b'\r' => words.extend(word.take()),
            b'\'' => {
                let end = rest.iter().position(|&byte| byte == b'\'')?;
                let (inside, tail) = rest.split_at_checked(end)?;
                word.get_or_insert_default().extend_from_slice(inside);
                rest = tail.get(1..)?;
            }
            b'"' => rest = double_quoted(rest, word.get_or_insert_default())?,
            b'$' if rest.starts_with(b"'") => {
                rest = ansi_quoted(rest.get(1..)?, word.get_or_insert_default())?;
            }
            b'\\' => {
                let (&next, tail) = rest.split_first()?;
                rest = tail;
                // A line that goes on.
                if next != b'\n' && next != b'\r' {
                    word.get_or_insert_default().push(next);
                }
            }
            _ => word.get_or_insert_default().push(first),
        }
    }
    words.extend(word);
    Some(words)
}

fn double_quoted<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        let (&first, tail) = rest.split_first()?;
        rest = tail;
        match first {
            b'"' => return Some(rest),
            b'\\' => {
                let (&next, tail) = rest.split_first()?;
                rest = tail;
                match next {
                    b'"' | b'\\' | b'$' | b'`' => word.push(next),
                    b'\n' => {}
                    _ => word.extend([b'\\', next]),
                }
            }
            _ => word.push(first),
        }
    }
}

/// Reads the inside of `$'…'`.
fn ansi_quoted<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        let (&first, tail) = rest.split_first()?;
        rest = tail;
        if first == b'\'' {
            return Some(rest);
        }
        if first != b'\\' {
            word.push(first);
            continue;
        }
        let (&kind, tail) = rest.split_first()?;
        rest = tail;
        match kind {
            b'n' => word.push(b'\n'),
            b'r' => word.push(b'\r'),
            b't' => word.push(b'\t'),
            b'x' => {
                let (digits, tail) = rest.split_at_checked(2)?;
                rest = tail;
                word.extend(text::from_hex(digits)?);
            }
            b'u' => {
                let (digits, tail) = rest.split_at_checked(4)?;
                rest = tail;
                // What a browser writes for half a pair is left out.
                let unit = u32::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
                let character = char::from_u32(unit).map(String::from);
                word.extend(character.unwrap_or_default().into_bytes());
            }
            _ => word.push(kind),
        }
    }
}
