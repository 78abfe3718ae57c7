//! Values of the file that are written as texts.

use std::{fmt, marker::PhantomData, str::FromStr};

use serde::{Deserialize, Deserializer, de};

/// Reads a text as what it stands for.
///
/// # Errors
/// Those of the file's parser.
pub(super) fn text<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: FromStr<Err: fmt::Display>,
    D: Deserializer<'de>,
{
    let text = String::deserialize(deserializer)?;
    text.parse()
        .map(Some)
        .map_err(|error| de::Error::custom(found(&error)))
}

/// Reads a text or a number as what it stands for.
///
/// # Errors
/// Those of the file's parser.
pub(super) fn text_or_number<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: FromStr<Err: fmt::Display>,
    D: Deserializer<'de>,
{
    struct Visitor<T>(PhantomData<T>);

    impl<T: FromStr<Err: fmt::Display>> de::Visitor<'_> for Visitor<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text or a number")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(|error| E::custom(found(&error)))
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
            self.visit_str(&number.to_string())
        }
    }

    deserializer.deserialize_any(Visitor(PhantomData))
}

/// Reads a list of texts, each as what it stands for.
///
/// # Errors
/// Those of the file's parser.
pub(super) fn list<'de, T, D: Deserializer<'de>>(
    deserializer: D,
    read: impl Fn(&str) -> Option<T>,
    expected: &str,
) -> Result<Vec<T>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let values: Option<Vec<T>> = texts.iter().map(|text| read(text)).collect();
    values.ok_or_else(|| de::Error::custom(format!("found another text, expected {expected}")))
}

/// Completes an error that says only what was expected.
fn found(error: &impl fmt::Display) -> String {
    let text = error.to_string();
    if text.starts_with("expected ") {
        format!("found another text, {text}")
    } else {
        text
    }
}
