//! Which type comes next.

use alloc::{collections::BTreeMap, vec::Vec};

use super::names::Name;
use crate::state::persist;

/// Contexts of two types that are kept.
const CONTEXTS: usize = 1_024;
/// Types that are told apart behind one context.
const NEXT: usize = 64;
/// Cases after which a context's counts are halved.
const MEMORY: u32 = 100_000;

/// Variable-order Markov model of types: two types before, one, none.
///
/// Orders are blended as Witten and Bell do (1991): the weight of the lower order is the
/// number of different types that came, over that and all that came. At most 1,024
/// contexts of two types (a new one beyond that is judged by one), 64 types behind each:
/// 0.5 MB.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Markov {
    two: BTreeMap<(Name, Name), Counts>,
    one: BTreeMap<Name, Counts>,
    none: Counts,
}

persist!(Markov { two, one, none });

#[derive(Debug, Clone, Default, PartialEq)]
struct Counts {
    total: u32,
    next: Vec<(Name, u32)>,
}

persist!(Counts { total, next } as "counts of types");

/// How likely a type was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Likelihood {
    /// 0 to 1.
    pub(super) probability: f64,
    /// How often the type before was followed by anything.
    pub(super) cases: u32,
    /// How often by this one.
    pub(super) seen: u32,
}

impl Markov {
    pub(super) const fn new() -> Self {
        Self {
            two: BTreeMap::new(),
            one: BTreeMap::new(),
            none: Counts {
                total: 0,
                next: Vec::new(),
            },
        }
    }

    /// Tells how likely a type is behind two others, and learns that it came.
    pub(super) fn observe(&mut self, before: (Name, Name), next: Name) -> Likelihood {
        let lowest = self.none.blend(next, 1.0 / 128.0);
        let one = self.one.entry(before.1).or_default();
        let mut probability = one.blend(next, lowest);
        let (cases, seen) = (one.total, one.of(next));
        one.add(next);
        self.none.add(next);
        let has_room = self.two.len() < CONTEXTS;
        if has_room || self.two.contains_key(&before) {
            let two = self.two.entry(before).or_default();
            probability = two.blend(next, probability);
            two.add(next);
        }
        Likelihood {
            probability,
            cases,
            seen,
        }
    }
}

impl Counts {
    fn is_sound(&self) -> bool {
        self.total < MEMORY && self.next.iter().all(|(_, count)| *count <= self.total)
    }

    fn of(&self, name: Name) -> u32 {
        let found = self.next.iter().find(|(known, _)| *known == name);
        found.map_or(0, |(_, count)| *count)
    }

    fn blend(&self, name: Name, lower: f64) -> f64 {
        let kinds = self.next.len() as f64;
        if self.next.is_empty() {
            return lower;
        }
        (f64::from(self.of(name)) + kinds * lower) / (f64::from(self.total) + kinds)
    }

    fn add(&mut self, name: Name) {
        if let Some((_, count)) = self.next.iter_mut().find(|(known, _)| *known == name) {
            *count += 1;
        } else if self.next.len() < NEXT {
            self.next.push((name, 1));
        }
        self.total += 1;
        if self.total >= MEMORY {
            self.next.iter_mut().for_each(|(_, count)| *count /= 2);
            self.next.retain(|(_, count)| *count > 0);
            self.total = self.next.iter().map(|(_, count)| *count).sum();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{self, StateError};

    #[test]
    fn counts_that_can_not_be_are_no_state() {
        for (total, count) in [(MEMORY, 0), (1, 2)] {
            let next = [(Name(0), count)].into();
            let saved = state::save(&Counts { total, next });
            let read: Result<Counts, _> = state::restore(&saved);
            assert!(matches!(read, Err(StateError::Value { .. })), "{read:?}");
        }
    }

    #[test]
    fn a_type_that_never_came_there_is_unlikely_once() {
        let mut markov = Markov::new();
        let (start, one, two, odd) = (Name(0), Name(1), Name(2), Name(3));
        for _ in 0..2_000 {
            markov.observe((start, start), one);
            markov.observe((start, one), two);
        }
        let usual = markov.observe((start, one), two);
        assert!(usual.probability > 0.99, "{usual:?}");
        let found = markov.observe((start, one), odd);
        assert!(found.probability < 1e-4, "{found:?}");
        assert_eq!((found.cases, found.seen), (2_001, 0));
        let again = markov.observe((start, one), odd);
        assert!(again.probability > 1e-4, "{again:?}");
    }
}
