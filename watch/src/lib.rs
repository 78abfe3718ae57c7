//! What is unusual about deliveries, and why: no clock, no I/O, no host.
//!
//! One statistic for each question, a table of causes over them, and a generic
//! detector behind. Everything is learnt while it runs: no training, no model file.
//! [`watch::Watch`] is all of it together; each detector also stands alone.
//!
//! | question | detector |
//! |---|---|
//! | how many events come, of a type, of an account? | [`rate`], of which a [`series::Table`] holds many |
//! | who sends invalid signatures? | [`forgery`] |
//! | does the upstream answer, and how soon? | [`upstream`] |
//! | are requests held open? | [`slow`] |
//! | do known events come again, is what was acknowledged completed? | [`share`] |
//! | who signs, with valid signatures? | [`stranger`] |
//! | is something else new? | [`generic`] |
//! | does what should follow an event follow it, in time? | [`expect`] |
//!
//! A gate of several workers counts in a [`tally`] each; one [`worker`] has the watch.
//!
//! What they say becomes a [`verdict::Verdict`]. Figures measured of each are in
//! `docs/anomaly.md`.
#![no_std]

extern crate alloc;

pub mod alert;
mod cusum;
pub mod expect;
mod float;
pub mod forgery;
pub mod generic;
mod judge;
mod moments;
pub mod orders;
pub mod outbox;
pub mod parts;
mod quantile;
pub mod rate;
mod season;
pub mod series;
pub mod share;
mod sketch;
pub mod slow;
pub mod source;
mod standing;
pub mod state;
pub mod stranger;
pub mod suspect;
mod swing;
pub mod tally;
pub mod time;
pub mod upstream;
pub mod verdict;
pub mod watch;
pub mod worker;
