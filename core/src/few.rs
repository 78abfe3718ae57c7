//! A list that usually has one item.

use alloc::vec::Vec;

/// Holds items in order; the first costs no allocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Few<T> {
    first: Option<T>,
    more: Vec<T>,
}

impl<T> Few<T> {
    pub(crate) const fn new() -> Self {
        Self {
            first: None,
            more: Vec::new(),
        }
    }

    pub(crate) const fn one(item: T) -> Self {
        Self {
            first: Some(item),
            more: Vec::new(),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.first.iter().chain(&self.more)
    }
}

impl<T> Extend<T> for Few<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        for item in items {
            if self.first.is_none() {
                self.first = Some(item);
            } else {
                self.more.push(item);
            }
        }
    }
}

impl<T> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut few = Self::new();
        few.extend(items);
        few
    }
}

impl<T> IntoIterator for Few<T> {
    type Item = T;
    type IntoIter = core::iter::Chain<core::option::IntoIter<T>, alloc::vec::IntoIter<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.first.into_iter().chain(self.more)
    }
}

#[cfg(test)]
mod tests {
    use super::Few;
    use alloc::vec::Vec;

    #[test]
    fn keeps_its_items_in_order() {
        for count in 0..4 {
            let few: Few<u32> = (0..count).collect();
            let expected: Vec<u32> = (0..count).collect();
            assert_eq!(few.iter().copied().collect::<Vec<_>>(), expected);
            assert_eq!(few.into_iter().collect::<Vec<_>>(), expected);
        }
        assert_eq!(Few::one(7), Few::from_iter([7]));
    }
}
