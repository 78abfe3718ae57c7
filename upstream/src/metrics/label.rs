//! Label values whose number nobody outside can raise.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use hookgate_core::metric::OTHER;

/// Most names of one kind that are told apart.
pub(super) const MAX_NAMES: usize = 64;

/// Keeps something for each of the first names that came, and one for all others.
#[derive(Debug)]
pub(super) struct Names<T>(RwLock<HashMap<Arc<str>, T>>);

impl<T: Clone> Names<T> {
    /// Starts with none.
    pub(super) fn new() -> Self {
        Self(RwLock::default())
    }

    /// Returns what is kept for a name, and makes it for its label if need be.
    pub(super) fn of(&self, name: &str, make: impl FnOnce(&Arc<str>) -> T) -> T {
        if let Some(known) = self.known(name) {
            return known;
        }
        let mut names = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let is_known = names.len() < MAX_NAMES || names.contains_key(name);
        let label: Arc<str> = if is_known { name } else { OTHER }.into();
        let kept = names.entry(label).or_insert_with_key(make);
        kept.clone()
    }

    /// Returns what is kept for a name that came before.
    pub(super) fn known(&self, name: &str) -> Option<T> {
        let names = self.0.read().unwrap_or_else(PoisonError::into_inner);
        names.get(name).cloned()
    }

    /// Returns something of each.
    pub(super) fn all<R>(&self, of: impl Fn(&T) -> R) -> Vec<R> {
        let names = self.0.read().unwrap_or_else(PoisonError::into_inner);
        names.values().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{MAX_NAMES, Names};

    #[test]
    fn tells_the_first_names_apart_and_no_more() {
        let names = Names::new();
        let label = |name: &str| names.of(name, Arc::clone);
        for number in 0..MAX_NAMES {
            let name = number.to_string();
            assert_eq!(&*label(&name), name);
        }
        assert_eq!(&*label("late"), "other");
        assert_eq!(&*label("later"), "other");
        assert_eq!(names.known("late"), None);
        assert_eq!(&*label("0"), "0");
    }
}
