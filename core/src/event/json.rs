//! The top level of a JSON object, read strictly.

use alloc::{
    borrow::{Cow, ToOwned},
    collections::BTreeSet,
    string::String,
};
use core::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess,
    Visitor,
};

use super::{MAX_TOP_LEVEL_KEYS, PayloadError, is_name};

/// Reads the values of `keys` from the top level of a payload.
///
/// A payload with two values under one key is refused, whichever key it is:
/// parsers differ in which one they take, so gate and consumer could see two
/// different events.
pub(crate) fn top_level<'de, const N: usize>(
    payload: &'de [u8],
    keys: [&str; N],
) -> Result<[Scalar<'de>; N], PayloadError> {
    let mut parser = serde_json::Deserializer::from_slice(payload);
    let values = TopLevel { keys }
        .deserialize(&mut parser)
        .map_err(|_| PayloadError::NotAnObject)?;
    parser.end().map_err(|_| PayloadError::NotAnObject)?;
    Ok(values)
}

/// A JSON value of which only scalars are kept.
#[derive(Debug, Default)]
pub(crate) enum Scalar<'de> {
    /// Absent counts as null.
    #[default]
    Null,
    Bool(bool),
    Unsigned(u64),
    Text(Cow<'de, str>),
    Other,
}

impl<'de> Scalar<'de> {
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
            Self::Text(text) if is_name(text) => Ok(Some(text.clone().into_owned())),
            _ => Err(PayloadError::Field(field)),
        }
    }
}

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Scalar::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Scalar::Unsigned(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Scalar::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Scalar::Other)
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }
}

struct TopLevel<'k, const N: usize> {
    keys: [&'k str; N],
}

impl<'de, const N: usize> DeserializeSeed<'de> for TopLevel<'_, N> {
    type Value = [Scalar<'de>; N];

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, const N: usize> Visitor<'de> for TopLevel<'_, N> {
    type Value = [Scalar<'de>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut values = core::array::from_fn(|_| Scalar::Null);
        let mut seen = BTreeSet::new();
        while let Some(key) = entries.next_key::<Scalar<'de>>()? {
            let Scalar::Text(key) = key else {
                return Err(A::Error::custom("a key is not a string"));
            };
            let mut wanted = values.iter_mut().zip(self.keys);
            match wanted.find(|(_, wanted)| key == *wanted) {
                Some((value, _)) => *value = entries.next_value()?,
                None => _ = entries.next_value::<IgnoredAny>()?,
            }
            if !seen.insert(key) || seen.len() > MAX_TOP_LEVEL_KEYS {
                return Err(A::Error::custom("a key comes twice, or too many keys"));
            }
        }
        Ok(values)
    }
}
