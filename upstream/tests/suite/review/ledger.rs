//! The audit trail in a stream isn't changed, and if it was everybody sees it.
