//! Digests as header values spell them.
//!
//! One spelling each: a decoder that also takes upper-case hex, missing padding
//! or stray trailing bits would accept headers that no sender makes.

use alloc::string::String;

use base64ct::{Base64, Encoding as _};

/// An HMAC-SHA256 is 32 bytes.
pub(crate) const DIGEST_BYTES: usize = 32;

const HEX_DIGITS: [char; 16] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
];

/// Decodes 64 lower-case hex digits.
///
/// Without a branch for each digit: the whole is one run of arithmetic, for
/// which compilers use vectors.
pub(crate) fn from_hex(hex: &[u8]) -> Option<[u8; DIGEST_BYTES]> {
    let hex: &[u8; 2 * DIGEST_BYTES] = hex.try_into().ok()?;
    let nibbles = hex.map(nibble);
    let is_hex = nibbles.iter().fold(0, |all, nibble| all | nibble) < NO_NIBBLE;
    let mut digest = [0; DIGEST_BYTES];
    for (byte, pair) in digest.iter_mut().zip(nibbles.as_chunks().0) {
        let [high, low] = pair;
        *byte = high << 4 | low & 15;
    }
    is_hex.then_some(digest)
}

/// Decodes canonical, padded base64 of RFC 4648, section 4.
pub(crate) fn from_base64(text: &[u8]) -> Option<[u8; DIGEST_BYTES]> {
    let mut digest = [0; DIGEST_BYTES];
    let decoded = Base64::decode(text, &mut digest).ok()?.len();
    (decoded == DIGEST_BYTES).then_some(digest)
}

/// Encodes as lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| HEX_DIGITS.get(usize::from(nibble));
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(digit).collect()
}

/// Encodes as padded base64.
pub(crate) fn base64(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}

/// Is more than every nibble.
const NO_NIBBLE: u8 = 16;

const fn nibble(digit: u8) -> u8 {
    let (decimal, letter) = (digit.wrapping_sub(b'0'), digit.wrapping_sub(b'a'));
    if decimal < 10 {
        decimal
    } else if letter < 6 {
        letter + 10
    } else {
        NO_NIBBLE
    }
}

#[cfg(test)]
mod tests {
    use super::{base64, from_base64, from_hex, hex};
    use alloc::string::ToString;

    #[test]
    fn reads_what_it_writes() {
        let digest = core::array::from_fn(|index| u8::try_from(index * 8).unwrap());
        assert_eq!(from_hex(hex(&digest).as_bytes()), Some(digest));
        assert_eq!(from_base64(base64(&digest).as_bytes()), Some(digest));
    }

    #[test]
    fn takes_sixteen_digits_and_no_other_byte() {
        for byte in 0..=u8::MAX {
            let mut text = [b'0'; 64];
            text[63] = byte;
            let value = b"0123456789abcdef".iter().position(|digit| *digit == byte);
            let digest = from_hex(&text).map(|digest| usize::from(digest[31]));
            assert_eq!(digest, value, "{byte:#x}");
        }
    }

    #[test]
    fn takes_one_spelling_only() {
        let text = "ab".repeat(32);
        assert!(from_hex(text.as_bytes()).is_some());
        for text in [text.to_uppercase(), "a".repeat(63), "a".repeat(65)] {
            assert_eq!(from_hex(text.as_bytes()), None, "{text}");
        }
        let text = base64(&[0xff; 32]);
        assert_eq!(text, "/".repeat(42) + "8=");
        for other in [
            text.replace('=', ""),
            text.replace('/', "_"),
            text.replace('8', "9"),
            text.replace("8=", "/="),
            text.clone() + "=",
            "////".to_string() + &text,
            base64(&[0xff; 33]),
            base64(&[0xff; 31]),
        ] {
            assert_eq!(from_base64(other.as_bytes()), None, "{other}");
        }
    }
}
