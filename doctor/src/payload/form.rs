//! The form in which Stripe sends events, and what isn't of it.

use alloc::{format, string::String};

use super::{
    json::{self, Value},
    layout::{Space, look},
};

/// Says in what an event of Stripe's has another form than Stripe sends: indented by two
/// spaces, `id` first. `None` for what has it, and for what is no such event.
pub(crate) fn unlike_stripe(payload: &[u8]) -> Option<String> {
    let Some(Value::Object(members)) = json::parse(payload) else {
        return None;
    };
    let is_event = |(key, value): &(&[u8], Value<'_>)| {
        let kinds: [&[u8]; 2] = [b"\"event\"", b"\"v2.core.event\""];
        *key == b"\"object\"" && kinds.iter().any(|kind| *value == Value::Text(kind))
    };
    if !members.iter().any(is_event) {
        return None;
    }
    let (first, _) = members.first()?;
    let reordered: Option<String> =
        (*first != b"\"id\"").then(|| "its keys stand in another order".into());
    let spaced = match look(payload)? {
        Space::Spaces(2) => None,
        other => Some(format!("it is {}", other.name())),
    };
    match (spaced, reordered) {
        (Some(spaced), Some(reordered)) => Some(format!("{spaced}; {reordered}")),
        (spaced, reordered) => spaced.or(reordered),
    }
}

#[cfg(test)]
mod tests {
    use super::unlike_stripe;

    #[test]
    fn tells_what_stripe_does_not_send() {
        for (payload, says) in [
            ("{\n  \"id\": \"evt_1\",\n  \"object\": \"event\"\n}", None),
            ("{\"id\":\"msg_1\"}", None),
            ("{\"object\":\"event\"", None),
            (
                "{\n  \"created\": 1,\n  \"object\": \"event\"\n}",
                Some("its keys stand in another order"),
            ),
            (
                "{\"id\":\"evt_1\",\"object\":\"event\"}",
                Some("it is compact JSON, without white space"),
            ),
        ] {
            assert_eq!(
                unlike_stripe(payload.as_bytes()).as_deref(),
                says,
                "{payload}"
            );
        }
    }
}
