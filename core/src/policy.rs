//! What an endpoint does with genuine events: which it wants, which it refuses,
//! and where they go.
//!
//! Judged only after the signature is verified, except for the source ranges,
//! which need nothing but the peer's address.

mod pattern;
mod range;

use alloc::{collections::BTreeSet, string::String, vec::Vec};
use core::net::IpAddr;

pub use pattern::TypePattern;
pub(crate) use range::sender;
pub use range::{IpRange, IpRangeError};

use crate::{event::Event, outcome::Ignored, reply::Code, scheme::Scheme};

/// Holds the policy of one endpoint; the default lets everything through.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// Which of live and test mode is wanted.
    pub livemode: Option<Livemode>,
    /// Which types are wanted.
    pub types: Types,
    /// Which connected accounts are known; `None` knows all.
    pub accounts: Option<Accounts>,
    /// From where deliveries may come; empty: from everywhere.
    pub source_ranges: Vec<IpRange>,
    /// Types that wait for a decision in the answer.
    pub synchronous: Synchronous,
    /// Where events of some types go; the first match counts.
    pub routes: Vec<TypeRoute>,
}

/// Says what happens to a genuine event that is not wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Otherwise {
    /// 200 `ignored`: the sender is done with it.
    Ignore,
    /// 403: the sender sees a failure, and tries again.
    Refuse,
}

/// Wants one of live and test mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Livemode {
    /// The wanted mode.
    pub only: bool,
    /// What happens to the other, and to events that don't say.
    pub otherwise: Otherwise,
}

/// Wants some types of event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Types {
    /// Wanted types; empty: all.
    pub allow: Vec<TypePattern>,
    /// Unwanted types, even if they are allowed.
    pub deny: Vec<TypePattern>,
    /// What happens to the others.
    pub otherwise: Otherwise,
}

/// Knows some connected accounts. Events of no account are not concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accounts {
    /// The known accounts.
    pub known: BTreeSet<String>,
    /// What happens to the events of others.
    pub unknown: Unknown,
}

/// Says what happens to the events of an unknown account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// They are counted and forwarded.
    Count,
    /// They are not forwarded, as [`Otherwise`] says.
    Otherwise(Otherwise),
}

/// Holds the types for which the sender waits for a decision.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Synchronous {
    /// The types.
    pub types: Vec<TypePattern>,
    /// Value of `x-hookgate-route` that leads to the decider; `None`: 503.
    pub route: Option<String>,
}

/// Sends events of some types along a route of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeRoute {
    /// The types.
    pub types: Vec<TypePattern>,
    /// Value of `x-hookgate-route`.
    pub route: String,
}

impl Default for Types {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            deny: Vec::new(),
            otherwise: Otherwise::Ignore,
        }
    }
}

impl Synchronous {
    /// Returns the types that wait at every sender of a scheme: Stripe has one.
    /// Source: <https://docs.stripe.com/issuing/controls/real-time-authorizations>.
    #[must_use]
    pub fn of(scheme: &Scheme) -> Self {
        let types: &[&str] = match scheme {
            Scheme::Stripe => &["issuing_authorization.request"],
            _ => &[],
        };
        Self {
            types: types
                .iter()
                .filter_map(|name| TypePattern::new(name))
                .collect(),
            route: None,
        }
    }

    /// Tells whether the sender waits for a decision on this event: it is
    /// never stored, and never answered for by the gate.
    #[must_use]
    pub fn awaits(&self, event: &Event) -> bool {
        matches_any(&self.types, &event.type_name)
    }
}

/// Says why a genuine event goes no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unwanted {
    /// It is dropped, and the sender is done with it.
    Ignored(Ignored),
    /// It is refused with this code.
    Refused(Code),
}

impl Policy {
    /// Tells whether deliveries may come from an address. An unknown address
    /// is in no range.
    #[must_use]
    pub fn admits_source(&self, address: Option<IpAddr>) -> bool {
        self.source_ranges.is_empty()
            || address.is_some_and(|address| {
                self.source_ranges
                    .iter()
                    .any(|range| range.contains(address))
            })
    }

    /// Returns the route of an event, if its type has one of its own.
    #[must_use]
    pub fn route(&self, event: &Event) -> Option<&str> {
        self.routes
            .iter()
            .find(|route| matches_any(&route.types, &event.type_name))
            .map(|route| route.route.as_str())
    }

    /// Tells whether an event is of a connected account that isn't known.
    #[must_use]
    pub fn is_unknown_account(&self, event: &Event) -> bool {
        match (&self.accounts, &event.account) {
            (Some(accounts), Some(account)) => !accounts.known.contains(account),
            _ => false,
        }
    }

    /// Judges a genuine event.
    ///
    /// For an event that [awaits a decision](Synchronous::awaits) being
    /// listed as such allows its type, and nothing of it is ever ignored:
    /// "ignored" would read as a decision.
    ///
    /// # Errors
    /// [`Unwanted`].
    pub fn judge(&self, event: &Event) -> Result<(), Unwanted> {
        let is_synchronous = self.synchronous.awaits(event);
        let unwanted = |otherwise, ignored, code| match otherwise {
            Otherwise::Ignore if !is_synchronous => Unwanted::Ignored(ignored),
            Otherwise::Ignore | Otherwise::Refuse => Unwanted::Refused(code),
        };
        if let Some(Livemode { only, otherwise }) = self.livemode
            && event.livemode != Some(only)
        {
            let code = Code::DeniedLivemode;
            return Err(unwanted(otherwise, Ignored::Livemode, code));
        }
        if !is_synchronous && !self.types.wants(&event.type_name) {
            let code = Code::DeniedType;
            return Err(unwanted(self.types.otherwise, Ignored::Type, code));
        }
        if let Some(Accounts { unknown, .. }) = self.accounts
            && let Unknown::Otherwise(otherwise) = unknown
            && self.is_unknown_account(event)
        {
            let code = Code::DeniedAccount;
            return Err(unwanted(otherwise, Ignored::Account, code));
        }
        Ok(())
    }
}

impl Types {
    fn wants(&self, type_name: &str) -> bool {
        let allowed = self.allow.is_empty() || matches_any(&self.allow, type_name);
        allowed && !matches_any(&self.deny, type_name)
    }
}

/// Tells whether any of the patterns matches a type.
pub(crate) fn matches_any(patterns: &[TypePattern], type_name: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(type_name))
}

#[cfg(test)]
mod tests;
