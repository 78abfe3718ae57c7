//! Evidence that the log is what was appended: hashes that name the place
//! where it isn't.
//!
//! Every event has a digest over its place, its attributes and its payload's
//! SHA-256. The digests form a chain, whose newest link is the head: it speaks
//! for the whole log before it. Whoever can write the log can write a chain
//! that fits; a head that was exported before, to where they can't write, shows
//! it. No clock and no I/O here: each log stores its links in its own way,
//! [SQLite](crate::log::sqlite) with each event, [JetStream](crate::log::nats)
//! behind it, a range at a time.

mod audit;
mod chain;
mod cutoff;
mod digest;
mod finding;
mod head;
mod log_id;
mod redaction;

pub(crate) use audit::{Audit, AuditError, Verdict};
pub(crate) use chain::{Chain, Kind, Link};
pub(crate) use cutoff::Cutoff;
pub(crate) use digest::{Writer, content, event, tombstone, unreadable};
pub(crate) use finding::Finding;
pub(crate) use head::{Head, HeadError};
pub(crate) use log_id::LogId;
pub(crate) use redaction::Redaction;
