//! Reconciliation: Stripe's own list of events is compared with the log, and
//! what the log lacks is appended.
//!
//! [`round`] and [`pace`] decide what is asked and when, without a clock and
//! without a network; [`run`] asks and appends; [`command`] does it once and
//! [`repeat`] for as long as a server runs.

mod account;
mod answer;
mod command;
mod compare;
mod known;
mod pace;
mod page;
mod repeat;
mod report;
mod round;
mod run;
mod settings;
mod state;
mod stripe;
mod tally;
mod wanted;

pub(crate) use command::reconcile;
pub(crate) use repeat::Repeating;
pub(crate) use report::{Report, Reports};
pub(crate) use settings::Settings;
pub(crate) use tally::Count;
