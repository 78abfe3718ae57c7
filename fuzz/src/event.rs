//! An event's attributes, beside what `serde_json` makes of the same payload.

use std::collections::BTreeSet;
use std::fmt;

use hookgate_core::event::{Event, Form, MAX_TOP_LEVEL_KEYS, PayloadError};
use hookgate_core::time::Timestamp;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Reads a payload in both ways.
///
/// # Panics
/// If they differ.
pub fn check(payload: &[u8]) -> Vec<&'static str> {
    let found = Event::from_payload(payload);
    // Where it isn't UTF-8, `serde_json` can't show a value as text.
    if std::str::from_utf8(payload).is_ok() {
        assert_eq!(found, expected(payload));
    }
    match found {
        Ok(event) => {
            for name in [&event.id, &event.type_name]
                .into_iter()
                .chain(&event.account)
            {
                assert!(is_name(name), "{name:?}");
            }
            let random = u64::MAX / 7;
            let delivery_id = event.delivery_id(random);
            assert!(event.has_delivery_id(&delivery_id), "{delivery_id}");
            assert_eq!(delivery_id == event.id, !event.is_test_id());
            if let Some(created) = event
                .created
                .filter(|at| at.unix_seconds() < 200_000_000_000)
            {
                assert_eq!(
                    Timestamp::parse_rfc3339(&created.to_string()),
                    Some(created)
                );
            }
            vec![match event.form {
                Some(Form::Snapshot) => "snapshot",
                _ => "thin",
            }]
        }
        Err(PayloadError::NotAnObject) => vec!["not an object"],
        Err(PayloadError::Field(_)) => vec!["field"],
        Err(_) => vec!["not an event"],
    }
}

fn is_name(text: &str) -> bool {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || "_.:/-".contains(c);
    (1..=255).contains(&text.len()) && text.chars().all(is_of_name)
}

/// Reads an event as a consumer would, value by value.
pub(crate) fn expected(payload: &[u8]) -> Result<Event, PayloadError> {
    let Entries(entries) =
        serde_json::from_slice(payload).map_err(|_| PayloadError::NotAnObject)?;
    let value = |key: &str| {
        let found = entries.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.get())
    };
    // A half surrogate is no text, and refused where it is looked at.
    let text = |key: &str| match value(key) {
        Some(text) if text.starts_with('"') => serde_json::from_str(text)
            .map(Some)
            .map_err(|_| PayloadError::NotAnObject),
        _ => Ok::<Option<String>, _>(None),
    };
    for key in [
        "id", "type", "object", "account", "context", "created", "livemode",
    ] {
        text(key)?;
    }
    let attribute = |key: &'static str| match (text(key)?, value(key)) {
        (Some(text), _) if is_name(&text) => Ok(Some(text)),
        (None, None | Some("null")) => Ok(None),
        _ => Err(PayloadError::Field(key)),
    };
    let required = |key: &'static str| attribute(key)?.ok_or(PayloadError::Field(key));
    let form = match text("object")?.as_deref() {
        Some("event") => Form::Snapshot,
        Some("v2.core.event") => Form::Thin,
        _ => return Err(PayloadError::NotAnEvent),
    };
    Ok(Event {
        id: required("id")?,
        type_name: required("type")?,
        account: match attribute("account")? {
            Some(account) => Some(account),
            None => attribute("context")?,
        },
        api_version: attribute("api_version").ok().flatten(),
        created: match text("created")? {
            Some(text) => Timestamp::parse_rfc3339(&text),
            None => value("created")
                .filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
                .and_then(|number| number.parse().ok())
                .map(Timestamp::from_unix_seconds),
        },
        livemode: value("livemode").and_then(|value| value.parse().ok()),
        form: Some(form),
        unsigned_attributes: false,
    })
}

/// The members of an object, each key once.
struct Entries<'de>(Vec<(String, &'de RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let (mut entries, mut keys) = (Vec::new(), BTreeSet::new());
                while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
                    if !keys.insert(key.clone()) || keys.len() > MAX_TOP_LEVEL_KEYS {
                        return Err(A::Error::custom("twice, or too many"));
                    }
                    entries.push((key, value));
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(Object)
    }
}
