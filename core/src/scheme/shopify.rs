//! Shopify's `X-Shopify-Hmac-SHA256: <base64>` over the payload.
//!
//! Nothing else is signed: no time, no ID, neither topic nor shop. A retry
//! keeps the IDs and so is a duplicate.
//!
//! Source: <https://shopify.dev/docs/apps/build/webhooks/subscribe/https>.

use alloc::{
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

pub(super) const SIGNATURE: &str = "x-shopify-hmac-sha256";
const TOPIC: &str = "x-shopify-topic";
const SHOP: &str = "x-shopify-shop-domain";
const EVENT_ID: &str = "x-shopify-event-id";
const WEBHOOK_ID: &str = "x-shopify-webhook-id";

pub(super) fn read(head: RequestHead<'_>) -> Result<Signed, SignatureError> {
    let digest =
        encoding::from_base64(head.required(SIGNATURE)?).ok_or(SignatureError::Malformed)?;
    let topic = head.optional(TOPIC)?.map(Vec::from);
    let shop = head.optional(SHOP)?.map(Vec::from);
    let event_id = head.optional(EVENT_ID)?.map(Vec::from);
    let webhook_id = head.optional(WEBHOOK_ID)?.map(Vec::from);
    Ok(Signed {
        type_name: topic.clone(),
        account: shop.clone(),
        unsigned: vec![topic, shop, event_id, webhook_id],
        ..Signed::by(Few::one(digest))
    })
}

pub(super) fn event(signed: &Signed, payload: &[u8]) -> Result<Event, PayloadError> {
    signed.unsigned_event(payload)
}

pub(super) fn sign(secret: &SigningSecret, payload: &[u8]) -> Vec<(String, String)> {
    let digest = encoding::base64(&secret.sign(&[payload]));
    vec![(SIGNATURE.to_string(), digest)]
}
