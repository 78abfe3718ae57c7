//! The first place at which what was signed and what was given differ.

use alloc::{format, string::String};

use serde::Serialize;

/// Bytes that are shown before the place, and behind it.
const BEFORE: usize = 24;
const BEHIND: usize = 48;

/// Says where two payloads differ first, and shows the place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Bytes before the place.
    pub offset: usize,
    /// The place's line in what was given, from 1.
    pub line: usize,
    /// The place's column there, in bytes, from 1.
    pub column: usize,
    /// Length of what was signed, in bytes.
    pub signed_bytes: usize,
    /// Length of what was given, in bytes.
    pub given_bytes: usize,
    /// What both have before the place, invisible characters shown.
    pub before: String,
    /// What follows in what was signed.
    pub signed: String,
    /// What follows in what was given.
    pub given: String,
}

impl Difference {
    /// Compares; `None` if the two are equal.
    #[must_use]
    pub fn between(signed: &[u8], given: &[u8]) -> Option<Self> {
        if signed == given {
            return None;
        }
        let pairs = signed.iter().zip(given);
        let same = pairs.take_while(|(one, other)| one == other).count();
        let offset = boundary(given, same);
        let (before, behind) = given.split_at_checked(offset)?;
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        let line_start = before
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |at| at + 1);
        let shown_from = boundary(given, offset.saturating_sub(BEFORE));
        Some(Self {
            offset: same,
            line,
            column: offset - line_start + 1,
            signed_bytes: signed.len(),
            given_bytes: given.len(),
            before: show(given.get(shown_from..offset).unwrap_or_default()),
            signed: beginning(signed.get(offset..).unwrap_or_default()),
            given: beginning(behind),
        })
    }
}

/// Moves back to where a character begins.
fn boundary(text: &[u8], mut at: usize) -> usize {
    for _ in 0..3 {
        match text.get(at) {
            Some(byte) if byte & 0xc0 == 0x80 => at = at.saturating_sub(1),
            _ => break,
        }
    }
    at
}

fn beginning(text: &[u8]) -> String {
    if text.is_empty() {
        return "⟨end⟩".into();
    }
    let end = boundary(text, BEHIND.min(text.len()));
    let mut shown = show(text.get(..end).unwrap_or_default());
    shown.push_str(if end < text.len() { "…" } else { "⟨end⟩" });
    shown
}

/// Shows bytes, invisible characters too: `·` for a space, `⟨LF⟩` for a line
/// end, `⟨BOM⟩`, `⟨E4⟩` for a byte that isn't UTF-8.
#[must_use]
pub fn show(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                ' ' => shown.push('·'),
                '\n' => shown.push_str("⟨LF⟩"),
                '\r' => shown.push_str("⟨CR⟩"),
                '\t' => shown.push_str("⟨TAB⟩"),
                '\u{feff}' => shown.push_str("⟨BOM⟩"),
                '\u{a0}' => shown.push_str("⟨NBSP⟩"),
                // What has no width, or turns the direction of what follows.
                '\0'..' '
                | '\u{7f}'..'\u{a0}'
                | '\u{ad}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' => {
                    shown.push_str(&format!("⟨U+{:04X}⟩", u32::from(character)));
                }
                _ => shown.push(character),
            }
        }
        for byte in chunk.invalid() {
            shown.push_str(&format!("⟨{byte:02X}⟩"));
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_first_place() {
        let signed = b"{\n  \"id\": 1\n}";
        let found = Difference::between(signed, b"{\n \"id\": 1\n}").unwrap();
        assert_eq!((found.offset, found.line, found.column), (3, 2, 2));
        assert_eq!((found.signed_bytes, found.given_bytes), (13, 12));
        assert_eq!(found.before, "{⟨LF⟩·");
        assert_eq!(found.signed, "·\"id\":·1⟨LF⟩}⟨end⟩");
        assert_eq!(found.given, "\"id\":·1⟨LF⟩}⟨end⟩");
        assert_eq!(Difference::between(signed, signed), None);
    }

    #[test]
    fn shows_what_nobody_sees_and_never_half_a_character() {
        assert_eq!(
            show("\u{feff}\u{202e}\r\t\u{a0}ü".as_bytes()),
            "⟨BOM⟩⟨U+202E⟩⟨CR⟩⟨TAB⟩⟨NBSP⟩ü"
        );
        assert_eq!(show(b"\xe4\x00"), "⟨E4⟩⟨U+0000⟩");
        let found = Difference::between("aü".as_bytes(), "aä".as_bytes()).unwrap();
        assert_eq!(
            (&*found.before, &*found.signed, &*found.given),
            ("a", "ü⟨end⟩", "ä⟨end⟩")
        );
        let found = Difference::between(b"{}", b"{}\n").unwrap();
        assert_eq!((&*found.signed, &*found.given), ("⟨end⟩", "⟨LF⟩⟨end⟩"));
    }
}
