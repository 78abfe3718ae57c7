//! Suite.
fn main() {}
