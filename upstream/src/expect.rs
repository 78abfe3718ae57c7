//! Silent failures: what should have followed an event and didn't, learnt from the log while
//! it grows.
//!
//! A thread reads the log behind the appends, which never wait for it, from where it was last
//! saved or from the newest [`PAST_EVENTS`](run::PAST_EVENTS) events of [`PAST`](run::PAST). What
//! destinations report ([`Reports`]) joins by its time. The statistics are
//! [`hookgate_watch::expect`] and [`hookgate_watch::watch`]; here is what they need of files,
//! what becomes of what they find, and what a page shows of it ([`View`]).

mod got;
mod learner;
mod object;
mod reporters;
mod run;
mod series;
mod settings;
mod store;
mod told;
mod view;

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use self::view::Slot;
pub(crate) use self::{
    reporters::Reports,
    run::{Expecting, Reviewer},
    series::ALL,
    settings::{Settings, state_of},
    store::{Hour, Report, Reported, Store, StoreError},
    told::Told,
    view::{Forecast, Shown, View},
};
