//! See `hookgate_fuzz::delivery`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    hookgate_fuzz::delivery::check(input);
});
