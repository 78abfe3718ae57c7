//! Every decision of Hookgate, and nothing else: no clock, no I/O, no host.
//!
//! One delivery (an HTTP attempt to hand over one event) goes through one
//! [`delivery::Delivery`]. The host drives it with what it sees and with the
//! time, and does what it answers:
//!
//! 1. **Headers** – which endpoint, and what can be refused without a body:
//!    method, size, the [`signature`] header's grammar, the age of its `t`.
//! 2. **Body** – hashed while it arrives, once for each signing [`secret`].
//! 3. **End** – the signature in constant time; only then the [`event`] is
//!    read, and its [`identity`] reserved in the [`dedup`] table.
//! 4. **Forward** – the payload untouched, with the [`forward`] headers.
//! 5. **Answer** – a 2xx that really came from the upstream commits the
//!    identity; everything else releases it.
//!
//! What a sender can be told stands in [`reply`], what an operator can set in
//! [`config`], and a checked configuration with its secrets is a [`gate`].
#![no_std]

extern crate alloc;

pub mod capability;
pub mod config;
pub mod dedup;
pub mod delivery;
pub mod event;
mod few;
pub mod forward;
pub mod gate;
pub mod genuine;
pub mod identity;
pub mod keyring;
pub mod metric;
mod object;
pub mod outcome;
pub mod policy;
pub mod protection;
pub mod quota;
pub mod reply;
pub mod request;
pub mod scheme;
pub mod secret;
pub mod shared;
pub mod signature;
pub mod time;
pub mod trace;
