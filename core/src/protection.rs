//! What is done about verdicts of the watch, while they last.
//!
//! Nothing, unless a host says so: [`Gate::protect`](crate::gate::Gate::protect). A
//! verdict may be wrong, and sources may be spoofed in it; so no sender that has
//! verified is refused for failures of others, and nothing is lost: a sender hears 429
//! or 503 and comes again, and what is held is stored and waits for a person.

use alloc::{rc::Rc, string::String, vec::Vec};
use core::{
    cell::{Cell, RefCell},
    net::IpAddr,
    time::Duration,
};

use crate::{event::Event, policy::IpRange, quota::Cost, time::Timestamp};

/// Header that tells the upstream for which verdict an event is to wait for a person.
pub const HELD_FOR_HEADER: &str = "ce-heldfor";

/// What it says of an event whose signer is a stranger.
pub const SECRET_SUSPECT: &str = "secret_suspect";

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
    /// A genuine event went to the upstream to wait for a person there.
    Hold,
}

impl Action {
    /// Lists all of them.
    pub const ALL: [Self; 3] = [Self::Tighten, Self::Shed, Self::Hold];

    /// Returns the name in counters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tighten => "tighten",
            Self::Shed => "shed",
            Self::Hold => "hold",
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
    /// Whose genuine events are held for review; a few dozen at most, as each request
    /// looks through all.
    pub suspects: Vec<Suspect>,
}

/// Says whose events are held for review: all that a network sends, or what it sends
/// that says each of these of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspect {
    /// Where they come from.
    pub network: IpRange,
    /// The version of the sender's API; `None`: any.
    pub api_version: Option<String>,
    /// The event's type; `None`: any.
    pub type_name: Option<String>,
    /// The connected account; `None`: any, or none.
    pub account: Option<String>,
}

impl Suspect {
    fn says(&self, event: &Event) -> bool {
        let is = |wanted: &Option<String>, said: Option<&String>| {
            wanted.is_none() || wanted.as_ref() == said
        };
        is(&self.api_version, event.api_version.as_ref())
            && is(&self.type_name, Some(&event.type_name))
            && is(&self.account, event.account.as_ref())
    }
}

/// Is what is suspected of a delivery's network, as of its headers.
#[derive(Debug, Clone)]
pub(crate) struct Suspicion {
    address: IpAddr,
    protection: Rc<Protection>,
}

impl Suspicion {
    /// Tells whether the delivery's event is held for review.
    pub(crate) fn holds(&self, event: &Event) -> bool {
        let mut suspects = self.protection.suspects.iter();
        suspects.any(|suspect| suspect.network.contains(self.address) && suspect.says(event))
    }
}

/// Does it, for one worker.
#[derive(Debug, Default)]
pub(crate) struct Protector {
    protection: RefCell<Rc<Protection>>,
    shed: Cell<u32>,
    passed_at: Cell<Option<Timestamp>>,
}

impl Protector {
    pub(crate) fn set(&self, protection: Protection) {
        self.protection.replace(Rc::new(protection));
    }

    /// Returns what is suspected of what comes from an address; `None`: nothing.
    pub(crate) fn suspicion(&self, address: Option<IpAddr>) -> Option<Suspicion> {
        let (address, protection) = (address?, self.protection.borrow());
        let mut suspects = protection.suspects.iter();
        suspects
            .any(|suspect| suspect.network.contains(address))
            .then(|| Suspicion {
                address,
                protection: Rc::clone(&protection),
            })
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
