//! Says in plain words why a webhook's signature verifies or doesn't: no clock,
//! no I/O, no network.
//!
//! A payload, the headers beside it and a secret go in; what comes out is
//! [`Diagnosis`]. Whether a delivery is valid is what `hookgate-core` says, and
//! nothing else. Where it isn't, each usual suspect is *tried*: undone, alone
//! and two together, until a signature matches. So a cause that is
//! [`Certainty::Proven`] is one whose undoing makes the delivery verify; what
//! can only be told by its look is [`Certainty::Likely`], and says so.
//!
//! Whatever is given, the work is bounded: sizes ([`MAX_PAYLOAD_BYTES`],
//! [`MAX_SECRETS`], [`MAX_HEAD_BYTES`]), the bytes that are hashed, and the
//! depth of JSON.
//!
//! 1. [`input`] – what was given; [`saved`] reads it out of a saved request.
//! 2. `head`, `key`, `payload` – how each of the three may have been altered,
//!    and back.
//! 3. `search` – tries them, the simplest explanation first.
//! 4. `shape` – what is seen without a match.
//! 5. [`diagnosis`] – the words; [`fix`] – what to write instead.
#![no_std]

extern crate alloc;

pub mod age;
pub mod diagnosis;
pub mod difference;
pub mod fix;
pub mod input;
pub mod saved;

mod cause;
mod head;
mod key;
mod payload;
mod search;
mod shape;
mod text;

pub use diagnosis::{Certainty, Diagnosis, Verdict, diagnose};
pub use input::{Delivery, InputError, MAX_HEAD_BYTES, MAX_PAYLOAD_BYTES, MAX_SECRETS, Secret};
