use alloc::{borrow::ToOwned, collections::BTreeSet, format, string::String, vec, vec::Vec};
use core::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Scalar, top_level};
use crate::event::PayloadError;

/// What serde_json makes of a payload: each key once, with its value as text.
struct Reference<'de>(Vec<(String, &'de RawValue)>);

impl<'de> Deserialize<'de> for Reference<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Reference<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let (mut entries, mut keys) = (Vec::new(), BTreeSet::new());
                while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
                    if !keys.insert(key.clone()) {
                        return Err(A::Error::custom("twice"));
                    }
                    entries.push((key, value));
                }
                Ok(Reference(entries))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

fn expected(payload: &[u8], key: &str) -> Option<Scalar<'static>> {
    let Reference(entries) = serde_json::from_slice(payload).ok()?;
    let Some((_, value)) = entries.iter().find(|(name, _)| name == key) else {
        return Some(Scalar::Null);
    };
    let text = value.get();
    Some(match text.as_bytes() {
        [b'n', ..] => Scalar::Null,
        [b't' | b'f', ..] => Scalar::Bool(text == "true"),
        [b'"', ..] => Scalar::Text(serde_json::from_str::<String>(text).ok()?.into()),
        _ => text.parse().map_or(Scalar::Other, Scalar::Unsigned),
    })
}

/// Asserts that we read a payload as serde_json does.
#[track_caller]
fn assert_agrees(payload: &[u8]) {
    let found = top_level(payload, ["a"]).map(|[value]| value).ok();
    let shown = String::from_utf8_lossy(payload);
    assert_eq!(found, expected(payload, "a"), "{shown}");
}

/// Objects with every kind of token, each where it may stand.
const SEEDS: [&str; 12] = [
    r#"{"a": "b", "c": [1, {"d": null}, []], "e": {}}"#,
    r#" {"a" : 18446744073709551615 , "b":-0.5e+10,"c":1E5} "#,
    r#"{"a":true,"b":false,"c":null,"d":[[[[{}]]]]}"#,
    r#"{"a": "\u00e9\ud83d\ude00\n\"\\\/\b\f\r\t"}"#,
    r#"{"b": "\ud83d", "a": "12345678\"12345678"}"#,
    r#"{"a": {"b": {"c": ["}", "]", "\"", ","]}}}"#,
    r#"{"\u0061": 1, "b": 2}"#,
    r#"{"a": 01, "b": 1}"#,
    r#"{"a":[1,2.0,-3,4e1,0,0.1,-0,10],"b":[true,false,null,"x"]}"#,
    "{\n        \"a\":\r\n\t\t        \"12345678\",\n\"b\": [ ]  }",
    r#"{}"#,
    r#"{"a": 18446744073709551616, "é": "ü"}"#,
];

#[test]
fn reads_as_serde_json_does_whatever_byte_is_changed() {
    let bytes = b"\"\\{}[]:,0129-+.eEtrufalsn d8\t\n\r\x00\x1f\x7f";
    for seed in SEEDS {
        assert_agrees(seed.as_bytes());
        for place in 0..seed.len() {
            let (before, after) = seed.as_bytes().split_at(place);
            let rest = &after[1..];
            assert_agrees(before);
            for changed in [&[before, rest].concat(), &[before, after, after].concat()] {
                assert_agrees_if_text(changed);
            }
            for byte in bytes {
                assert_agrees_if_text(&[before, &[*byte], rest].concat());
                assert_agrees_if_text(&[before, &[*byte], after].concat());
            }
        }
    }
}

/// What isn't UTF-8 serde_json can't show as text.
#[track_caller]
fn assert_agrees_if_text(payload: &[u8]) {
    if core::str::from_utf8(payload).is_ok() {
        assert_agrees(payload);
    }
}

#[test]
fn reads_a_string_of_every_length_to_its_end() {
    for length in 0..40 {
        for special in ["", "\\\"", "\\\\", "\\u00e9", "\u{1}", "é"] {
            for place in 0..=length {
                let (before, after) = ("x".repeat(place), "y".repeat(length - place));
                assert_agrees(
                    format!("{{\"b\": \"{before}{special}{after}\", \"a\": 1}}").as_bytes(),
                );
                assert_agrees(format!("{{\"a\": \"{before}{special}{after}\"}}").as_bytes());
            }
        }
    }
}

#[test]
fn closes_what_is_open_in_the_right_order_at_any_depth() {
    for depth in [1, 2, 63, 64, 65, 127, 128, 129, 200] {
        for odd in 0..depth {
            let is_object = |level: usize| level % 3 == 1;
            let open: String = (0..depth)
                .map(|level| if is_object(level) { "{\"k\":" } else { "[" })
                .collect();
            let close = |level: usize| if is_object(level) { "}" } else { "]" };
            let right: String = (0..depth).rev().map(close).collect();
            let wrong = (0..depth).rev().map(|level| {
                let other = if is_object(level) { "]" } else { "}" };
                if level == odd { other } else { close(level) }
            });
            let wrong: String = wrong.collect();
            for text in [
                format!("{{\"k\": {open}0{right}, \"a\": 1}}"),
                format!("{{\"k\": {open}0{wrong}, \"a\": 1}}"),
            ] {
                let is_right = text.contains(&right);
                let found = top_level(text.as_bytes(), ["a"]);
                let expected = is_right.then_some([Scalar::Unsigned(1)]);
                assert_eq!(found, expected.ok_or(PayloadError::NotAnObject), "{text}");
            }
        }
    }
}

#[test]
fn takes_what_is_no_utf8_only_where_it_is_not_looked_at() {
    let with = |text: &[u8]| [b"{\"a\": 1, ", text, b"}"].concat();
    assert!(top_level(&with(b"\"b\": \"\xff\""), ["a"]).is_ok());
    assert!(top_level(&with(b"\"b\": {\"\xff\": 0}"), ["a"]).is_ok());
    for text in [&b"\"\xff\": 0"[..], b"\"b\": \xff", b"\"\\n\xff\": 0"] {
        let refused = Err(PayloadError::NotAnObject);
        assert_eq!(top_level(&with(text), ["a"]), refused);
    }
    let in_value = top_level(b"{\"a\": \"\xff\"}", ["a"]);
    assert_eq!(in_value, Err(PayloadError::NotAnObject));
}

#[test]
fn a_key_spelled_in_two_ways_is_one_key() {
    let twice = top_level(br#"{"a": 1, "\u0061": 1}"#, ["b"]);
    assert_eq!(twice, Err(PayloadError::NotAnObject));
    let found = top_level(br#"{"\u0061": "x\u0079"}"#, ["a"]);
    assert_eq!(found, Ok([Scalar::Text("xy".to_owned().into())]));
    let keys: Vec<String> = vec!["\"c\": 0".into(), "\"d\": 0".into()];
    let text = format!("{{{}}}", keys.join(","));
    assert_eq!(top_level(text.as_bytes(), ["d"]), Ok([Scalar::Unsigned(0)]));
}
