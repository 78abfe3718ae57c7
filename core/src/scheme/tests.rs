use alloc::{string::String, vec::Vec};

use super::Scheme;
use crate::{request::RequestHead, signature::SignatureError, time::Timestamp};

const NAMED: [Scheme; 5] = [
    Scheme::Stripe,
    Scheme::StandardWebhooks,
    Scheme::Github,
    Scheme::Shopify,
    Scheme::Slack,
];
const AT: Timestamp = Timestamp::from_unix_seconds(1_760_000_000);
const SECRET: &[u8] = b"whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0";
const JSON: &[u8] = br#"{"id": "evt_1", "object": "event", "type": "a.b", "team_id": "T1"}"#;

fn others() -> Vec<(String, Vec<u8>)> {
    [
        ("webhook-id", "msg_1"),
        ("x-github-event", "push"),
        ("x-github-delivery", "d-1"),
        ("x-shopify-topic", "orders/create"),
        ("x-shopify-shop-domain", "a.myshopify.com"),
        ("x-shopify-event-id", "e-1"),
        ("x-shopify-webhook-id", "w-1"),
    ]
    .map(|(name, value)| (name.into(), value.into()))
    .into()
}

fn signed_head(scheme: &Scheme, payload: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut head = others();
    let secret = scheme.secret("a", SECRET).unwrap();
    let added = scheme.sign(&secret, AT, RequestHead(&head), payload);
    head.extend(added.into_iter().map(|(name, value)| (name, value.into())));
    head
}

fn verify(
    scheme: &Scheme,
    head: &[(String, Vec<u8>)],
    payload: &[u8],
) -> Result<usize, SignatureError> {
    let wrong = scheme.secret("b", b"whsec_b3RoZXI=").unwrap();
    let secret = scheme.secret("a", SECRET).unwrap();
    let signed = scheme.read(RequestHead(head))?;
    let mut verifier = signed.verifier([&wrong, &secret].into_iter());
    payload.chunks(7).for_each(|chunk| verifier.update(chunk));
    verifier.finish()
}

#[test]
fn verifies_what_it_signs_and_nothing_else() {
    for scheme in NAMED {
        let head = signed_head(&scheme, JSON);
        assert_eq!(verify(&scheme, &head, JSON), Ok(1), "{scheme:?}");
        assert_eq!(
            verify(&scheme, &head, b"{}"),
            Err(SignatureError::Mismatch),
            "{scheme:?}"
        );
        let signed = scheme.read(RequestHead(&head)).ok();
        let signed_at = signed.and_then(|signed| signed.signed_at());
        assert_eq!(signed_at, scheme.signs_time().then_some(AT), "{scheme:?}");
    }
}
