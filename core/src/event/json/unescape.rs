//! Strings with escapes.

use alloc::{string::String, vec::Vec};

/// Decodes a string's text between its quotes, whose escapes are well-formed;
/// `None` for half a surrogate pair and for what isn't UTF-8.
pub(super) fn unescape(raw: &[u8]) -> Option<String> {
    let mut text = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'\\' {
            text.push(*byte);
            continue;
        }
        let (escape, after) = rest.split_first()?;
        rest = after;
        match escape {
            b'b' => text.push(8),
            b'f' => text.push(12),
            b'n' => text.push(b'\n'),
            b'r' => text.push(b'\r'),
            b't' => text.push(b'\t'),
            b'u' => {
                let unit = unit(&mut rest)?;
                let code = match unit {
                    0xd800..0xdc00 => {
                        rest = rest.strip_prefix(b"\\u")?;
                        let low = self::unit(&mut rest)?.checked_sub(0xdc00)?;
                        let is_low = low < 0x400;
                        is_low.then(|| 0x1_0000 + ((unit - 0xd800) << 10) + low)?
                    }
                    // The second half alone is no character either.
                    unit => unit,
                };
                let mut utf8 = [0; 4];
                let character = char::from_u32(code)?.encode_utf8(&mut utf8);
                text.extend_from_slice(character.as_bytes());
            }
            other => text.push(*other),
        }
    }
    String::from_utf8(text).ok()
}

/// Reads four hex digits.
fn unit(rest: &mut &[u8]) -> Option<u32> {
    let (digits, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    digits.iter().try_fold(0, |unit, digit| {
        Some(unit << 4 | char::from(*digit).to_digit(16)?)
    })
}
