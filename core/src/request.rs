//! The headers of a request.

use alloc::{string::String, vec::Vec};

use crate::signature::SignatureError;

/// Holds a request's headers as the host sees them, names in lower case.
#[derive(Debug, Clone, Copy)]
pub struct RequestHead<'a>(pub &'a [(String, Vec<u8>)]);

impl<'a> RequestHead<'a> {
    /// Returns a header's value if it comes exactly once.
    pub(crate) fn only(self, name: &str) -> Option<&'a [u8]> {
        let mut values = self.all(name);
        values.next().filter(|_| values.next().is_none())
    }

    pub(crate) fn all(self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.0
            .iter()
            .filter(move |(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_slice())
    }

    /// Returns a header that has to be there, with a value.
    pub(crate) fn required(self, name: &str) -> Result<&'a [u8], SignatureError> {
        let value = self.optional(name)?.unwrap_or_default();
        if value.is_empty() {
            return Err(SignatureError::Missing);
        }
        Ok(value)
    }

    /// Returns a header that may be there: which of two a consumer would read
    /// is anybody's guess, so two are refused.
    pub(crate) fn optional(self, name: &str) -> Result<Option<&'a [u8]>, SignatureError> {
        let mut values = self.all(name);
        let first = values.next();
        match values.next() {
            None => Ok(first),
            Some(_) => Err(SignatureError::Malformed),
        }
    }

    /// Tells whether the host will take this for gRPC.
    pub(crate) fn calls_itself_grpc(self) -> bool {
        self.all("content-type")
            .any(|value| value.starts_with(b"application/grpc"))
    }

    /// Returns the announced length; `None` if there is none that is a number.
    pub(crate) fn content_length(self) -> Option<u64> {
        let text = core::str::from_utf8(self.only("content-length")?).ok()?;
        text.parse().ok()
    }
}
