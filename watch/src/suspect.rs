//! Whose genuine deliveries to hold while a stranger signs.

use alloc::{string::String, vec::Vec};

use crate::{
    source::Network,
    state::{Input, Persist, StateError, persist},
    stranger::Signed,
    tally::NAME_BYTES,
    time::Time,
};

/// Suspects that are known at most: each request is compared with all of them.
pub(crate) const SUSPECTS: usize = 32;
/// Seconds after their last delivery for which suspects are known: as long as a verdict
/// stands without its finding.
const KNOWN_SECONDS: u64 = 1_800;
/// New things that make a suspect of somebody in a network that is known.
pub(crate) const TWICE: usize = 2;

/// Says whose deliveries: all of a network, where nothing else is named; of a network
/// that is known those which say each of these of themselves, at least two that are new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspect {
    /// Where they come from.
    pub network: Network,
    /// Their API version, as they say it.
    pub api_version: Option<String>,
    /// Their event type.
    pub type_name: Option<String>,
    /// Their connected account.
    pub account: Option<String>,
}

persist!(Suspect {
    network,
    api_version,
    type_name,
    account,
});

impl Suspect {
    /// Names everything of a network.
    pub(crate) const fn all_of(network: Network) -> Self {
        Self {
            network,
            api_version: None,
            type_name: None,
            account: None,
        }
    }

    /// Names what a delivery said of itself that is new, of version, type and account;
    /// `None` if these are not two names that a tally would count whole.
    pub(crate) fn saying(
        delivery: &Signed<'_>,
        [version, kind, account]: [bool; 3],
    ) -> Option<Self> {
        let named = |text: Option<&str>, is_new| {
            let text = text.filter(|text| is_new && text.len() <= NAME_BYTES);
            text.map(String::from)
        };
        let suspect = Self {
            network: delivery.network,
            api_version: named(delivery.api_version, version),
            type_name: named(Some(delivery.type_name), kind),
            account: named(delivery.account, account),
        };
        let names = suspect.says().into_iter().flatten().count();
        (names >= TWICE).then_some(suspect)
    }

    /// Returns what it names beside the network: version, type and account.
    pub(crate) fn says(&self) -> [Option<&str>; 3] {
        [&self.api_version, &self.type_name, &self.account].map(Option::as_deref)
    }
}

/// Holds suspects of late.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Suspects {
    seen: Vec<(Suspect, Time)>,
}

impl Suspects {
    /// Takes one that has just sent something. Beyond 32 the longest unseen goes.
    pub(crate) fn saw(&mut self, suspect: Suspect, now: Time) {
        if let Some((_, at)) = self.seen.iter_mut().find(|(known, _)| *known == suspect) {
            *at = now;
            return;
        }
        self.seen.retain(|(_, at)| is_late(now, *at));
        if self.seen.len() >= SUSPECTS {
            let ages = self.seen.iter().enumerate();
            if let Some((oldest, _)) = ages.min_by_key(|(_, (_, at))| *at) {
                self.seen.remove(oldest);
            }
        }
        self.seen.push((suspect, now));
    }

    /// Returns those that sent something within half an hour.
    pub(crate) fn at(&self, now: Time) -> impl Iterator<Item = &Suspect> {
        let seen = self.seen.iter();
        seen.filter(move |(_, at)| is_late(now, *at))
            .map(|(suspect, _)| suspect)
    }
}

const fn is_late(now: Time, at: Time) -> bool {
    now.seconds_since(at) < KNOWN_SECONDS
}

impl Persist for Suspects {
    fn write(&self, out: &mut Vec<u8>) {
        self.seen.write(out);
    }
    fn read(input: &mut Input<'_>) -> Result<Self, StateError> {
        let seen = Vec::read(input)?;
        if seen.len() > SUSPECTS {
            return Err(input.wrong_value("list of suspects that is short enough"));
        }
        Ok(Self { seen })
    }
}
