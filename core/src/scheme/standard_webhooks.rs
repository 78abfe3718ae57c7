//! Standard Webhooks: `webhook-signature: v1,<base64>[ v1,<base64>…]` over
//! `<webhook-id>.<webhook-timestamp>.<payload>`.
//!
//! The symmetric `v1` only; the asymmetric `v1a` and any later version are
//! ignored, against downgrades. The ID keeps over retries and is the event's.
//!
//! Source: <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.

use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

use super::{
    Signed,
    signed::{DEFAULT_TYPE, check_text, required},
};
use crate::{
    event::{
        Event, PayloadError,
        json::{self, Scalar},
    },
    few::Few,
    request::RequestHead,
    secret::SigningSecret,
    signature::{MAX_SIGNATURES, SignatureError, encoding, trim, unix_seconds},
    time::Timestamp,
};

pub(super) const SIGNATURE: &str = "webhook-signature";
const ID: &str = "webhook-id";
const TIMESTAMP: &str = "webhook-timestamp";

const BYTE_ORDER_MARK: char = '\u{feff}';

pub(super) fn read(head: RequestHead<'_>) -> Result<Signed, SignatureError> {
    let candidates = candidates(trim(head.required(SIGNATURE)?))?;
    let malformed = SignatureError::Malformed;
    let id = head.optional(ID)?.unwrap_or_default();
    let timestamp = head.optional(TIMESTAMP)?.unwrap_or_default();
    // A full stop in the ID would let its end pass for the time, and the time
    // for the payload's beginning; the specification warns of it.
    if id.is_empty() || id.contains(&b'.') {
        return Err(malformed);
    }
    Ok(Signed {
        signed_at: Some(unix_seconds(timestamp).ok_or(malformed)?),
        before: [id, b".", timestamp, b"."].concat(),
        id: Some(id.into()),
        ..Signed::by(candidates)
    })
}

/// Reads the list: single spaces between its items, a comma in each.
fn candidates(list: &[u8]) -> Result<Few<[u8; encoding::DIGEST_BYTES]>, SignatureError> {
    let mut signatures = 0;
    let mut candidates = Few::new();
    for item in list.split(|&byte| byte == b' ') {
        let mut parts = item.splitn(2, |&byte| byte == b',');
        let (Some(version), Some(value)) = (parts.next(), parts.next()) else {
            return Err(SignatureError::Malformed);
        };
        if version == b"v1" {
            signatures += 1;
            candidates.extend(encoding::from_base64(value));
        }
    }
    if (1..=MAX_SIGNATURES).contains(&signatures) {
        Ok(candidates)
    } else {
        Err(SignatureError::Malformed)
    }
}

/// Reads the event. A JSON object says its type and time at the top level; any
/// other text is an event without them.
pub(super) fn event(signed: &Signed, payload: &[u8]) -> Result<Event, PayloadError> {
    let text = check_text(payload)?;
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let [type_name, timestamp] = if text.trim_ascii_start().starts_with('{') {
        json::top_level(text.as_bytes(), ["type", "timestamp"])?
    } else {
        [Scalar::Null, Scalar::Null]
    };
    Ok(Event {
        id: required(signed.id.as_deref(), "id")?,
        type_name: type_name
            .optional("type")?
            .unwrap_or_else(|| DEFAULT_TYPE.into()),
        account: None,
        created: timestamp.text().and_then(Timestamp::parse_rfc3339),
        livemode: None,
        form: None,
        api_version: None,
        unsigned_attributes: false,
    })
}

pub(super) fn sign(
    secret: &SigningSecret,
    at: Timestamp,
    head: RequestHead<'_>,
    payload: &[u8],
) -> Vec<(String, String)> {
    let id = head.only(ID).unwrap_or_default();
    let timestamp = at.unix_seconds().to_string();
    let digest = secret.sign(&[id, b".", timestamp.as_bytes(), b".", payload]);
    let signature = format!("v1,{}", encoding::base64(&digest));
    vec![
        (TIMESTAMP.to_string(), timestamp),
        (SIGNATURE.to_string(), signature),
    ]
}
