//! What the log holds of one event.

use std::{fmt, str::FromStr};

use bytes::Bytes;
use hookgate_core::{
    identity::Source, protection::SECRET_SUSPECT, time::Timestamp, trace::TraceParent,
};
use sha2::{Digest, Sha256};

/// What `ce-unsigned` says of events whose type and account no signature covers.
pub(crate) const UNSIGNED: &str = "type account";

/// Says how an event came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// The sender delivered it, and a signature proves it.
    Delivery,
    /// It was fetched from Stripe's API: no signature, TLS and the API key vouch
    /// for it.
    Reconciliation,
    /// As [`Self::Reconciliation`], and no destination gets it: it happened
    /// before there was a log.
    StoredOnly,
}

impl Origin {
    /// Names it, as `ce-origin` does; what was delivered needs no name.
    pub(crate) const fn name(self) -> Option<&'static str> {
        match self {
            Self::Delivery => None,
            Self::Reconciliation => Some("reconciliation"),
            Self::StoredOnly => Some("reconciliation-stored-only"),
        }
    }

    /// Reads a name; `None` if it is none.
    pub(crate) fn named(name: Option<&str>) -> Option<Self> {
        let all = [Self::Delivery, Self::Reconciliation, Self::StoredOnly];
        all.into_iter().find(|origin| origin.name() == name)
    }
}

/// Says why a delivered event waits for a person before anybody gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum HeldFor {
    /// Its signature is genuine, and the gate's watch took its signer for a stranger.
    SecretSuspect,
}

impl HeldFor {
    /// Names it, as `ce-heldfor` does.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::SecretSuspect => SECRET_SUSPECT,
        }
    }

    /// Says it in a sentence.
    pub(crate) const fn why(self) -> &'static str {
        match self {
            Self::SecretSuspect => {
                "genuinely signed, by a stranger to the gate's watch: the secret may be in other hands"
            }
        }
    }

    /// Reads the name that an event has, if it has one; `None` if it is none, or of an
    /// event that nobody delivered.
    pub(crate) fn named(name: Option<&str>, origin: Origin) -> Option<Option<Self>> {
        match (name, origin) {
            (None, _) => Some(None),
            (Some(SECRET_SUSPECT), Origin::Delivery) => Some(Some(Self::SecretSuspect)),
            (Some(_), _) => None,
        }
    }
}

/// Holds everything that is known of an event beside its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attributes {
    /// Half of the identity: whose event it is.
    pub(crate) source: Source,
    /// The other half: the event ID (`ce-id`).
    pub(crate) id: String,
    /// Its type, such as `invoice.paid`.
    pub(crate) type_name: String,
    /// The connected account, if any.
    pub(crate) account: Option<String>,
    /// Live or test mode, if the payload says.
    pub(crate) livemode: Option<bool>,
    /// When it happened, if the payload says.
    pub(crate) time: Option<Timestamp>,
    /// How it came.
    pub(crate) origin: Origin,
    /// Why it waits for a person, if it does; never unless it was delivered.
    pub(crate) held_for: Option<HeldFor>,
    /// The gate's endpoint that took it, or would have.
    pub(crate) endpoint: String,
    /// The gate's name of the secret that it verified under; empty unless it was
    /// delivered.
    pub(crate) secret_name: String,
    /// Whether type and account come from headers that no signature covers.
    pub(crate) unsigned_attributes: bool,
    /// When the sender signed the delivery, if its scheme signs a time.
    pub(crate) signed_at: Option<Timestamp>,
    /// When the gate saw the delivery, or when it was fetched.
    pub(crate) received_at: Timestamp,
    /// The trace of the delivery.
    pub(crate) traceparent: Option<TraceParent>,
    /// The original signature header (`Stripe-Signature` for Stripe): with the
    /// payload it proves to anyone who holds the secret who sent this. Empty unless
    /// it was delivered.
    pub(crate) signature: String,
    /// Of the payload.
    pub(crate) sha256: Sha256Sum,
}

impl Attributes {
    /// Returns the ID of its trace; empty if it has none.
    pub(crate) fn trace_id(&self) -> &str {
        self.traceparent.as_ref().map_or("", TraceParent::trace_id)
    }
}

/// Holds an event to be appended.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    /// What is known of it.
    pub(crate) attributes: Attributes,
    /// The bytes as they were signed.
    pub(crate) payload: Bytes,
}

