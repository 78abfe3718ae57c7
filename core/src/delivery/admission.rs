//! What the headers of a delivery show.

use alloc::rc::Rc;

use super::Arrival;
use crate::{
    gate::Endpoint, keyring::Signer, reply::Code, scheme::Signed, signature::SignatureError,
};

/// Checks everything that can be checked without a body, and returns what the
/// headers say of the signature.
pub(super) fn admit(
    endpoint: &Endpoint,
    signers: &[Rc<Signer>],
    Arrival { head, source, now }: Arrival<'_>,
) -> Result<Signed, Code> {
    if !endpoint.config.policy.admits_source(source) {
        return Err(Code::DeniedSource);
    }
    if head.only(":method") != Some(b"POST") {
        return Err(Code::MethodNotAllowed);
    }
    if signers.is_empty() {
        return Err(Code::Unavailable);
    }
    if head.content_length() > Some(endpoint.config.max_body_bytes) {
        return Err(Code::PayloadTooLarge);
    }
    let signed = endpoint
        .config
        .scheme
        .read(head)
        .map_err(SignatureError::code)?;
    signed
        .check_age(now, endpoint.config.tolerance)
        .map_err(SignatureError::code)?;
    Ok(signed)
}
