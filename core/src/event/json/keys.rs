//! The keys of one object, each once.

use alloc::{borrow::Cow, collections::BTreeSet, vec::Vec};

/// Keys that a payload usually has fewer of, at its top level.
const USUAL: usize = 16;

/// Remembers keys. The usual few are compared one by one, which costs less than an
/// order; of hundreds that would be a product of their number and their length.
pub(super) struct Keys<'de> {
    few: Vec<Cow<'de, str>>,
    more: BTreeSet<Cow<'de, str>>,
}

impl<'de> Keys<'de> {
    pub(super) fn new() -> Self {
        Self {
            few: Vec::with_capacity(USUAL),
            more: BTreeSet::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.few.len() + self.more.len()
    }

    /// Adds a key; `false` if it is there.
    #[inline(always)]
    pub(super) fn insert(&mut self, key: Cow<'de, str>) -> bool {
        if self.few.contains(&key) {
            return false;
        }
        if self.few.len() == USUAL {
            return self.more.insert(key);
        }
        self.few.push(key);
        true
    }
}
