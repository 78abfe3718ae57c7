//! The only place that reads the machine's clock.

use std::time::{SystemTime, UNIX_EPOCH};

use hookgate_core::time::Timestamp;

/// Returns the present. A clock before 1970 reads as 1970, which is out of
/// every tolerance.
pub(crate) fn now() -> Timestamp {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_unix_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}
