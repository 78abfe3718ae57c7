//! See `hookgate_fuzz::signature`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    hookgate_fuzz::signature::check(input);
});
