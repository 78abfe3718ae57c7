//! Encodings that a payload, a secret or a header may have gone through, and back.

use alloc::{string::String, vec::Vec};

use base64ct::{Base64, Base64Unpadded, Base64UrlUnpadded, Encoding as _};

/// U+FEFF in UTF-8.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Decodes base64 of either alphabet (RFC 4648, sections 4 and 5), with or
/// without padding and line ends.
pub(crate) fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut text: Vec<u8> = text
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    while text.last() == Some(&b'=') {
        text.pop();
    }
    let text = str::from_utf8(&text).ok().filter(|text| !text.is_empty())?;
    let decoded = Base64Unpadded::decode_vec(text).or_else(|_| Base64UrlUnpadded::decode_vec(text));
    decoded.ok()
}

/// Encodes as padded base64.
pub(crate) fn base64(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}

/// Decodes an even number of hex digits of either case.
pub(crate) fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_chunks();
    let pairs = pairs
        .iter()
        .map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?));
    let bytes: Option<Vec<u8>> = pairs.collect();
    bytes.filter(|bytes| rest.is_empty() && !bytes.is_empty())
}

/// Encodes as lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> Vec<u8> {
    let digit = |nibble: u8| match nibble {
        0..10 => b'0' + nibble,
        _ => b'a' + (nibble - 10),
    };
    let pairs = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    pairs.map(digit).collect()
}

/// Returns the value of a hex digit.
pub(crate) fn nibble(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

/// Decodes `%XX`, and `+` as a space where a form is meant; `None` where nothing
/// is encoded.
pub(crate) fn from_percent(text: &[u8], form: bool) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    let mut changed = false;
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        let escaped = match (first, tail) {
            (b'%', [high, low, ..]) => nibble(*high).zip(nibble(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                changed = true;
                decoded.push(high << 4 | low);
                rest = tail.get(2..).unwrap_or_default();
            }
            None if first == b'+' && form => decoded.push(b' '),
            None => decoded.push(first),
        }
    }
    changed.then_some(decoded)
}

/// Decodes the character references that template engines and `htmlspecialchars`
/// write; `None` where there is none.
pub(crate) fn from_html(text: &[u8]) -> Option<Vec<u8>> {
    /// Longest name or number between `&` and `;`.
    const LONGEST: usize = 8;
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    let mut changed = false;
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        let end = match first {
            b'&' => tail.iter().take(LONGEST).position(|&byte| byte == b';'),
            _ => None,
        };
        let reference = end.and_then(|end| Some((tail.get(..end)?, tail.get(end + 1..)?)));
        match reference.and_then(|(name, behind)| Some((character(name)?, behind))) {
            Some((character, behind)) => {
                changed = true;
                decoded.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                rest = behind;
            }
            None => decoded.push(first),
        }
    }
    changed.then_some(decoded)
}

fn character(name: &[u8]) -> Option<char> {
    match name {
        b"quot" => Some('"'),
        b"apos" => Some('\''),
        b"amp" => Some('&'),
        b"lt" => Some('<'),
        b"gt" => Some('>'),
        b"nbsp" => Some('\u{a0}'),
        [b'#', b'x' | b'X', digits @ ..] => number(digits, 16),
        [b'#', digits @ ..] => number(digits, 10),
        _ => None,
    }
}

fn number(digits: &[u8], radix: u32) -> Option<char> {
    let digits = str::from_utf8(digits).ok()?;
    char::from_u32(u32::from_str_radix(digits, radix).ok()?)
}

/// What Windows-1252 has at 0x80 to 0x9F; U+0000 where it has nothing.
const WINDOWS_1252: [char; 32] = [
    '€', '\0', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\0', 'Ž', '\0', '\0', '‘',
    '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\0', 'ž', 'Ÿ',
];

/// Undoes that UTF-8 was read as Latin-1 or Windows-1252 and written as UTF-8
/// again; `None` where it can't have been.
pub(crate) fn from_mojibake(text: &[u8]) -> Option<Vec<u8>> {
    let text = str::from_utf8(text).ok().filter(|text| !text.is_ascii())?;
    let byte = |it: char| {
        u8::try_from(u32::from(it)).ok().or_else(|| {
            let at = WINDOWS_1252.iter().position(|other| *other == it)?;
            u8::try_from(at + 0x80).ok()
        })
    };
    let bytes: Vec<u8> = text.chars().map(byte).collect::<Option<_>>()?;
    // What was UTF-8 before is so again.
    str::from_utf8(&bytes).is_ok().then_some(bytes)
}

/// Reads Latin-1 (bytes that aren't UTF-8) and writes UTF-8.
pub(crate) fn from_latin1(text: &[u8]) -> Option<Vec<u8>> {
    if str::from_utf8(text).is_ok() {
        return None;
    }
    let text: String = text.iter().copied().map(char::from).collect();
    Some(text.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_what_others_encode() {
        for text in [&b"YWI_YQ=="[..], b"YWI/YQ", b"YWI/\nYQ==\n"] {
            assert_eq!(from_base64(text).as_deref(), Some(&b"ab?a"[..]), "{text:?}");
        }
        assert_eq!(from_base64(b"{}"), None);
        assert_eq!(from_hex(b"7B7d").as_deref(), Some(&b"{}"[..]));
        assert_eq!(from_hex(&hex(b"{}")).as_deref(), Some(&b"{}"[..]));
        assert_eq!(from_hex(b"7b7"), None);
        assert_eq!(from_percent(b"%7b+%7", true).as_deref(), Some(&b"{ %7"[..]));
        assert_eq!(from_percent(b"a+b", true), None);
        assert_eq!(
            from_html(b"&quot;&#39;&#x2F;&amp;lt; &bogus; &").as_deref(),
            Some(&b"\"'/&lt; &bogus; &"[..])
        );
        assert_eq!(
            from_mojibake("MÃ¼ller".as_bytes()).as_deref(),
            Some("Müller".as_bytes())
        );
        assert_eq!(
            from_mojibake("â‚¬".as_bytes()).as_deref(),
            Some("€".as_bytes())
        );
        assert_eq!(from_mojibake("Müller".as_bytes()), None);
        assert_eq!(
            from_latin1(b"M\xfcller").as_deref(),
            Some("Müller".as_bytes())
        );
    }
}
