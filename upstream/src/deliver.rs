//! Delivery of the log's events to destinations: at least once, with judgement.
//!
//! The log is the queue. A destination has a position in it, and only what is
//! not finished at that position (under way, waiting for its next attempt, or
//! parked for a person) is kept beside it. Three parts decide, without a clock
//! and without I/O: [`retry`] what becomes of an event after an attempt,
//! [`health`] whether and where a destination may be tried now, [`destination`]
//! whom an event concerns. The rest carries out: [`schedule`] remembers over a
//! crash, [`sender`] makes one attempt, [`engine`] runs them.

pub(crate) mod destination;
pub(crate) mod engine;
pub(crate) mod health;
pub(crate) mod job;
pub(crate) mod message;
pub(crate) mod object;
pub(crate) mod retry;
pub(crate) mod schedule;
pub(crate) mod sender;
