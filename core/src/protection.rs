//! What is done about verdicts of the watch, while they last.
//!
//! Nothing, unless a host says so: [`Gate::protect`](crate::gate::Gate::protect). A
//! verdict may be wrong, and sources may be spoofed in it; so neither action is
//! against somebody who has verified, and neither loses anything: a sender hears 429
//! or 503 and comes again.

use alloc::vec::Vec;
use core::{
    cell::{Cell, RefCell},
    net::IpAddr,
    time::Duration,
};

use crate::{policy::IpRange, quota::Cost, time::Timestamp};

/// While deliveries are shed, one in so many goes through: those show when the
/// upstream is well, and a tenth of the load is less than any upstream stands.
const ONE_IN: u32 = 10;
/// How long after the last one that went through the next one does, however few
/// come: a gate with little to do sheds nothing worth shedding.
const ONE_EACH: Duration = Duration::from_secs(1);

/// Names what was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A failure cost its sender more than one, or it was refused for that.
    Tighten,
    /// A delivery was told that the upstream is overloaded.
    Shed,
}

impl Action {
    /// Lists all of them.
    pub const ALL: [Self; 2] = [Self::Tighten, Self::Shed];

    /// Returns the name in counters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tighten => "tighten",
            Self::Shed => "shed",
        }
    }
}

/// Says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Protection {
    /// Networks whose failures cost eight times as much; a few dozen at most, as each
    /// request looks through all.
    pub tightened: Vec<IpRange>,
    /// Whether most new deliveries are shed.
    pub sheds: bool,
}

/// Does it, for one worker.
#[derive(Debug, Default)]
pub(crate) struct Protector {
    protection: RefCell<Protection>,
    shed: Cell<u32>,
    passed_at: Cell<Option<Timestamp>>,
}

impl Protector {
    pub(crate) fn set(&self, protection: Protection) {
        self.protection.replace(protection);
    }

    /// Returns what a failure costs a sender of this address.
    pub(crate) fn cost(&self, address: IpAddr) -> Cost {
        let protection = self.protection.borrow();
        let mut tightened = protection.tightened.iter();
        if tightened.any(|range| range.contains(address)) {
            Cost::EIGHT
        } else {
            Cost::ONE
        }
    }

    /// Tells whether this delivery is to be shed, and counts it.
    pub(crate) fn sheds(&self, now: Timestamp) -> bool {
        if !self.protection.borrow().sheds {
            return false;
        }
        let shed = self.shed.get();
        let passed_at = self.passed_at.get();
        let is_long_ago = passed_at.is_none_or(|at| now.distance(at) >= ONE_EACH);
        if is_long_ago || shed + 1 >= ONE_IN {
            self.shed.set(0);
            self.passed_at.set(Some(now));
            return false;
        }
        self.shed.set(shed + 1);
        true
    }
}
