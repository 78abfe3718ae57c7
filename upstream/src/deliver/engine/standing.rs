//! How a destination is, for whoever looks.

use std::sync::{Arc, Mutex, PoisonError};

use hookgate_core::time::Timestamp;

use crate::{
    deliver::{
        destination::Destination,
        health::{Circuit, Health},
    },
    log::Attributes,
};

/// Shows how a destination is, without holding its deliveries up.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    destination: Arc<Destination>,
    health: Arc<Mutex<Health>>,
}

/// Says how a destination is.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    /// What it is called.
    pub(crate) name: String,
    /// Where its events go; no credentials.
    pub(crate) primary: (String, Circuit),
    /// Where they go while that is away.
    pub(crate) secondary: Option<(String, Circuit)>,
    /// Until when nothing is sent because it asked for fewer.
    pub(crate) paused_until: Option<Timestamp>,
}

impl Watched {
    pub(super) const fn new(destination: Arc<Destination>, health: Arc<Mutex<Health>>) -> Self {
        Self {
            destination,
            health,
        }
    }

    /// Returns what it is called.
    pub(crate) fn name(&self) -> &str {
        &self.destination.name
    }

    /// Tells whether its filter chooses an event.
    pub(crate) fn wants(&self, event: &Attributes) -> bool {
        self.destination.filter.matches(event)
    }

    /// Says how it is now.
    pub(crate) fn standing(&self, now: Timestamp) -> Standing {
        let health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        let (primary, secondary) = health.circuits();
        let target = self.destination.secondary.as_ref();
        Standing {
            name: self.destination.name.clone(),
            primary: (self.destination.primary.to_string(), primary),
            secondary: target.map(ToString::to_string).zip(secondary),
            paused_until: health.paused_until(now),
        }
    }
}
