//! What is open around a value.

use alloc::vec::Vec;

/// Tells objects from arrays with one bit for each level, so that a payload of
/// brackets alone takes an eighth of its own size. The first 64 levels, more
/// than any real payload has, take nothing.
#[derive(Default)]
pub(crate) struct Levels {
    /// 1 for an object, the innermost lowest.
    innermost: u64,
    depth: usize,
    outer: Vec<u64>,
}

impl Levels {
    #[inline(always)]
    pub(crate) fn open(&mut self, is_object: bool) {
        if self.depth.is_multiple_of(64) && self.depth > 0 {
            self.outer.push(self.innermost);
        }
        self.innermost = self.innermost << 1 | u64::from(is_object);
        self.depth += 1;
    }

    /// Closes the innermost, if there is one.
    #[inline(always)]
    pub(crate) fn close(&mut self) {
        self.innermost >>= 1;
        self.depth = self.depth.saturating_sub(1);
        if self.depth.is_multiple_of(64) {
            self.innermost = self.outer.pop().unwrap_or_default();
        }
    }

    /// Tells what the innermost is; `None` if nothing is open.
    #[inline(always)]
    pub(crate) const fn is_object(&self) -> Option<bool> {
        if self.depth == 0 {
            return None;
        }
        Some(self.innermost & 1 == 1)
    }
}
