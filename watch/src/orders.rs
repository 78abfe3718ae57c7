//! What the workers of a gate are to do about verdicts that last.
//!
//! The holder of the lease writes it each tick, for a few ticks: it ends by itself
//! when the verdict does, or the holder dies.

use alloc::vec::Vec;

use crate::{
    forgery::NAMED,
    source::Network,
    state::{self, Input, Persist, StateError},
    suspect::{SUSPECTS, Suspect},
};

/// Ticks that orders hold: one lost race and a late worker end nothing.
const LASTS_TICKS: u64 = 3;

/// Sets which verdicts something is done about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Protect {
    /// Whether networks that forge signatures are named.
    pub forged_signatures: bool,
    /// Whether deliveries are shed during a cascade.
    pub cascade: bool,
    /// Whether deliveries of a stranger are held for review.
    pub secret_suspect: bool,
}

impl Protect {
    pub(crate) const fn is_any(self) -> bool {
        self.forged_signatures || self.cascade || self.secret_suspect
    }
}

/// Says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Orders {
    /// The tick in which they end.
    ends: u64,
    /// Whether new deliveries are shed.
    pub sheds: bool,
    /// Networks whose quota of failures is tightened: at most 32, those that forged
    /// most, and none that sent a genuine delivery.
    pub tightened: Vec<Network>,
    /// Whose genuine deliveries are held for review: at most 32, and none that say of
    /// themselves only what is known.
    pub suspects: Vec<Suspect>,
}

impl Orders {
    pub(crate) fn new(
        turn: u64,
        sheds: bool,
        tightened: Vec<Network>,
        suspects: Vec<Suspect>,
    ) -> Self {
        Self {
            ends: turn.saturating_add(LASTS_TICKS),
            sheds,
            tightened,
            suspects,
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        !self.sheds && self.tightened.is_empty() && self.suspects.is_empty()
    }

    /// Tells whether they hold in this tick; a clock that is set back makes none
    /// hold longer.
    pub(crate) const fn hold(&self, turn: u64) -> bool {
        turn < self.ends && self.ends <= turn.saturating_add(2 * LASTS_TICKS)
    }

    /// Returns bytes for [`Self::read_from`]; none if there is nothing to do.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        if self.is_empty() {
            Vec::new()
        } else {
            state::save(self)
        }
    }

    /// Reads what [`Self::bytes`] returned.
    ///
    /// # Errors
    /// [`StateError`].
    pub(crate) fn read_from(bytes: &[u8]) -> Result<Self, StateError> {
        if bytes.is_empty() {
            Ok(Self::default())
        } else {
            state::restore(bytes)
        }
    }
}

impl Persist for Orders {
    fn write(&self, out: &mut Vec<u8>) {
        self.ends.write(out);
        self.sheds.write(out);
        self.tightened.write(out);
        self.suspects.write(out);
    }
    fn read(input: &mut Input<'_>) -> Result<Self, StateError> {
        let (ends, sheds) = (u64::read(input)?, bool::read(input)?);
        let tightened = Vec::read(input)?;
        if tightened.len() > NAMED {
            return Err(input.wrong_value("list of networks that is short enough"));
        }
        let suspects = Vec::read(input)?;
        if suspects.len() > SUSPECTS {
            return Err(input.wrong_value("list of suspects that is short enough"));
        }
        Ok(Self {
            ends,
            sheds,
            tightened,
            suspects,
        })
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::{NAMED, Orders, SUSPECTS};
    use crate::{source::Network, state::StateError, suspect::Suspect};

    #[test]
    fn orders_for_more_networks_than_a_request_may_look_through_are_refused() {
        let network = Network::of([192, 0, 2, 1].into());
        let most = Orders::new(1, true, vec![network; NAMED], vec![]);
        assert_eq!(Orders::read_from(&most.bytes()), Ok(most));
        let more = Orders::new(1, true, vec![network; NAMED + 1], vec![]);
        let refused = Orders::read_from(&more.bytes());
        assert!(
            matches!(refused, Err(StateError::Value { .. })),
            "{refused:?}"
        );
    }

    #[test]
    fn orders_for_more_suspects_than_a_request_may_look_through_are_refused() {
        let suspect = Suspect::all_of(Network::of([192, 0, 2, 1].into()));
        let most = Orders::new(1, false, vec![], vec![suspect.clone(); SUSPECTS]);
        assert_eq!(Orders::read_from(&most.bytes()), Ok(most));
        let more = Orders::new(1, false, vec![], vec![suspect; SUSPECTS + 1]);
        let refused = Orders::read_from(&more.bytes());
        assert!(
            matches!(refused, Err(StateError::Value { .. })),
            "{refused:?}"
        );
    }
}
