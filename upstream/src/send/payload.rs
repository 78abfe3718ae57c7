//! What is sent: a sample, and another ID for any payload.

use serde::Deserialize;
use serde_json::value::RawValue;

/// A snapshot event of a connected account, as Stripe formats it.
pub(super) const SAMPLE: &[u8] = include_bytes!("sample.json");

/// Its own ID.
pub(super) const SAMPLE_ID: &str = "evt_1HookgateSample0000000001";

/// Says why a payload can't be sent under another ID.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PayloadError {
    /// It has no ID to replace.
    #[error(
        "the payload is not a JSON object with one `id` at its top level, so --id can't replace it"
    )]
    NoId,
    /// The ID can't be written as it is.
    #[error("found an ID with other characters than A-Z, a-z, 0-9, `_`, `.`, `:`, `/` and `-`")]
    IdForm,
    /// The system gives no random numbers.
    #[error("can't make a fresh ID: {0}")]
    Random(getrandom::Error),
}

#[derive(Deserialize)]
struct Identified<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
}

/// Returns the payload under another ID, and otherwise byte for byte.
///
/// # Errors
/// [`PayloadError::NoId`], [`PayloadError::IdForm`].
pub(super) fn with_id(payload: &[u8], id: &str) -> Result<Vec<u8>, PayloadError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:/-".contains(&byte);
    if !id.bytes().all(plain) {
        return Err(PayloadError::IdForm);
    }
    let Identified { id: old } = serde_json::from_slice(payload).map_err(|_| PayloadError::NoId)?;
    // `old` is a part of `payload`: where it starts is the distance of the two.
    let start = old.get().as_ptr().addr() - payload.as_ptr().addr();
    let (before, rest) = payload.split_at_checked(start).ok_or(PayloadError::NoId)?;
    let after = rest.get(old.get().len()..).ok_or(PayloadError::NoId)?;
    Ok([before, b"\"", id.as_bytes(), b"\"", after].concat())
}

/// Makes an ID that no event has.
///
/// # Errors
/// [`PayloadError::Random`].
pub(super) fn fresh_id() -> Result<String, PayloadError> {
    let random = getrandom::u64().map_err(PayloadError::Random)?;
    Ok(format!("evt_1Hookgate{random:016x}"))
}

#[cfg(test)]
mod tests {
    use super::{PayloadError, SAMPLE, fresh_id, with_id};
    use hookgate_core::event::Event;

    #[test]
    fn replaces_the_id_and_nothing_else() {
        let payload = b"{ \"data\": {\"id\": \"evt_1\"},\n\"\\u0069d\" : \"evt_1\" }";
        assert_eq!(
            with_id(payload, "evt_22").unwrap(),
            b"{ \"data\": {\"id\": \"evt_1\"},\n\"\\u0069d\" : \"evt_22\" }"
        );
    }

    #[test]
    fn refuses_payloads_and_ids_that_do_not_fit() {
        for payload in [&b"[]"[..], b"{", b"{\"data\": {\"id\": 1}}"] {
            let error = with_id(payload, "evt_1").unwrap_err();
            assert!(matches!(error, PayloadError::NoId), "{error}");
        }
        let error = with_id(SAMPLE, "evt\"1").unwrap_err();
        assert!(matches!(error, PayloadError::IdForm), "{error}");
    }

    #[test]
    fn knows_the_sample_s_own_id() {
        assert_eq!(with_id(SAMPLE, super::SAMPLE_ID).unwrap(), SAMPLE);
    }

    #[test]
    fn samples_are_events_under_fresh_ids() {
        let (one, other) = (fresh_id().unwrap(), fresh_id().unwrap());
        assert_ne!(one, other);
        let event = Event::from_payload(&with_id(SAMPLE, &one).unwrap()).unwrap();
        assert_eq!((event.id, event.type_name.as_str()), (one, "payout.paid"));
    }
}
