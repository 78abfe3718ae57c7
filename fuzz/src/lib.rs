//! What has to hold whatever is sent.
//!
//! Each module has a `check` that takes any bytes, panics where a promise is broken,
//! and returns names of what it has met, by which a test tells that its corpus gets
//! everywhere. libFuzzer calls it for minutes (`cargo xtask audit --only fuzz`); the
//! tests replay the corpus and some thousand mutations of it.

pub mod configuration;
pub mod delivery;
pub mod event;
mod input;
mod json;
pub mod signature;
