//! Patterns of texts, for the schema alone; the checks are the authority.

/// A name of ours: endpoint, keyring, secret, source, route.
pub(super) const NAME: &str = "^[a-z0-9-]{1,64}$";
/// An environment variable.
pub(super) const VARIABLE: &str = "^[A-Z_][A-Z0-9_]*$";
/// An endpoint's path.
pub(super) const PATH: &str = "^/[A-Za-z0-9/_.~:@!$&'()*+,;=-]{0,255}$";
/// What no endpoint's path has: Envoy's normalization would change it.
pub(super) const NO_PATH: &str = r"//|/\.\.?(/|$)";
/// Visible ASCII.
pub(super) const TEXT: &str = "^[!-~]{1,255}$";
/// The path of a request.
pub(super) const REQUEST_PATH: &str = "^/[!-~]{0,254}$";
/// A type of event, `*` for any characters.
pub(super) const TYPES: &str = "^[A-Za-z0-9_.:/*-]{1,255}$";
/// A connected account.
pub(super) const ACCOUNT: &str = "^[A-Za-z0-9_.:/-]{1,255}$";
/// A header's name.
pub(in super::super) const HEADER: &str = "^[a-z0-9_-]{1,64}$";
/// What no header of a sender's is called: we or Envoy write it or take it out.
pub(in super::super) const NO_HEADER: &str = "^(ce-|x-hookgate-|x-envoy-|x-forwarded-)|^(authorization|connection|content-length|expect|host|http2-settings|keep-alive|proxy-authenticate|proxy-authorization|proxy-connection|te|trailer|transfer-encoding|upgrade|x-request-id|traceparent|tracestate)$";
/// What stands before a signature.
pub(in super::super) const PREFIX: &str = "^[!-~]{0,32}$";
/// A text among what is signed.
pub(in super::super) const SHORT_TEXT: &str = "^[!-~]{1,64}$";
