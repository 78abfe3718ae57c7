//! What retention leaves in place of the events that it removed.

use hookgate_core::time::Timestamp;

use super::Link;

/// Holds the link of the newest event that retention removed: verification
/// starts after it. A head speaks for it as for any other link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cutoff {
    /// Everything up to this one is removed.
    pub(crate) link: Link,
    /// When the last of it was.
    pub(crate) at: Timestamp,
    /// How many events that was in all.
    pub(crate) removed: u64,
}
