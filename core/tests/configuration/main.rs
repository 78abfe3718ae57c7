//! The configuration's schema and reference are what the parser does.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on fails"
)]

mod agreement;
mod files;
mod markdown;
mod place;

/// Every field at once.
const EXAMPLE: &str = include_str!("example.json");
