//! See `hookgate_fuzz::event`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    hookgate_fuzz::event::check(input);
});
