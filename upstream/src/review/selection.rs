//! Which events a decision is about.

use hookgate_core::{identity::Source, policy::TypePattern, time::Timestamp};

use crate::{
    deliver::schedule::Parked,
    log::{Attributes, Entry},
};

/// Chooses events. What is empty or `None` chooses all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    /// Event IDs.
    pub(crate) ids: Vec<String>,
    /// Where they were to go.
    pub(crate) destination: Option<String>,
    /// Sources.
    pub(crate) source: Option<Source>,
    /// Types.
    pub(crate) type_name: Option<TypePattern>,
    /// Connected accounts.
    pub(crate) account: Option<String>,
    /// Why they are parked.
    pub(crate) reason: Option<String>,
    /// Not before then: the last attempt of what is parked, the storing of what
    /// was delivered.
    pub(crate) since: Option<Timestamp>,
    /// Not then or later.
    pub(crate) until: Option<Timestamp>,
}

impl Selection {
    /// Tells whether it chooses everything.
    pub(crate) fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// Tells whether it chooses a parked event.
    pub(crate) fn chooses_parked(&self, parked: &Parked) -> bool {
        let event = parked.entry.as_ref().map(|entry| &entry.attributes);
        self.may_choose(parked)
            && match event {
                Some(event) => self.chooses(event),
                // Of what is damaged or gone nothing else is known.
                None => self.asks_nothing_of_the_event(),
            }
    }

    /// Tells whether it may choose a parked event whose attributes aren't looked at.
    pub(crate) fn may_choose(&self, parked: &Parked) -> bool {
        self.is_in_time(parked.last_at)
            && self.chooses_place(&parked.destination)
            && (self.reason.as_ref()).is_none_or(|only| *only == parked.reason)
    }

    /// Tells whether it chooses what is parked at a destination.
    pub(super) fn chooses_place(&self, destination: &str) -> bool {
        (self.destination.as_ref()).is_none_or(|only| only == destination)
    }

    /// Tells whether it chooses an event of the log, wherever it went.
    pub(crate) fn chooses_entry(&self, entry: &Entry) -> bool {
        self.is_in_time(entry.stored_at) && self.chooses(&entry.attributes)
    }

    fn chooses(&self, event: &Attributes) -> bool {
        (self.ids.is_empty() || self.ids.contains(&event.id))
            && (self.source.as_ref()).is_none_or(|only| *only == event.source)
            && (self.type_name.as_ref()).is_none_or(|only| only.matches(&event.type_name))
            && (self.account.as_ref()).is_none_or(|only| event.account.as_ref() == Some(only))
    }

    fn asks_nothing_of_the_event(&self) -> bool {
        self.ids.is_empty()
            && self.source.is_none()
            && self.type_name.is_none()
            && self.account.is_none()
    }

    fn is_in_time(&self, at: Timestamp) -> bool {
        self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until)
    }
}
