//! JSON as it is spelled: numbers, strings and the order of keys stay as they are,
//! so that nothing is changed that nobody changed.

use alloc::vec::Vec;

/// Deepest nesting that is taken apart; Stripe's events have about ten levels.
const MAX_DEPTH: usize = 64;

/// Most values that are taken apart.
const MAX_VALUES: usize = 200_000;

/// One value, over the bytes that spell it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// A number, `true`, `false` or `null`.
    Word(&'a [u8]),
    /// A string with its quotes.
    Text(&'a [u8]),
    List(Vec<Value<'a>>),
    Object(Vec<(&'a [u8], Value<'a>)>),
}

/// Reads one value with nothing but white space around it.
pub(super) fn parse(text: &[u8]) -> Option<Value<'_>> {
    let mut reader = Reader {
        rest: text,
        values: 0,
    };
    let value = reader.value(0)?;
    reader.space();
    reader.rest.is_empty().then_some(value)
}

/// Tells whether a text begins as JSON does and ends before it is complete.
pub(crate) fn is_cut_off(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    if !matches!(text.first(), Some(b'{' | b'[')) {
        return false;
    }
    let error = serde_json::from_slice::<serde::de::IgnoredAny>(text).err();
    error.is_some_and(|error| error.is_eof())
}

struct Reader<'a> {
    rest: &'a [u8],
    values: usize,
}

impl<'a> Reader<'a> {
    fn space(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    fn next_is(&mut self, byte: u8) -> Option<()> {
        self.space();
        self.rest = self.rest.strip_prefix(&[byte])?;
        Some(())
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn value(&mut self, depth: usize) -> Option<Value<'a>> {
        self.values += 1;
        if depth > MAX_DEPTH || self.values > MAX_VALUES {
            return None;
        }
        self.space();
        match self.rest.first()? {
            b'{' => {
                self.take(1)?;
                let mut members = Vec::new();
                self.items(b'}', |reader| {
                    reader.space();
                    let key = reader.text()?;
                    reader.next_is(b':')?;
                    members.push((key, reader.value(depth + 1)?));
                    Some(())
                })?;
                Some(Value::Object(members))
            }
            b'[' => {
                self.take(1)?;
                let mut items = Vec::new();
                self.items(b']', |reader| {
                    items.push(reader.value(depth + 1)?);
                    Some(())
                })?;
                Some(Value::List(items))
            }
            b'"' => self.text().map(Value::Text),
            _ => {
                let is_word = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+-.".contains(*byte);
                let count = self.rest.iter().take_while(is_word).count();
                let word = self.take(count)?;
                let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(word).is_ok();
                is_json.then_some(Value::Word(word))
            }
        }
    }

    /// Reads what stands between an opening bracket and its end.
    fn items(&mut self, end: u8, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        if self.next_is(end).is_some() {
            return Some(());
        }
        loop {
            item(self)?;
            if self.next_is(end).is_some() {
                return Some(());
            }
            self.next_is(b',')?;
        }
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let mut escaped = false;
        let inside = self.rest.strip_prefix(b"\"")?;
        let end = inside.iter().position(|&byte| {
            let is_end = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            is_end
        })?;
        self.take(end + 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{string::String, vec};

    #[test]
    fn keeps_the_spelling() {
        let text = br#" {"b": 1.0, "a":[true,"\"\\"] , "b":{}} "#;
        let list = Value::List(vec![Value::Word(b"true"), Value::Text(br#""\"\\""#)]);
        assert_eq!(
            parse(text),
            Some(Value::Object(vec![
                (br#""b""#, Value::Word(b"1.0")),
                (br#""a""#, list),
                (br#""b""#, Value::Object(vec![])),
            ]))
        );
    }

    #[test]
    fn takes_no_more_than_it_can_bear() {
        for text in [
            "",
            "{",
            "{]",
            "[1,]",
            "{\"a\"}",
            "nul",
            "[1] 2",
            "\"",
            "{\"a\":1,}",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse(nested(MAX_DEPTH + 1).as_bytes()).is_some());
        assert!(parse(nested(MAX_DEPTH + 2).as_bytes()).is_none());
        let many = String::from("[") + &"1,".repeat(MAX_VALUES) + "1]";
        assert!(parse(many.as_bytes()).is_none());
    }

    #[test]
    fn tells_what_is_cut_off() {
        for text in ["{\"a\": \"b", "{", "[1, 2", " {\"a\": {}"] {
            assert!(is_cut_off(text.as_bytes()), "{text}");
        }
        for text in ["{}", "", "a=b", "{}}", "{'a"] {
            assert!(!is_cut_off(text.as_bytes()), "{text}");
        }
    }
}
