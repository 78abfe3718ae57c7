//! The followers of each type.

use alloc::{collections::BTreeMap, vec::Vec};

use super::{
    link::{Follower, Link},
    names::Name,
};
use crate::state::persist;

/// Types that are known to follow one.
const TYPES: usize = 8;
/// Destinations whose word does.
const COMPLETIONS: usize = 4;

/// Followers by the type that they follow.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Table {
    after: BTreeMap<Name, After>,
}

persist!(Table { after });

#[derive(Debug, Clone, Default, PartialEq)]
struct After {
    /// Events of the type.
    count: u64,
    links: Vec<Link>,
}

persist!(After { count, links });

impl Table {
    pub(super) const fn new() -> Self {
        Self {
            after: BTreeMap::new(),
        }
    }

    /// Counts an event of a type; returns how many there were before.
    pub(super) fn count(&mut self, name: Name) -> u64 {
        let after = self.after.entry(name).or_default();
        let before = after.count;
        after.count = before.saturating_add(1);
        before
    }

    /// Returns what follows a type.
    pub(super) fn of(&self, name: Name) -> impl Iterator<Item = &Link> + Clone {
        self.after.get(&name).into_iter().flat_map(|it| &it.links)
    }

    /// Returns what follows a type, to learn.
    pub(super) fn of_mut(&mut self, name: Name) -> impl Iterator<Item = &mut Link> {
        let after = self.after.get_mut(&name);
        after.into_iter().flat_map(|it| &mut it.links)
    }

    /// Returns a follower of a type.
    pub(super) fn find(&mut self, name: Name, follower: Follower) -> Option<&mut Link> {
        self.of_mut(name).find(|link| link.follower == follower)
    }

    /// Returns the milliseconds after which one is overdue.
    pub(super) fn limit(&self, name: Name, follower: Follower) -> u64 {
        let mut links = self.of(name);
        let link = links.find(|link| link.follower == follower);
        link.map_or(u64::MAX, Link::limit)
    }

    /// Returns a follower, a new one if there is room, or one that says hardly anything.
    pub(super) fn make(&mut self, name: Name, follower: Follower) -> Option<&mut Link> {
        let links = &mut self.after.get_mut(&name)?.links;
        let known = links.iter().position(|link| link.follower == follower);
        if let Some(place) = known {
            return links.get_mut(place);
        }
        let (room, is_same): (_, fn(&Link) -> bool) = match follower {
            Follower::Any => (1, |link| link.follower == Follower::Any),
            Follower::Type(_) => (TYPES, |link| matches!(link.follower, Follower::Type(_))),
            Follower::Completion(_) => (COMPLETIONS, |link| {
                matches!(link.follower, Follower::Completion(_))
            }),
        };
        if links.iter().filter(|link| is_same(link)).count() >= room {
            let weak = links
                .iter()
                .position(|link| is_same(link) && link.is_weak());
            links.remove(weak?);
        }
        links.push(Link::new(follower));
        links.last_mut()
    }
}
