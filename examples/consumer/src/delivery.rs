//! Step one: nothing unverified has an effect.
//!
//! Deliveries are signed by Standard Webhooks; any of its libraries would do
//! (<https://www.standardwebhooks.com>). Here it is Hookgate's own core.

use std::time::Duration;

use axum::http::HeaderMap;
use hookgate_core::{
    request::RequestHead,
    scheme::Scheme,
    secret::{SecretError, SigningSecret},
    signature::{SignatureError, Tolerance},
    time::Timestamp,
};
use serde::Deserialize;

/// How old a delivery may be: each attempt is signed anew.
const TOLERANCE: Duration = Duration::from_secs(300);

/// Verifies deliveries.
pub(crate) struct Door {
    secret: SigningSecret,
}

/// Holds a verified delivery.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    /// What repeats have in common, and what the signature covers: the
    /// `ce-*` headers are for routing, a signature doesn't cover them.
    pub(crate) webhook_id: String,
    /// What to do, if it is an event that concerns us.
    pub(crate) payment: Option<Payment>,
}

/// Holds a payment to be credited.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Payment {
    /// The connected account; empty: the platform.
    pub(crate) account: String,
    /// In the currency's smallest unit.
    pub(crate) amount: i64,
}

/// Says why a delivery is not taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Not signed by whoever has the secret, or too long ago.
    #[error("its signature: {0}")]
    Signature(#[from] SignatureError),
    /// The payload isn't an event.
    #[error("its payload is not an event of Stripe")]
    Payload,
}

#[derive(Deserialize)]
struct StripeEvent {
    r#type: String,
    #[serde(default)]
    account: String,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    amount: Option<i64>,
}

impl Door {
    /// Takes the destination's secret, `whsec_` and base64.
    ///
    /// # Errors
    /// [`SecretError`].
    pub(crate) fn new(secret: &[u8]) -> Result<Self, SecretError> {
        let secret = Scheme::StandardWebhooks.secret("destination", secret)?;
        Ok(Self { secret })
    }

    /// Verifies a delivery.
    ///
    /// # Errors
    /// [`Refusal`].
    pub(crate) fn open(
        &self,
        headers: &HeaderMap,
        payload: &[u8],
        now: Timestamp,
    ) -> Result<Delivery, Refusal> {
        let head: Vec<(String, Vec<u8>)> = headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
            .collect();
        let signed = Scheme::StandardWebhooks.read(RequestHead(&head))?;
        let tolerance = Tolerance {
            past: TOLERANCE,
            future: TOLERANCE,
        };
        signed.check_age(now, tolerance)?;
        let mut verifier = signed.verifier(std::iter::once(&self.secret));
        verifier.update(payload);
        verifier.finish()?;

        let webhook_id = headers.get("webhook-id").and_then(|id| id.to_str().ok());
        let event: StripeEvent = serde_json::from_slice(payload).map_err(|_| Refusal::Payload)?;
        let amount = event.data.object.amount;
        let succeeded = event.r#type == "payment_intent.succeeded";
        Ok(Delivery {
            webhook_id: webhook_id.ok_or(Refusal::Payload)?.to_owned(),
            payment: amount.filter(|_| succeeded).map(|amount| Payment {
                account: event.account,
                amount,
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName};
    use hookgate_core::{
        request::RequestHead, scheme::Scheme, signature::SignatureError, time::Timestamp,
    };

    use super::{Delivery, Door, Payment, Refusal};

    const SECRET: &[u8] = b"whsec_aG9va2dhdGUtY29uc3VtZXI=";
    const NOW: Timestamp = Timestamp::from_unix_seconds(1_760_000_000);
    const PAYLOAD: &[u8] = br#"{"type": "payment_intent.succeeded", "account": "acct_1",
        "data": {"object": {"amount": 700}}}"#;

    fn signed(id: &str, payload: &[u8]) -> HeaderMap {
        let secret = Scheme::StandardWebhooks.secret("s", SECRET).unwrap();
        let mut head = vec![("webhook-id".to_owned(), id.as_bytes().to_vec())];
        let signature = Scheme::StandardWebhooks.sign(&secret, NOW, RequestHead(&head), payload);
        head.extend(
            signature
                .into_iter()
                .map(|(name, value)| (name, value.into_bytes())),
        );
        head.into_iter()
            .map(|(name, value)| {
                (
                    name.parse::<HeaderName>().unwrap(),
                    value.try_into().unwrap(),
                )
            })
            .collect()
    }

    fn open(headers: &HeaderMap, payload: &[u8]) -> Result<Delivery, Refusal> {
        Door::new(SECRET).unwrap().open(headers, payload, NOW)
    }

    #[test]
    fn takes_a_payment_under_its_webhook_id() {
        let payment = Payment {
            account: "acct_1".to_owned(),
            amount: 700,
        };
        assert_eq!(
            open(&signed("msg_1", PAYLOAD), PAYLOAD),
            Ok(Delivery {
                webhook_id: "msg_1".to_owned(),
                payment: Some(payment),
            })
        );
    }

    #[test]
    fn takes_other_events_without_effect() {
        let payload = br#"{"type": "invoice.paid", "data": {"object": {"amount": 5}}}"#;
        assert_eq!(
            open(&signed("msg_2", payload), payload).unwrap().payment,
            None
        );
    }

    #[test]
    fn refuses_what_hookgate_did_not_sign() {
        let mut renamed = signed("msg_1", PAYLOAD);
        renamed.insert("webhook-id", "msg_2".parse().unwrap());
        for (headers, payload) in [
            (renamed, PAYLOAD),
            (signed("msg_1", PAYLOAD), b"{}".as_slice()),
        ] {
            let mismatch = Refusal::Signature(SignatureError::Mismatch);
            assert_eq!(open(&headers, payload), Err(mismatch));
        }
        let missing = Refusal::Signature(SignatureError::Missing);
        assert_eq!(open(&HeaderMap::new(), PAYLOAD), Err(missing));
    }

    #[test]
    fn refuses_what_is_no_event() {
        assert_eq!(open(&signed("msg_1", b"{}"), b"{}"), Err(Refusal::Payload));
    }
}
