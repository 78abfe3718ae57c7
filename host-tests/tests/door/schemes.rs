//! The schemes: who signs how, and what a stranger can make of it.

mod vectors;
