//! Keeping a log: proving that it is whole, and taking parts of it elsewhere.

mod backup;
mod export;
mod head;
mod import;
mod line;
mod redact;
mod verify_log;

pub(crate) use backup::backup;
pub(crate) use export::export;
pub(crate) use head::head;
pub(crate) use import::import;
pub(crate) use redact::redact;
pub(crate) use verify_log::{VerifyLogError, verify_log};
