//! What a host counts of a delivery.

use alloc::rc::Rc;

use crate::{
    config::Exceeded,
    keyring::Signer,
    outcome::{Outcome, QuotaKind},
    protection::Action,
};

/// Is one thing to count. A delivery gives `Received`, then one `Ended`, with
/// `Verified` and `Forwarded` between them if it came so far.
#[derive(Debug, Clone)]
pub enum Count {
    /// The headers of a request have come.
    Received,
    /// Its signature is genuine.
    Verified {
        /// The secret that signed.
        signer: Rc<Signer>,
    },
    /// It went to the upstream, or to a decider.
    Forwarded,
    /// It ended.
    Ended(Outcome),
    /// A quota was used up.
    QuotaExceeded {
        /// Which.
        quota: QuotaKind,
        /// Whether that refused the delivery.
        exceeded: Exceeded,
    },
    /// A verdict of the watch was acted on.
    Protected(Action),
    /// The event is of an account that isn't known.
    UnknownAccount,
    /// A whole payload has come, of this many bytes.
    PayloadBytes(u64),
    /// A delivery came this many seconds after it was signed.
    SignatureAgeSeconds(u64),
    /// The upstream answered after this many milliseconds.
    UpstreamMillis(u64),
}
