//! Whether a delivery is genuine, and nothing further: no policy, no dedup, no
//! quota. For hosts that have a request whole and decide for themselves.

use alloc::rc::Rc;

use crate::{
    event::Event, gate::Endpoint, keyring::Signer, reply::Code, request::RequestHead,
    signature::SignatureError, time::Timestamp,
};

/// Holds a genuine event, and what is known of its delivery.
#[derive(Debug)]
pub struct Genuine {
    /// The event.
    pub event: Event,
    /// The secret that signed.
    pub signer: Rc<Signer>,
    /// When the sender signed, where the scheme signs a time.
    pub signed_at: Option<Timestamp>,
}

impl Genuine {
    /// Verifies a whole delivery under an endpoint's secrets.
    ///
    /// # Errors
    /// The code that the gate answers with: the same checks in the same order,
    /// without those of address, method and policy.
    pub fn verify(
        endpoint: &Endpoint,
        head: RequestHead<'_>,
        payload: &[u8],
        now: Timestamp,
    ) -> Result<Self, Code> {
        let signers = endpoint.signers(now);
        if signers.is_empty() {
            return Err(Code::Unavailable);
        }
        let config = &endpoint.config;
        if u64::try_from(payload.len()).is_ok_and(|bytes| bytes > config.max_body_bytes) {
            return Err(Code::PayloadTooLarge);
        }
        let signed = config.scheme.read(head).map_err(SignatureError::code)?;
        signed
            .check_age(now, config.tolerance)
            .map_err(SignatureError::code)?;
        let mut verifier = signed.verifier(signers.iter().map(|signer| &signer.secret));
        verifier.update(payload);
        let signer = verifier.finish().map_err(SignatureError::code)?;
        let signer = signers.get(signer).ok_or(Code::SignatureMismatch)?;
        let event = config.scheme.event(&signed, payload);
        let event = event.map_err(|_| Code::PayloadInvalid)?;
        if signer.scope.contradicts(&event) {
            return Err(Code::SecretScope);
        }
        Ok(Self {
            event,
            signer: Rc::clone(signer),
            signed_at: signed.signed_at(),
        })
    }
}
