//! Whose signature counts, and by which scheme.
//!
//! The upstream trusts no gate: it verifies again. By the gate's own
//! configuration it knows the endpoints, their sources and their schemes; by
//! `--secret` alone every source is Stripe's.

mod gate;
mod keyring;

use std::sync::Arc;

use hookgate_core::{
    config::Endpoint,
    event::Event,
    identity::Source,
    keyring::Signer,
    policy::Synchronous,
    reply::Code,
    request::RequestHead,
    scheme::{Scheme, Signed},
    signature::{SignatureError, Tolerance},
    time::Timestamp,
};

pub(crate) use gate::Gate;
pub(crate) use keyring::KeyringFile;

use crate::secrets::Secrets;

/// Says who verifies.
#[derive(Debug)]
pub(crate) enum Verification {
    /// Nobody: on loopback only.
    Nothing,
    /// Every source's own secrets, by Stripe's scheme.
    Sources {
        /// The secrets.
        secrets: Secrets,
        /// How far a signature may lie from its arrival at the gate.
        tolerance: Tolerance,
    },
    /// The gate's configuration.
    Gate(Gate),
}

/// Says who sent an event, as the gate claims it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sender<'a> {
    /// The gate's endpoint.
    pub(crate) endpoint: &'a str,
    /// Its source.
    pub(crate) source: &'a Source,
    /// When the gate saw the headers.
    pub(crate) received_at: Timestamp,
}

/// Says why an event is not taken as its sender's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// The gate has no such endpoint, or it has another source.
    Sender,
    /// As the gate answers it.
    Gate(Code),
}

impl From<SignatureError> for Doubt {
    fn from(error: SignatureError) -> Self {
        Self::Gate(error.code())
    }
}

/// Holds an event whose headers are read and whose payload is awaited.
pub(crate) struct Trial {
    rules: Rules,
    signed: Signed,
    /// The original header.
    signature: String,
}

/// Holds what applies to one sender.
#[derive(Default)]
struct Rules {
    /// The gate's endpoint, where it is known.
    endpoint: Option<Arc<Endpoint>>,
    /// `None` where nothing is verified.
    signers: Option<Signers>,
}

impl Rules {
    fn scheme(&self) -> &Scheme {
        const DEFAULT: &Scheme = &Scheme::Stripe;
        let endpoint = self.endpoint.as_ref();
        endpoint.map_or(DEFAULT, |endpoint| &endpoint.scheme)
    }
}

/// Holds the secrets that may have signed.
pub(crate) struct Signers {
    secrets: Vec<Signer>,
    tolerance: Tolerance,
}

/// Holds what is proven of an event.
#[derive(Debug)]
pub(crate) struct Proven {
    /// Its attributes.
    pub(crate) event: Event,
    /// When the sender signed, if its scheme signs a time.
    pub(crate) signed_at: Option<Timestamp>,
    /// The original signature header.
    pub(crate) signature: String,
}

impl Verification {
    /// Tells whether anything is verified at all.
    pub(crate) const fn is_strict(&self) -> bool {
        !matches!(self, Self::Nothing)
    }

    /// Lists the sources whose events are verified.
    pub(crate) fn sources(&self) -> Vec<&str> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Sources { secrets, .. } => {
                secrets.sources().map(|source| source.as_str()).collect()
            }
            Self::Gate(gate) => gate.sources(),
        }
    }

    /// Reads the headers of an event, by its sender's scheme.
    ///
    /// # Errors
    /// [`Doubt`].
    pub(crate) fn begin(&self, sender: Sender<'_>, head: RequestHead<'_>) -> Result<Trial, Doubt> {
        let rules = match self {
            Self::Nothing => Rules::default(),
            Self::Sources { secrets, tolerance } => Rules {
                signers: Some(Signers {
                    secrets: secrets.of(sender.source).to_vec(),
                    tolerance: *tolerance,
                }),
                ..Rules::default()
            },
            Self::Gate(gate) => gate.rules(sender)?,
        };
        let signed = rules.scheme().read(head)?;
        if let Some(Signers { tolerance, .. }) = &rules.signers {
            signed.check_age(sender.received_at, *tolerance)?;
        }
        let name = rules.scheme().signature_header();
        let signature = head.0.iter().find(|(header, _)| header == name);
        // It is stored as a receipt, and text is all that senders send.
        let signature = signature
            .and_then(|(_, value)| String::from_utf8(value.clone()).ok())
            .ok_or(Doubt::Gate(Code::SignatureMalformed))?;
        Ok(Trial {
            rules,
            signed,
            signature,
        })
    }
}

impl Trial {
    /// Returns the largest payload, where the gate sets one.
    pub(crate) fn max_body_bytes(&self) -> Option<usize> {
        let endpoint = self.rules.endpoint.as_ref()?;
        usize::try_from(endpoint.max_body_bytes).ok()
    }

    /// Verifies a payload, and reads it only then.
    ///
    /// # Errors
    /// [`Code::SignatureMismatch`], [`Code::PayloadInvalid`],
    /// [`Code::SecretScope`], and [`Code::NoDecider`] for an event that is not
    /// to be stored: its sender waits for a decision.
    pub(crate) fn decide(self, payload: &[u8]) -> Result<Proven, Code> {
        let scope = match &self.rules.signers {
            None => None,
            Some(Signers { secrets, .. }) => {
                let candidates = secrets.iter().map(|signer| &signer.secret);
                let mut verifier = self.signed.verifier(candidates);
                verifier.update(payload);
                let index = verifier.finish().map_err(SignatureError::code)?;
                Some(secrets.get(index).ok_or(Code::SignatureMismatch)?.scope)
            }
        };
        let event = self.rules.scheme().event(&self.signed, payload);
        let event = event.map_err(|_| Code::PayloadInvalid)?;
        if scope.is_some_and(|scope| scope.contradicts(&event)) {
            return Err(Code::SecretScope);
        }
        let endpoint = self.rules.endpoint.as_ref();
        let configured = endpoint.map(|endpoint| &endpoint.policy.synchronous);
        let by_default = Synchronous::of(self.rules.scheme());
        if by_default.awaits(&event) || configured.is_some_and(|types| types.awaits(&event)) {
            return Err(Code::NoDecider);
        }
        Ok(Proven {
            event,
            signed_at: self.signed.signed_at(),
            signature: self.signature,
        })
    }
}
