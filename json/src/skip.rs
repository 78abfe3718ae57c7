//! The tokens.

use crate::levels::Levels;

/// Bytes that are looked at together.
const LANES: usize = 8;

const ONES: u64 = u64::from_ne_bytes([1; LANES]);
const HIGH: u64 = ONES << 7;

/// Passes white space over.
#[inline(always)]
pub fn space(mut rest: &[u8]) -> &[u8] {
    while let [b' ' | b'\n' | b'\t' | b'\r', after @ ..] = rest {
        rest = after;
        // Indentation comes in runs.
        while let Some((lanes, after)) = rest.split_first_chunk::<LANES>() {
            let other = u64::from_le_bytes(*lanes) ^ (ONES * b' ' as u64);
            if other != 0 {
                rest = from_first(other, rest);
                break;
            }
            rest = after;
        }
    }
    rest
}

/// Passes this byte over, and white space before it.
#[inline(always)]
pub fn byte(byte: u8, rest: &[u8]) -> Option<&[u8]> {
    match rest {
        // Most often there is no white space.
        [next, rest @ ..] if *next == byte => Some(rest),
        _ => match space(rest) {
            [next, rest @ ..] if *next == byte => Some(rest),
            _ => None,
        },
    }
}

/// Passes the rest of a string over whose first quote is passed.
#[inline(always)]
pub fn text(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        rest = plain(rest);
        match rest {
            [b'"', rest @ ..] => return Some(rest),
            [b'\\', after @ ..] => rest = escape(after)?,
            // A control character, or the end.
            _ => return None,
        }
    }
}

/// Passes over what stands for itself in a string.
#[inline(always)]
pub fn plain(mut rest: &[u8]) -> &[u8] {
    while let Some((lanes, after)) = rest.split_first_chunk::<LANES>() {
        let special = special(u64::from_le_bytes(*lanes));
        if special != 0 {
            return from_first(special, rest);
        }
        rest = after;
    }
    while let [byte, after @ ..] = rest
        && !matches!(byte, b'"' | b'\\' | 0..0x20)
    {
        rest = after;
    }
    rest
}

/// Passes over what follows a backslash.
fn escape(rest: &[u8]) -> Option<&[u8]> {
    match rest {
        [
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't',
            rest @ ..,
        ] => Some(rest),
        [b'u', rest @ ..] => {
            let (digits, rest) = rest.split_first_chunk::<4>()?;
            let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
            is_hex.then_some(rest)
        }
        _ => None,
    }
}

/// Passes a number over: RFC 8259, section 6.
fn number(mut rest: &[u8]) -> Option<&[u8]> {
    rest = rest.strip_prefix(b"-").unwrap_or(rest);
    rest = match rest {
        [b'0', rest @ ..] => rest,
        _ => digits(rest)?,
    };
    if let [b'.', after @ ..] = rest {
        rest = digits(after)?;
    }
    if let [b'e' | b'E', after @ ..] = rest {
        rest = match after {
            [b'+' | b'-', after @ ..] => digits(after)?,
            _ => digits(after)?,
        };
    }
    Some(rest)
}

/// Passes one digit or more over.
#[inline(always)]
fn digits(rest: &[u8]) -> Option<&[u8]> {
    let [b'0'..=b'9', rest @ ..] = rest else {
        return None;
    };
    let mut rest = rest;
    while let [b'0'..=b'9', after @ ..] = rest {
        rest = after;
    }
    Some(rest)
}

/// Passes a whole value over, however deep.
pub fn value(mut rest: &[u8]) -> Option<&[u8]> {
    let mut levels = Levels::default();
    loop {
        rest = space(rest);
        rest = match rest {
            [b'"', rest @ ..] => text(rest)?,
            [b'{', after @ ..] => match byte(b'}', after) {
                Some(rest) => rest,
                None => {
                    levels.open(true);
                    rest = key(after)?;
                    continue;
                }
            },
            [b'[', after @ ..] => match byte(b']', after) {
                Some(rest) => rest,
                None => {
                    levels.open(false);
                    rest = after;
                    continue;
                }
            },
            [b'-' | b'0'..=b'9', ..] => number(rest)?,
            [b't', ..] => rest.strip_prefix(b"true")?,
            [b'f', ..] => rest.strip_prefix(b"false")?,
            [b'n', ..] => rest.strip_prefix(b"null")?,
            _ => return None,
        };
        loop {
            let Some(is_object) = levels.is_object() else {
                return Some(rest);
            };
            rest = match (space(rest), is_object) {
                ([b',', rest @ ..], true) => key(rest)?,
                ([b',', rest @ ..], false) => rest,
                ([b'}', after @ ..], true) | ([b']', after @ ..], false) => {
                    levels.close();
                    rest = after;
                    continue;
                }
                _ => return None,
            };
            break;
        }
    }
}

/// Passes a key and its colon over.
#[inline(always)]
fn key(rest: &[u8]) -> Option<&[u8]> {
    byte(b':', text(byte(b'"', rest)?)?)
}

/// Returns what begins with the first byte that is marked.
#[inline(always)]
fn from_first(marks: u64, rest: &[u8]) -> &[u8] {
    let bytes = marks.trailing_zeros() / u8::BITS;
    rest.get(bytes as usize..).unwrap_or_default()
}

/// Marks the bytes that end a run: quotes, backslashes and control characters.
/// The lowest mark is exact, and only that is looked at; above it a borrow may
/// have marked a byte too many.
#[inline(always)]
const fn special(lanes: u64) -> u64 {
    // A quote becomes the 0x20 above the control characters, which stay below it.
    let quote_or_control = (lanes ^ (ONES * 2)).wrapping_sub(ONES * 0x21) & !lanes;
    let backslash = zero(lanes ^ (ONES * b'\\' as u64));
    (quote_or_control | backslash) & HIGH
}

/// Marks, in their highest bits, the bytes that are zero.
#[inline(always)]
const fn zero(lanes: u64) -> u64 {
    lanes.wrapping_sub(ONES) & !lanes
}