/// Holds an event of the log, without its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its place in the log.
    pub(crate) sequence: u64,
    /// When the log took it.
    pub(crate) stored_at: Timestamp,
    /// Length of the payload in bytes; 0 once it is redacted.
    pub(crate) size: u64,
    /// Whether the payload was removed on purpose. It reads as empty then, and
    /// is never delivered.
    pub(crate) redacted: bool,
    /// What is known of it.
    pub(crate) attributes: Attributes,
}

impl Entry {
    /// Returns when it came: an import is stored later, and the clock of a gate may be ahead.
    pub(crate) fn came_at(&self) -> Timestamp {
        self.attributes.received_at.min(self.stored_at)
    }

    /// Checks that a payload read from the log is the one that was appended, or
    /// nothing where it was redacted.
    ///
    /// # Errors
    /// [`Damage::Payload`].
    pub(crate) fn verify(&self, payload: &[u8]) -> Result<(), Damage> {
        let as_recorded = if self.redacted {
            payload.is_empty()
        } else {
            Sha256Sum::of(payload) == self.attributes.sha256
        };
        if as_recorded {
            Ok(())
        } else {
            Err(Damage::Payload {
                sequence: self.sequence,
            })
        }
    }
}

/// Says that what the log holds is not what was appended. It is never served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Damage {
    /// The payload has another SHA-256 than when it was appended.
    #[error(
        "event {sequence} of the log is damaged: its payload has another SHA-256 than recorded"
    )]
    Payload {
        /// Where.
        sequence: u64,
    },
    /// An attribute is another than when it was appended, or the event is
    /// elsewhere than it was.
    #[error(
        "event {sequence} of the log is damaged: its attributes don't fit the chain of evidence; `hookgate verify-log` says more"
    )]
    Attributes {
        /// Where.
        sequence: u64,
    },
    /// Nothing vouches for the event.
    #[error("event {sequence} of the log is damaged: its link in the chain of evidence is missing")]
    Unlinked {
        /// Where.
        sequence: u64,
    },
    /// A field is missing or not of its form.
    #[error("event {sequence} of the log is damaged: `{field}` is missing or malformed")]
    Field {
        /// Where.
        sequence: u64,
        /// What.
        field: &'static str,
    },
}

impl Damage {
    /// Returns where.
    pub(crate) const fn sequence(self) -> u64 {
        match self {
            Self::Payload { sequence }
            | Self::Attributes { sequence }
            | Self::Unlinked { sequence }
            | Self::Field { sequence, .. } => sequence,
        }
    }
}

/// Holds a SHA-256 sum; `Display` and `FromStr` use lower-case hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sha256Sum(pub(crate) [u8; 32]);

impl Sha256Sum {
    /// Hashes some bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Sha256Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Says that a text is no SHA-256 sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 hexadecimal digits")]
pub(crate) struct Sha256SumError;

impl FromStr for Sha256Sum {
    type Err = Sha256SumError;

    fn from_str(text: &str) -> Result<Self, Sha256SumError> {
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        let mut sum = [0; 32];
        if !rest.is_empty() || pairs.len() != sum.len() {
            return Err(Sha256SumError);
        }
        for (byte, pair) in sum.iter_mut().zip(pairs) {
            let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
            let value = high.zip(low).map(|(high, low)| high * 16 + low);
            *byte = value
                .and_then(|value| u8::try_from(value).ok())
                .ok_or(Sha256SumError)?;
        }
        Ok(Self(sum))
    }
}

#[cfg(test)]
impl Attributes {
    /// An event for tests, that has nothing that an event need not have.
    pub(crate) fn sample(id: &str, received_at: Timestamp) -> Self {
        Self {
            source: Source::new("stripe").unwrap(),
            id: id.to_owned(),
            type_name: "invoice.paid".to_owned(),
            account: None,
            livemode: None,
            time: None,
            origin: Origin::Delivery,
            held_for: None,
            endpoint: "stripe".to_owned(),
            secret_name: "primary".to_owned(),
            unsigned_attributes: false,
            signed_at: None,
            received_at,
            traceparent: None,
            signature: String::new(),
            sha256: Sha256Sum::of(b"{}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Sha256Sum, Sha256SumError};

    #[test]
    fn reads_the_sum_that_it_writes() {
        let sum = Sha256Sum::of(b"abc");
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sum.to_string(), text);
        assert_eq!(text.parse(), Ok(sum));
    }

    #[test]
    fn refuses_sums_of_other_lengths_and_digits() {
        for text in ["", "ba", &"g".repeat(64), &"0".repeat(63), &"0".repeat(66)] {
            assert_eq!(text.parse::<Sha256Sum>(), Err(Sha256SumError), "{text}");
        }
    }
}
