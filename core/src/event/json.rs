//! The top level of a JSON object (RFC 8259), read strictly.
//!
//! Every byte is checked, and nothing is kept but the values that are asked
//! for: most of a payload is passed over without a copy.

mod keys;
mod unescape;

use alloc::{
    borrow::{Cow, ToOwned as _},
    string::String,
};

use hookgate_json as skip;

use super::{MAX_TOP_LEVEL_KEYS, PayloadError, is_name};
use keys::Keys;
use unescape::unescape;

/// Reads the values of `keys` from the top level of a payload.
///
/// A payload with two values under one key is refused, whichever key it is:
/// parsers differ in which one they take, so gate and consumer could see two
/// different events.
pub(crate) fn top_level<'de, const N: usize>(
    payload: &'de [u8],
    keys: [&str; N],
) -> Result<[Scalar<'de>; N], PayloadError> {
    let mut values = [const { Scalar::Null }; N];
    read(payload, &keys, &mut values).ok_or(PayloadError::NotAnObject)?;
    Ok(values)
}

/// Not generic, so that it is there once: at the edge its size counts.
fn read<'de>(payload: &'de [u8], keys: &[&str], values: &mut [Scalar<'de>]) -> Option<()> {
    let mut seen = Keys::new();
    let mut rest = skip::byte(b'{', payload)?;
    if let Some(empty) = skip::byte(b'}', rest) {
        return skip::space(empty).is_empty().then_some(());
    }
    loop {
        let key;
        (key, rest) = text(skip::byte(b'"', rest)?)?;
        rest = skip::byte(b':', rest)?;
        let mut wanted = values.iter_mut().zip(keys);
        match wanted.find(|(_, wanted)| key == **wanted) {
            Some((value, _)) => (*value, rest) = scalar(rest)?,
            None => rest = skip::value(rest)?,
        }
        if seen.len() == MAX_TOP_LEVEL_KEYS || !seen.insert(key) {
            return None;
        }
        match skip::byte(b',', rest) {
            Some(next) => rest = next,
            None => break,
        }
    }
    let rest = skip::byte(b'}', rest)?;
    skip::space(rest).is_empty().then_some(())
}

/// Reads a value; of what is no scalar only that it is well-formed.
fn scalar(rest: &[u8]) -> Option<(Scalar<'_>, &[u8])> {
    let value = skip::space(rest);
    if let [b'"', rest @ ..] = value {
        let (text, rest) = text(rest)?;
        return Some((Scalar::Text(text), rest));
    }
    let rest = skip::value(value)?;
    let scalar = match passed(value, rest)? {
        b"null" => Scalar::Null,
        b"true" => Scalar::Bool(true),
        b"false" => Scalar::Bool(false),
        other => unsigned(other).map_or(Scalar::Other, Scalar::Unsigned),
    };
    Some((scalar, rest))
}

/// Reads the rest of a string whose first quote is passed.
fn text(value: &[u8]) -> Option<(Cow<'_, str>, &[u8])> {
    let end = skip::plain(value);
    // Most often nothing is escaped.
    if let [b'"', rest @ ..] = end {
        let text = core::str::from_utf8(passed(value, end)?).ok()?;
        return Some((Cow::Borrowed(text), rest));
    }
    let rest = skip::text(end)?;
    let raw = passed(value, rest)?.strip_suffix(b"\"")?;
    Some((Cow::Owned(unescape(raw)?), rest))
}

/// Returns what stands in `text` before its end `rest`.
fn passed<'a>(text: &'a [u8], rest: &[u8]) -> Option<&'a [u8]> {
    text.get(..text.len().checked_sub(rest.len())?)
}

/// Reads a number that is an integer of 64 bits without a sign.
fn unsigned(number: &[u8]) -> Option<u64> {
    number.iter().try_fold(0_u64, |value, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

/// A JSON value of which only scalars are kept.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Scalar<'de> {
    /// Absent counts as null.
    #[default]
    Null,
    Bool(bool),
    Unsigned(u64),
    Text(Cow<'de, str>),
    Other,
}

impl Scalar<'_> {
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the value as an attribute, which has to be there.
    pub(crate) fn required(&self, field: &'static str) -> Result<String, PayloadError> {
        self.optional(field)?.ok_or(PayloadError::Field(field))
    }

    /// Returns the value as an attribute, if it is there.
    pub(crate) fn optional(&self, field: &'static str) -> Result<Option<String>, PayloadError> {
        match self {
            Self::Null => Ok(None),
            Self::Text(text) if is_name(text) => Ok(Some((**text).to_owned())),
            _ => Err(PayloadError::Field(field)),
        }
    }
}

#[cfg(test)]
mod tests;
