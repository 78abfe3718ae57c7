//! Patterns of event types.

use alloc::{borrow::ToOwned, string::String};

/// Longest pattern, in bytes.
const MAX_PATTERN_BYTES: usize = 255;

/// Matches event types: `*` stands for any characters, none included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypePattern(String);

impl TypePattern {
    /// Takes a pattern such as `invoice.paid`, `invoice.*` or `*`; `None` if it
    /// has characters that no type has.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let fits = (1..=MAX_PATTERN_BYTES).contains(&text.len())
            && text.bytes().all(|byte| {
                byte.is_ascii_alphanumeric()
                    || matches!(byte, b'_' | b'.' | b':' | b'/' | b'-' | b'*')
            });
        fits.then(|| Self(text.to_owned()))
    }

    /// Tells whether a type matches.
    #[must_use]
    pub fn matches(&self, type_name: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = type_name.strip_prefix(first) else {
            return false;
        };
        let Some(last) = parts.next_back() else {
            return rest.is_empty();
        };
        // The leftmost fit of each part leaves most for those behind it.
        for part in parts {
            match rest.split_once(part) {
                Some((_, behind)) => rest = behind,
                None => return false,
            }
        }
        rest.ends_with(last)
    }

    /// Returns the pattern's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::TypePattern;

    #[test]
    fn matches_as_written() {
        for (pattern, type_name, fits) in [
            ("invoice.paid", "invoice.paid", true),
            ("invoice.paid", "invoice.paid2", false),
            ("invoice.*", "invoice.paid", true),
            ("invoice.*", "invoice", false),
            ("invoice.*", "invoice.", true),
            ("*", "anything", true),
            ("*.updated", "account.updated", true),
            ("*.updated", "account.updated.x", false),
            ("a*b*c", "abc", true),
            ("a*b*c", "axbxbxc", true),
            ("a*b*c", "acb", false),
            ("ab*ba", "aba", false),
            ("a**b", "ab", true),
        ] {
            let pattern = TypePattern::new(pattern).unwrap();
            assert_eq!(pattern.matches(type_name), fits, "{pattern:?} {type_name}");
        }
    }

    #[test]
    fn refuses_what_no_type_contains() {
        for text in ["", "a b", "é", "a,b", &"a".repeat(256)] {
            assert_eq!(TypePattern::new(text), None, "{text}");
        }
    }
}
