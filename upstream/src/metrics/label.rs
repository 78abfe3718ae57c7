//! Label values whose number nobody outside can raise.

use std::{
    collections::HashSet,
    sync::{Arc, PoisonError, RwLock},
};

/// Most names of one kind that are told apart.
pub(super) const MAX_NAMES: usize = 64;

/// Keeps the first names that came; all later ones are one.
#[derive(Debug)]
pub(super) struct Names {
    known: RwLock<HashSet<Arc<str>>>,
    other: Arc<str>,
}

impl Names {
    /// Starts with none.
    pub(super) fn new() -> Self {
        Self {
            known: RwLock::default(),
            other: "other".into(),
        }
    }

    /// Returns the label of a name, and keeps it if there is room.
    pub(super) fn label(&self, name: &str) -> Arc<str> {
        if let Some(known) = self.known(name) {
            return known;
        }
        let mut names = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= MAX_NAMES && !names.contains(name) {
            return Arc::clone(&self.other);
        }
        let name: Arc<str> = name.into();
        names.insert(Arc::clone(&name));
        name
    }

    /// Returns the label of a name that came before.
    pub(super) fn known(&self, name: &str) -> Option<Arc<str>> {
        let names = self.known.read().unwrap_or_else(PoisonError::into_inner);
        names.get(name).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_NAMES, Names};

    #[test]
    fn tells_the_first_names_apart_and_no_more() {
        let names = Names::new();
        for number in 0..MAX_NAMES {
            let name = number.to_string();
            assert_eq!(&*names.label(&name), name);
        }
        assert_eq!(&*names.label("late"), "other");
        assert_eq!(names.known("late"), None);
        assert_eq!(&*names.label("0"), "0");
    }
}
