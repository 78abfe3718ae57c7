//! Hookgate's core for JavaScript runtimes: what `wasm-bindgen` shows of it.
//!
//! Thin: it carries bytes and texts between the two and decides nothing. What
//! an npm reader sees is made of it by `lib/`, in TypeScript.
//!
//! Bytes come through one buffer ([`input`]) that JavaScript fills and that is
//! used again; answers go back as JSON, whose texts are all ours.

mod answer;
mod delivery;
mod gate;
mod input;
mod journal;
mod verdict;

pub use delivery::Delivery;
pub use gate::{Gate, refusal};
pub use input::input;
