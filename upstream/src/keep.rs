//! Keeping a log: proving that it is whole, and taking parts of it elsewhere.

mod head;
mod progress;
mod redact;
mod verify_log;

pub(crate) use head::head;
pub(crate) use redact::redact;
pub(crate) use verify_log::{VerifyLogError, verify_log};
