//! GitHub's `X-Hub-Signature-256: sha256=<hex>` over the payload.
//!
//! Nothing else is signed: no time, no ID, no type. A redelivery keeps
//! `X-GitHub-Delivery` and so is a duplicate.
//!
//! Source: <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>.

use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};

use super::Signed;
use crate::{
    event::{Event, PayloadError},
    few::Few,
    request::RequestHead,
    secret::SigningSecret,
    signature::{SignatureError, encoding},
};

pub(super) const SIGNATURE: &str = "x-hub-signature-256";
const EVENT: &str = "x-github-event";
const DELIVERY: &str = "x-github-delivery";
const PREFIX: &str = "sha256=";

pub(super) fn read(head: RequestHead<'_>) -> Result<Signed, SignatureError> {
    let digest = head
        .required(SIGNATURE)?
        .strip_prefix(PREFIX.as_bytes())
        .and_then(encoding::from_hex)
        .ok_or(SignatureError::Malformed)?;
    let event = head.optional(EVENT)?.map(Vec::from);
    let delivery = head.optional(DELIVERY)?.map(Vec::from);
    Ok(Signed {
        type_name: event.clone(),
        unsigned: vec![event, delivery],
        ..Signed::by(Few::one(digest))
    })
}

pub(super) fn event(signed: &Signed, payload: &[u8]) -> Result<Event, PayloadError> {
    signed.unsigned_event(payload)
}

pub(super) fn sign(secret: &SigningSecret, payload: &[u8]) -> Vec<(String, String)> {
    let digest = encoding::hex(&secret.sign(&[payload]));
    vec![(SIGNATURE.to_string(), format!("{PREFIX}{digest}"))]
}
