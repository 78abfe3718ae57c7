//! What the servers' schedule says of the events of a decision.

use std::collections::{HashMap, HashSet};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{AT_ONCE, Decision, ReviewError};
use crate::{
    deliver::schedule::nats::{Beside, Parking, Reached, Rules},
    evidence::Link,
    review::outcome::Item,
};

/// Holds the schedule as it was at one moment after the trail was read.
#[derive(Debug)]
pub(super) struct Facts {
    /// What the servers are configured with.
    pub(super) rules: Rules,
    /// Up to where the trail was carried out.
    pub(super) carried: Option<Link>,
    /// What waits for a person.
    parkings: HashMap<(String, u64), Parking>,
    /// Where the destinations are that get an event which isn't parked there.
    reached: HashMap<String, Reached>,
    /// What these were given and may not have settled.
    unsettled: HashSet<(String, u64)>,
}

impl Facts {
    /// Looks them up; `None` if no server has kept any.
    ///
    /// # Errors
    /// [`ReviewError`].
    pub(super) async fn gather(
        beside: &Beside,
        items: &[Item],
        decision: &Decision,
    ) -> Result<Option<Self>, ReviewError> {
        let Some(rules) = beside.rules().await? else {
            return Ok(None);
        };
        // In this order: a job that was carried out is there before its record
        // counts as carried out.
        let carried = beside.carried().await?;
        let parkings = beside.parkings(None).await?.into_iter().map(|parking| {
            let parked = &parking.parked;
            ((parked.destination.clone(), parked.sequence), parking)
        });
        let mut facts = Self {
            rules,
            carried,
            parkings: parkings.collect(),
            reached: HashMap::new(),
            unsettled: HashSet::new(),
        };
        let goes: Vec<(String, u64)> = (items.iter())
            .filter_map(|item| Some((new_target(item, decision)?.to_owned(), item.sequence)))
            .collect();
        for (target, _) in &goes {
            if !facts.reached.contains_key(target) {
                let reached = beside.reached(target).await?;
                facts.reached.insert(target.clone(), reached);
            }
        }
        facts.unsettled = facts.find_unsettled(beside, goes).await?;
        Ok(Some(facts))
    }

    async fn find_unsettled(
        &self,
        beside: &Beside,
        mut goes: Vec<(String, u64)>,
    ) -> Result<HashSet<(String, u64)>, ReviewError> {
        goes.retain(|(target, sequence)| {
            let reached = self.reached.get(target);
            reached.is_some_and(|it| it.settled < *sequence && *sequence <= it.position)
        });
        let asked: Vec<_> = goes
            .into_iter()
            .map(async |(target, sequence)| {
                let delivered = beside.is_delivered(&target, sequence).await?;
                Ok::<_, ReviewError>((!delivered).then_some((target, sequence)))
            })
            .collect();
        let found = stream::iter(asked).buffered(AT_ONCE);
        let found: Vec<Option<(String, u64)>> = found.try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Returns the number of the newest record that was carried out; 0 if none was.
    pub(super) fn carried(&self) -> u64 {
        self.carried.map_or(0, |link| link.sequence)
    }

    /// Returns the stay in review of an event at a destination.
    pub(super) fn parking(&self, destination: &str, sequence: u64) -> Option<&Parking> {
        self.parkings.get(&(destination.to_owned(), sequence))
    }

    /// Tells whether the destination's own turn for an event hasn't come yet.
    pub(super) fn is_ahead(&self, target: &str, sequence: u64) -> bool {
        let reached = self.reached.get(target);
        reached.is_some_and(|it| sequence > it.position)
    }

    /// Tells whether an event is tried again there, or is about to be.
    pub(super) fn is_again(&self, target: &str, sequence: u64) -> bool {
        let reached = self.reached.get(target);
        reached.is_some_and(|it| it.again.contains(&sequence))
    }

    /// Tells whether a destination was given an event and may be at it.
    pub(super) fn is_unsettled(&self, target: &str, sequence: u64) -> bool {
        self.unsettled.contains(&(target.to_owned(), sequence))
    }
}

/// Returns where an event goes that isn't parked there.
fn new_target<'a>(item: &'a Item, decision: &'a Decision) -> Option<&'a str> {
    match decision {
        Decision::Approve { to } => to.as_deref().filter(|to| *to != item.destination),
        Decision::Redeliver => Some(&item.destination),
        Decision::Discard => None,
    }
}
