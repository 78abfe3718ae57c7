//! The keys of one object, each once.

use alloc::{borrow::Cow, collections::BTreeSet};

/// Keys that a payload usually has fewer of, at its top level.
const USUAL: usize = 16;

/// Remembers keys. The usual few are compared one by one, which costs less than an
/// order; of hundreds that would be a product of their number and their length.
pub(super) struct Keys<'de> {
    few: [Cow<'de, str>; USUAL],
    count: usize,
    more: BTreeSet<Cow<'de, str>>,
}

impl<'de> Keys<'de> {
    pub(super) fn new() -> Self {
        Self {
            few: [const { Cow::Borrowed("") }; USUAL],
            count: 0,
            more: BTreeSet::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.count + self.more.len()
    }

    /// Adds a key; `false` if it is there.
    #[inline(always)]
    pub(super) fn insert(&mut self, key: Cow<'de, str>) -> bool {
        if self.few.iter().take(self.count).any(|known| *known == key) {
            return false;
        }
        match self.few.get_mut(self.count) {
            Some(place) => *place = key,
            None => return self.more.insert(key),
        }
        self.count += 1;
        true
    }
}
