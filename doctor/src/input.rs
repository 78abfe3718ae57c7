//! What the doctor is given.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use hookgate_core::{request::RequestHead, scheme::Scheme};
use zeroize::Zeroizing;

/// Longest payload, in bytes: the gate's default limit.
pub const MAX_PAYLOAD_BYTES: usize = 2 * 1_048_576;

/// Most secrets, all endpoints together.
pub const MAX_SECRETS: usize = 8;

/// Longest secret, in bytes: what a file with one may hold beside it.
pub const MAX_SECRET_BYTES: usize = 4_096;

/// Most bytes of names and values of the headers.
pub const MAX_HEAD_BYTES: usize = 65_536;

/// Holds a delivery as it arrived, or as it was kept.
// Without `Debug`: a payload isn't for logs.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Delivery {
    /// The headers, names in lower case.
    pub head: Vec<(String, Vec<u8>)>,
    /// The bytes that an application verifies.
    pub payload: Vec<u8>,
}

impl Delivery {
    /// Takes headers and body; `svix-…` counts as `webhook-…`, which is the same scheme
    /// under its earlier name.
    #[must_use]
    pub fn new(head: Vec<(String, Vec<u8>)>, payload: Vec<u8>) -> Self {
        let renamed = |(name, value): (String, Vec<u8>)| {
            let name = name.to_ascii_lowercase();
            let name = match name.strip_prefix("svix-") {
                Some(rest) => format!("webhook-{rest}"),
                None => name,
            };
            (name, value)
        };
        Self {
            head: head.into_iter().map(renamed).collect(),
            payload,
        }
    }

    /// Tells whether there is a signature header of any scheme.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        scheme_by_header(RequestHead(&self.head)).is_some()
    }

    /// Takes the bare value of a signature header, whose scheme is told by its
    /// form.
    #[must_use]
    pub fn signed(signature: &[u8], payload: &[u8]) -> Self {
        let scheme = scheme_by_form(signature).unwrap_or_default();
        let name = scheme.signature_header().to_string();
        Self {
            head: [(name, signature.to_vec())].into(),
            payload: payload.to_vec(),
        }
    }
}

/// Holds a signing secret as somebody set it, which need not be as the sender
/// shows it.
#[derive(Clone)]
pub struct Secret {
    /// What it is called in the diagnosis: a variable, a file, a position.
    pub label: String,
    /// The value.
    pub value: Zeroizing<Vec<u8>>,
    /// Whether it is the secret of another endpoint than the one that took the
    /// delivery: it explains and never makes valid.
    pub of_another_endpoint: bool,
}

impl Secret {
    /// Takes a secret of the endpoint that took the delivery.
    #[must_use]
    pub fn new(label: &str, value: &[u8]) -> Self {
        Self {
            label: label.into(),
            value: Zeroizing::new(value.to_vec()),
            of_another_endpoint: false,
        }
    }

    /// Takes a secret of another endpoint.
    #[must_use]
    pub fn of_another_endpoint(label: &str, value: &[u8]) -> Self {
        Self {
            of_another_endpoint: true,
            ..Self::new(label, value)
        }
    }
}

/// Says what can't be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// The payload is longer than [`MAX_PAYLOAD_BYTES`].
    #[error("found a payload of {bytes} bytes, expected at most {MAX_PAYLOAD_BYTES}")]
    Payload {
        /// Its length.
        bytes: usize,
    },
    /// The headers are longer than [`MAX_HEAD_BYTES`].
    #[error("found headers of {bytes} bytes, expected at most {MAX_HEAD_BYTES}")]
    Head {
        /// Their length.
        bytes: usize,
    },
    /// There are more secrets than [`MAX_SECRETS`].
    #[error("found {found} secrets, expected at most {MAX_SECRETS}")]
    Secrets {
        /// How many.
        found: usize,
    },
    /// A secret is longer than [`MAX_SECRET_BYTES`].
    #[error("found a secret of {bytes} bytes, expected at most {MAX_SECRET_BYTES}")]
    Secret {
        /// Its length.
        bytes: usize,
    },
}

/// Refuses what would cost more than a look is worth.
pub(crate) fn check(delivery: &Delivery, secrets: &[Secret]) -> Result<(), InputError> {
    let bytes = delivery.payload.len();
    if bytes > MAX_PAYLOAD_BYTES {
        return Err(InputError::Payload { bytes });
    }
    let lengths = delivery
        .head
        .iter()
        .map(|(name, value)| name.len() + value.len());
    let bytes = lengths.sum();
    if bytes > MAX_HEAD_BYTES {
        return Err(InputError::Head { bytes });
    }
    if secrets.len() > MAX_SECRETS {
        return Err(InputError::Secrets {
            found: secrets.len(),
        });
    }
    let longest = secrets.iter().map(|secret| secret.value.len()).max();
    match longest {
        Some(bytes) if bytes > MAX_SECRET_BYTES => Err(InputError::Secret { bytes }),
        _ => Ok(()),
    }
}

/// The schemes that need no description, the likeliest first.
pub(crate) const SCHEMES: [Scheme; 5] = [
    Scheme::Stripe,
    Scheme::StandardWebhooks,
    Scheme::Github,
    Scheme::Shopify,
    Scheme::Slack,
];

/// Tells a scheme by the header that is there.
pub(crate) fn scheme_by_header(head: RequestHead<'_>) -> Option<Scheme> {
    let has = |name: &str| head.0.iter().any(|(key, _)| key.eq_ignore_ascii_case(name));
    SCHEMES
        .into_iter()
        .find(|scheme| has(scheme.signature_header()))
}

/// Tells a scheme by the form of a signature header's value.
pub(crate) fn scheme_by_form(value: &[u8]) -> Option<Scheme> {
    let value = value.trim_ascii();
    let digits = value.iter().filter(|byte| byte.is_ascii_hexdigit()).count();
    if value.starts_with(b"sha256=") {
        Some(Scheme::Github)
    } else if value.starts_with(b"v0=") && digits <= 66 {
        Some(Scheme::Slack)
    } else if value.starts_with(b"v1,") || value.starts_with(b"v1a,") {
        Some(Scheme::StandardWebhooks)
    } else if value.len() == 44 && value.ends_with(b"=") {
        Some(Scheme::Shopify)
    } else {
        None
    }
}
