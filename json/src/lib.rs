//! Passes JSON text (RFC 8259) over, token by token, and checks every byte of it.
//!
//! A crate of its own because it goes over every byte of a payload: where the rest
//! is compiled for size, this is compiled for speed. What is read out of the text,
//! and its tests, are in `hookgate_core::event`.
//!
//! Each function is given what is left of a text and returns what is left behind
//! the token; `None` where the text is not well-formed.
#![no_std]

extern crate alloc;

mod levels;
mod skip;

pub use skip::{byte, plain, space, text, value};
