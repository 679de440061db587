//! See [`fuzz::requests::interaction`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::requests::interaction(data));
