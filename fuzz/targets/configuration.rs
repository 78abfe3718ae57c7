//! See `hookgate_fuzz::configuration`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    hookgate_fuzz::configuration::check(input);
});
